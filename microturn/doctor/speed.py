"""How long a micro-turn takes on this machine, listening and speaking, against the 200 ms that it has."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from microturn.doctor.finding import Finding, Verdict
from microturn.engine.loading import load_checkpoint
from microturn.engine.offline import answer_stream
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.engine.step import Runner
from microturn.errors import MicroturnError
from microturn.turns.micro_turn import MicroTurnInput, scripted
from microturn.turns.timing import IN_SAMPLES_PER_TURN, TURN_MS

_WARM_TURNS = 5
"""Of listening, and of speaking: the first of each compile or load what the others use."""
_NUM_TURNS = 35
"""Of each, measured."""
_MAX_TURNS = 200
"""A model that has not spoken so much by then does not."""
_WORDS = "one and two and three and four and five and six and seven and eight and nine and ten"
"""What it is made to say. A model left to itself would listen to noise for ever."""
_MAX_SHARE = 0.8
"""Of a micro-turn's time; what is beyond goes to the network and to other sessions."""


def check_speed(folder: Path | None) -> Iterator[Finding]:
    """Let the model of a folder listen and speak for some micro-turns, as fast as the machine allows."""
    try:
        runner = ModelRunner(load_checkpoint(folder), RunnerSettings(num_slots=1))
    except MicroturnError:
        return  # the weights' own check has said it
    yield speed_of(runner)


def speed_of(runner: Runner) -> Finding:
    """How fast a runner listens and speaks."""
    listening_ms, speaking_ms = _costs_ms(runner)
    parts = [_described("listening", listening_ms), _described("speaking", speaking_ms)]
    median_ms = max(float(np.median(costs)) for costs in (listening_ms, speaking_ms) if costs)
    high_ms = max(float(np.percentile(costs, 99)) for costs in (listening_ms, speaking_ms) if costs)
    is_slow = high_ms > _MAX_SHARE * TURN_MS
    remedy = "close what else uses the processor; `microturn bench engine` shows where the time goes"
    if not speaking_ms:
        return Finding(
            subject="speed",
            verdict=Verdict.NOTE,
            text="; ".join(parts),
            remedy="these weights are not trained to speak",
        )
    return Finding(
        subject="speed",
        verdict=Verdict.BAD if median_ms > TURN_MS else Verdict.NOTE if is_slow else Verdict.GOOD,
        text=f"{'; '.join(parts)}; there are {TURN_MS} ms",
        remedy=remedy if is_slow else "",
    )


def _costs_ms(runner: Runner) -> tuple[list[float], list[float]]:
    """What micro-turns of listening took, and of speaking."""
    listening_ms: list[float] = []
    speaking_ms: list[float] = []
    for result in answer_stream(runner, _noise_and_an_order()):
        (speaking_ms if result.output.is_speaking else listening_ms).append(result.trace.compute_ms)
        if len(speaking_ms) == _WARM_TURNS + _NUM_TURNS:
            break
    return listening_ms[_WARM_TURNS : _WARM_TURNS + _NUM_TURNS], speaking_ms[_WARM_TURNS:]


def _noise_and_an_order() -> Iterator[MicroTurnInput]:
    """Quiet noise; after enough of listening, words to say."""
    random = np.random.default_rng(0)
    for index in range(_MAX_TURNS):
        events = (scripted(_WORDS),) if index == _WARM_TURNS + _NUM_TURNS else ()
        audio = random.normal(0, 0.003, IN_SAMPLES_PER_TURN).astype(np.float32)
        yield MicroTurnInput(index=index, audio=audio, events=events)


def _described(what: str, costs_ms: list[float]) -> str:
    if not costs_ms:
        return f"no micro-turn of {what}"
    median_ms, high_ms = (float(value) for value in np.percentile(costs_ms, (50, 99)))
    return f"a micro-turn of {what} takes {median_ms:.0f} ms, 99 % within {high_ms:.0f} ms"
