"""``bench engine --jobs N``: whether jobs of the background slow the interaction model's micro-turns down.

As in a server, the model's steps run in a thread of their own while the event loop of the same process holds N jobs,
each of which reads a stream of a language model (an endpoint in another process, at the pace of a hosted one). Two
sessions are given the same micro-turns, block by block: one while nothing else runs, the other while all N jobs do. So
the work is the same, and whatever else slows the machine down for a while slows both down.
"""

import asyncio
import statistics
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from microturn.background.coordinator import Coordinator
from microturn.background.jobs import JobState
from microturn.background.limits import BudgetLimits, JobLimits
from microturn.engine.ladder import Budget
from microturn.engine.step import RowIn, Runner
from microturn.errors import MicroturnError
from microturn.evals import metric
from microturn.evals.bench import NUM_WARM_UP_TURNS, Request, TurnCost, timed_step
from microturn.evals.metric import Metric
from microturn.evals.report import SuiteReport
from microturn.turns.background import Act, ActKind, BackgroundRequest

BLOCK_TURNS = 25
_SESSION = "bench"
_START_WITHIN_S = 60.0


@dataclass(kw_only=True)
class Contention:
    """What the same micro-turns cost without and with jobs, block by block."""

    quiet: list[list[TurnCost]] = field(default_factory=list[list[TurnCost]])
    busy: list[list[TurnCost]] = field(default_factory=list[list[TurnCost]])

    @property
    def ratios(self) -> list[float]:
        """With jobs over without, of each block's median."""
        return [_median_ms(busy) / _median_ms(quiet) for quiet, busy in zip(self.quiet, self.busy, strict=True)]


async def contend(
    runner: Runner, requests: Sequence[Request], jobs: "Jobs", budget: Budget | None = None
) -> Contention:
    """Time the blocks of a session without and with jobs.

    Raises:
        MicroturnError: the jobs do not come to run.
    """
    measured = Contention()
    slots = runner.open(seed=0), runner.open(seed=0)
    blocks = [requests[first : first + BLOCK_TURNS] for first in range(0, len(requests), BLOCK_TURNS)]
    try:
        for number, block in enumerate(blocks):
            quiet = await asyncio.to_thread(_timed, runner, slots[0], block, budget)
            await jobs.begin()
            busy = await asyncio.to_thread(_timed, runner, slots[1], block, budget)
            jobs.end()
            if number * BLOCK_TURNS >= NUM_WARM_UP_TURNS:
                measured.quiet.append(quiet)
                measured.busy.append(busy)
    finally:
        for slot in slots:
            runner.release(slot)
    return measured


class Jobs:
    """So many jobs at once, begun and ended together."""

    def __init__(self, coordinator: Coordinator, count: int) -> None:
        self.count = count
        self._coordinator = coordinator
        self._num_asked = 0
        self._changed = asyncio.Event()
        coordinator.attach(_SESSION, lambda report: None, observe=lambda job: self._changed.set())

    async def begin(self) -> None:
        """Ask, and wait until all of them run. Raises MicroturnError when they do not."""
        for number in range(self.count):
            self._num_asked += 1
            act = Act(kind=ActKind.ASK, job=number, text="talk on and on")
            self._coordinator.submit(BackgroundRequest(session_id=_SESSION, act=act, time_ms=self._num_asked))
        try:
            async with asyncio.timeout(_START_WITHIN_S):
                while self.num_running < self.count:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise MicroturnError(
                f"only {self.num_running} of {self.count} jobs run: is the endpoint there, and does it stream?"
            ) from None

    @property
    def num_running(self) -> int:
        """Jobs that a backend works on."""
        return sum(job.state is JobState.RUNNING for job in self._coordinator.jobs(_SESSION))

    def end(self) -> None:
        """Nobody wants to know any more."""
        for number in range(self.count):
            self._num_asked += 1
            act = Act(kind=ActKind.CANCEL, job=number)
            self._coordinator.submit(BackgroundRequest(session_id=_SESSION, act=act, time_ms=self._num_asked))


@asynccontextmanager
async def talking_jobs(count: int) -> AsyncGenerator[Jobs, None]:
    """Jobs whose language model, in a process of its own, talks on and on.

    Raises:
        MicroturnError: it does not start.
    """
    from microturn.background.backends.agent import AgentBackend, EndpointConfig

    limits = JobLimits(max_running=count, max_running_per_session=count, max_waiting_per_session=count)
    async with talking_endpoint() as base_url:
        backend = AgentBackend(EndpointConfig(base_url=base_url, model="endless"))
        async with Coordinator(backend, limits=limits, budget=BudgetLimits(max_jobs=10**9)) as coordinator:
            yield Jobs(coordinator, count)


@asynccontextmanager
async def talking_endpoint() -> AsyncGenerator[str, None]:
    """Its address. Its standard input stays open: it ends when that closes, however this process dies."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "microturn.testing.endless_endpoint"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None, "its input was asked for"
    assert child.stdout is not None, "its output was asked for"
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            line = (await child.stdout.readline()).decode()
        if not line.startswith("listening "):
            raise MicroturnError(
                "the endpoint of the bench did not start: run python -m microturn.testing.endless_endpoint"
            )
        yield line.split()[1]
    finally:
        child.stdin.close()
        await child.wait()


def contention_reports(measured: Contention, count: int) -> dict[str, SuiteReport]:
    """The suites ``no-jobs`` and ``jobs-N``."""
    quiet = [cost.turn_ms for block in measured.quiet for cost in block]
    busy = [cost.turn_ms for block in measured.busy for cost in block]
    ratio = replace(metric.median(measured.ratios, unit="ratio"), note="of each block's median, with jobs over without")
    return {
        "no-jobs": SuiteReport(metrics=_both(quiet)),
        f"jobs-{count}": SuiteReport(metrics={**_both(busy), "turn_ms_ratio": ratio}),
    }


def _both(turn_ms: Sequence[float]) -> dict[str, Metric]:
    return {"turn_ms_p50": metric.percentile(turn_ms, 50), "turn_ms_p99": metric.percentile(turn_ms, 99)}


def _timed(runner: Runner, slot: int, block: Sequence[Request], budget: Budget | None) -> list[TurnCost]:
    return [
        timed_step(runner, RowIn(slot=slot, input=turn, forced=forced), budget or Budget()) for turn, forced in block
    ]


def _median_ms(costs: Sequence[TurnCost]) -> float:
    return statistics.median(cost.turn_ms for cost in costs)
