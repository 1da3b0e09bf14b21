"""Micro-turns with and without jobs: the same work for both, and all jobs run while the second is timed."""

from dataclasses import replace

import numpy as np
import pytest

from microturn.engine.step import Forced, RowIn, RowOut
from microturn.evals.bench import TurnCost
from microturn.evals.jobs_bench import BLOCK_TURNS, Contention, Jobs, contend, contention_reports, talking_jobs
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace

NUM_JOBS = 3
SILENCE = np.zeros(IN_SAMPLES_PER_TURN, np.float32)


class Watcher:
    """A runner that notes how many jobs run while it steps."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.seen: list[tuple[int, int, int]] = []
        self.slots: list[int] = []

    def open(self, seed: int) -> int:
        self.slots.append(len(self.slots))
        return self.slots[-1]

    def release(self, slot: int) -> None:
        self.slots.remove(slot)

    def step(self, rows: list[RowIn], budget: object) -> list[RowOut]:
        (row,) = rows
        self.seen.append((row.slot, row.input.index, self.jobs.num_running))
        output, trace = MicroTurnOutput(index=row.input.index), TurnTrace(index=row.input.index)
        return [RowOut(output=output, tokens=(), trace=trace)]


async def test_both_sessions_get_the_same_turns_and_one_of_them_company():
    pytest.importorskip("pydantic_ai")
    requests = [(MicroTurnInput(index=k, audio=SILENCE), Forced()) for k in range(2 * BLOCK_TURNS)]
    async with talking_jobs(NUM_JOBS) as jobs:
        runner = Watcher(jobs)
        measured = await contend(runner, requests, jobs)  # type: ignore[arg-type]
        assert jobs.num_running == 0
    quiet, busy = ([seen for seen in runner.seen if seen[0] == slot] for slot in (0, 1))
    assert [index for _, index, _ in quiet] == [index for _, index, _ in busy] == list(range(2 * BLOCK_TURNS))
    assert {running for _, _, running in quiet} == {0}
    assert {running for _, _, running in busy} == {NUM_JOBS}
    assert runner.slots == []
    assert len(measured.quiet) == len(measured.busy) == 1, "the first block warms up"


def test_the_ratio_is_that_of_the_blocks():
    cost = TurnCost(turn_ms=10.0, is_speaking=False, trace=TurnTrace(index=0))
    blocks = [[cost] * 5, [replace(cost, turn_ms=20.0)] * 5]
    slower = [[replace(each, turn_ms=1.5 * each.turn_ms) for each in block] for block in blocks]
    reports = contention_reports(Contention(quiet=blocks, busy=slower), NUM_JOBS)
    assert reports["jobs-3"].metrics["turn_ms_ratio"].value == pytest.approx(1.5)
    assert reports["no-jobs"].metrics["turn_ms_p50"].value == pytest.approx(15)
