"""``bench engine``: what a micro-turn costs, and how long a cold start takes.

One session runs through held-out scenarios, turn after turn, as fast as it can. ``turn_ms`` is the time of the runner's
step: features, model, flow head and vocoder, without journal and network. The replies are prescribed, the scenarios'
own, and checked: at every position the model computes what it would have said, and then reads what is prescribed. So
the work is as in a live session, and the same whatever a model has learnt. A turn with speech in its output counts to
``speaking``, any other to ``listening``; where the camera is on, to ``watching-speaking`` and ``watching``, in a second
session of a model that can see. The first turns, which fill caches, are left out.
"""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from microturn.engine.ladder import Budget
from microturn.engine.step import Forced, RowIn, Runner
from microturn.errors import MicroturnError
from microturn.evals import metric
from microturn.evals.metric import FRACTION, Metric, Metrics
from microturn.evals.playbook import Play
from microturn.evals.report import SuiteReport
from microturn.features.sequence import output_text_tokens
from microturn.features.tokenizer import Tokenizer
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import TURN_MS
from microturn.turns.trace import TurnTrace

PHASES = ("features_ms", "prefill_ms", "decode_ms", "flow_ms", "vocoder_ms")
NUM_WARM_UP_TURNS = 25
_SCENARIOS = ("count-aloud", "repeat-after-me", "count-aloud", "not-for-me")
"""What the session goes through, again and again: about as much speaking as listening."""
_WATCHED_SCENARIOS = ("commentary", "look-and-say", "count-repetitions", "tell-when")
"""The same before a camera."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnCost:
    """What one micro-turn cost."""

    turn_ms: float
    is_speaking: bool
    is_watching: bool = False
    trace: TurnTrace


Request = tuple[MicroTurnInput, Forced | None]
"""What the model hears, and what it is to answer; None lets it answer as it likes."""


def bench_turns(runner: Runner, requests: Sequence[Request], budget: Budget | None = None) -> list[TurnCost]:
    """Runs one session alone and times every step."""
    budget = budget or Budget()
    slot = runner.open(seed=0)
    costs: list[TurnCost] = []
    gc.collect()
    try:
        for turn, forced in requests:
            costs.append(timed_step(runner, RowIn(slot=slot, input=turn, forced=forced), budget))
    finally:
        runner.release(slot)
    return costs[min(NUM_WARM_UP_TURNS, len(costs) // 2) :]


def timed_step(runner: Runner, row: RowIn, budget: Budget) -> TurnCost:
    """Runs one micro-turn of one session."""
    start_s = time.perf_counter()
    done = runner.step([row], budget)[0]
    turn_ms = (time.perf_counter() - start_s) * 1000
    return TurnCost(
        turn_ms=turn_ms,
        is_speaking=done.output.mel is not None,
        is_watching=bool(row.input.frames),
        trace=done.trace,
    )


def long_session(
    play: Play, num_turns: int, tokenizer: Tokenizer, seed: int = 0, *, is_watched: bool = False
) -> list[Request]:
    """Scenarios one after the other, as one session of so many turns, with the replies prescribed.

    ``is_watched``: scenarios of sight, with the camera on in most of the turns.
    """
    scenarios = _WATCHED_SCENARIOS if is_watched else _SCENARIOS
    requests: list[Request] = []
    number = 0
    while len(requests) < num_turns:
        episode = play(scenarios[number % len(scenarios)], seed + number)
        first = len(requests)
        requests += [
            (
                replace(turn, index=first + k),
                Forced(
                    tokens=tuple(output_text_tokens(output, tokenizer)),
                    output=replace(output, index=first + k),
                    is_checked=True,
                ),
            )
            for k, (turn, output) in enumerate(zip(episode.inputs, episode.outputs, strict=True))
        ]
        number += 1
    return requests[:num_turns]


def turn_reports(costs: Sequence[TurnCost]) -> dict[str, SuiteReport]:
    """The suites ``listening`` and ``speaking`` of the turns without a picture."""
    return _reports([cost for cost in costs if not cost.is_watching], "listening", "speaking")


def watching_reports(costs: Sequence[TurnCost]) -> dict[str, SuiteReport]:
    """The suites ``watching`` and ``watching-speaking`` of the turns with a picture."""
    return _reports([cost for cost in costs if cost.is_watching], "watching", "watching-speaking")


def _reports(costs: Sequence[TurnCost], silent: str, speaking: str) -> dict[str, SuiteReport]:
    return {
        silent: SuiteReport(metrics=_turn_metrics([cost for cost in costs if not cost.is_speaking])),
        speaking: SuiteReport(metrics=_turn_metrics([cost for cost in costs if cost.is_speaking])),
    }


def start_report(command: Sequence[str], num_starts: int = 3) -> SuiteReport:
    """The suite ``start``: fresh processes, each until its first micro-turn is answered."""
    return SuiteReport(metrics={"cold_start_ms": metric.median([_start_ms(command) for _ in range(num_starts)])})


def cold_start_command(model: str) -> list[str]:
    """What ``start_report`` runs."""
    return [sys.executable, "-m", "microturn.evals.cold_start", model]


def load() -> str:
    """How busy the machine was, so that a timing can be judged."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _turn_metrics(costs: Sequence[TurnCost]) -> Metrics:
    turn_ms = [cost.turn_ms for cost in costs]
    p99 = metric.percentile(turn_ms, 99)
    share = None if p99.value is None else p99.value / TURN_MS
    return {
        "turn_ms_p50": metric.percentile(turn_ms, 50),
        "turn_ms_p99": p99,
        "turn_share_p99": Metric(value=share, count=p99.count, unit=FRACTION, note="of the micro-turn's 200 ms"),
        **dict(_phase_metrics(costs)),
    }


def _phase_metrics(costs: Sequence[TurnCost]) -> Iterator[tuple[str, Metric]]:
    for phase in PHASES:
        values: list[float] = [getattr(cost.trace, phase) for cost in costs]
        yield f"{phase}_p50", metric.percentile(values, 50)
        yield f"{phase}_p99", metric.percentile(values, 99)


def _start_ms(command: Sequence[str]) -> float:
    """Until the process writes its first line."""
    start_s = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "its output was asked for"
        line = process.stdout.readline()
        start_ms = (time.perf_counter() - start_s) * 1000
        _, errors = process.communicate()
    if process.returncode or not line:
        last = (errors.strip().splitlines() or ["no message"])[-1]
        raise MicroturnError(f"a fresh process answered no micro-turn ({last}): run {' '.join(command)} to see why")
    return start_ms
