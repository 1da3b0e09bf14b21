"""What the benchmark counts; that its timings are good is nothing a test can say."""

import sys
from collections.abc import Sequence
from functools import partial

import pytest
from hand_made import MEL
from mute import play_mute

from microturn.data.stage import Stage
from microturn.engine.ladder import Budget
from microturn.engine.step import RowIn, RowOut
from microturn.errors import MicroturnError
from microturn.evals.bench import (
    NUM_WARM_UP_TURNS,
    bench_turns,
    long_session,
    start_report,
    turn_reports,
    watching_reports,
)
from microturn.features.tokenizer import Tokenizer
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.trace import TurnTrace

TOKENIZER = Tokenizer.train([" one two three"], 260)


class EveryThird:
    """A runner that speaks in every third turn."""

    model_hash = "none"

    def __init__(self) -> None:
        self.indices: list[int] = []
        self.open_slots: set[int] = set()

    def open(self, seed: int) -> int:
        self.open_slots.add(0)
        return 0

    def release(self, slot: int) -> None:
        self.open_slots.remove(slot)

    def step(self, rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        (row,) = rows
        self.indices.append(row.input.index)
        is_speaking = row.input.index % 3 == 0
        trace = TurnTrace(index=row.input.index, flow_ms=9.0 if is_speaking else 0.0)
        output = MicroTurnOutput(index=row.input.index, mel=MEL if is_speaking else None)
        return [RowOut(output=output, tokens=(), trace=trace)]


def test_turns_are_sorted_by_what_came_out() -> None:
    runner = EveryThird()
    costs = bench_turns(runner, long_session(play_mute, 325, TOKENIZER))
    assert runner.indices == list(range(325)), "scenarios follow each other as one session"
    assert not runner.open_slots
    assert len(costs) == 325 - NUM_WARM_UP_TURNS
    reports = turn_reports(costs)
    assert reports["speaking"].metrics["turn_ms_p99"].count == 100
    assert reports["listening"].metrics["turn_ms_p50"].count == 200
    assert reports["speaking"].metrics["flow_ms_p50"].value == 9.0
    assert reports["listening"].metrics["flow_ms_p50"].value == 0.0


def test_turns_with_a_picture_are_figures_of_their_own() -> None:
    costs = bench_turns(
        EveryThird(), long_session(partial(play_mute, stage_type=Stage), 300, TOKENIZER, is_watched=True)
    )
    assert any(not cost.is_watching for cost in costs)  # the camera goes off now and then
    reports = turn_reports(costs) | watching_reports(costs)
    counts = {name: report.metrics["turn_ms_p50"].count for name, report in reports.items()}
    assert counts["watching"] + counts["watching-speaking"] == sum(cost.is_watching for cost in costs) > 150
    assert sum(counts.values()) == len(costs)


def test_replies_are_prescribed_and_computed_all_the_same() -> None:
    requests = long_session(play_mute, 200, TOKENIZER)
    prescribed = [forced for _, forced in requests if forced is not None]
    assert len(prescribed) == 200
    assert all(forced.is_checked for forced in prescribed)
    assert any(forced.output is not None and forced.output.is_speaking for forced in prescribed)
    assert [forced.output.index for forced in prescribed if forced.output] == list(range(200))


def test_a_model_that_never_speaks_has_no_speaking_figures() -> None:
    costs = [cost for cost in bench_turns(EveryThird(), long_session(play_mute, 60, TOKENIZER)) if not cost.is_speaking]
    assert turn_reports(costs)["speaking"].metrics["turn_ms_p99"].value is None


def test_a_cold_start_is_a_fresh_process() -> None:
    report = start_report([sys.executable, "-c", "print(1)"], num_starts=2)
    assert report.metrics["cold_start_ms"].count == 2


def test_a_process_that_fails_to_start_is_quoted() -> None:
    with pytest.raises(MicroturnError, match="no such nano"):
        start_report([sys.executable, "-c", "raise SystemExit('no such nano')"], num_starts=1)
