"""How long a micro-turn takes on this machine, against the 200 ms that it has."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from microturn.doctor.finding import Finding, Verdict
from microturn.engine.loading import load_checkpoint
from microturn.engine.offline import answer_stream
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.errors import MicroturnError
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import IN_SAMPLES_PER_TURN, TURN_MS

_WARM_TURNS = 5
_NUM_TURNS = 40
_MAX_LISTENING_SHARE = 0.5
"""Speaking costs about three times as much as listening; beyond this there is no room for it."""


def check_speed(folder: Path | None) -> Iterator[Finding]:
    """Listen to quiet noise for some micro-turns, as fast as the machine allows."""
    try:
        runner = ModelRunner(load_checkpoint(folder), RunnerSettings(num_slots=1))
    except MicroturnError:
        return  # the weights' own check has said it
    noise = np.random.default_rng(0).normal(0, 0.003, (_NUM_TURNS, IN_SAMPLES_PER_TURN)).astype(np.float32)
    inputs = [MicroTurnInput(index=index, audio=audio) for index, audio in enumerate(noise)]
    costs_ms = [result.trace.compute_ms for result in answer_stream(runner, inputs)][_WARM_TURNS:]
    median_ms, high_ms = (float(value) for value in np.percentile(costs_ms, (50, 99)))
    is_slow = high_ms > _MAX_LISTENING_SHARE * TURN_MS
    verdict = Verdict.BAD if median_ms > TURN_MS else Verdict.NOTE if is_slow else Verdict.GOOD
    yield Finding(
        subject="speed",
        verdict=verdict,
        text=f"a micro-turn of listening takes {median_ms:.0f} ms, 99 % within {high_ms:.0f} ms, of {TURN_MS} ms",
        remedy="close what else uses the processor; `microturn bench engine` shows where the time goes"
        if is_slow
        else "",
    )
