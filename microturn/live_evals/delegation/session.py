"""One session of delegation with everything real behind it: engine, coordinator, backend, each at its own pace."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from microturn.background.backend import Backend
from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer
from microturn.background.limits import JobLimits
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.tools import builtin_tools
from microturn.background.workbench import Workbench
from microturn.data.episode import Episode
from microturn.errors import CapacityError
from microturn.evals.exchange import Case
from microturn.evals.spoken import speaks
from microturn.live_evals.delegation import Arrival, LiveExchange
from microturn.live_evals.playing import live_outputs
from microturn.server.background_engine import BackgroundEngine, BackgroundEngineSession
from microturn.server.engine_port import Engine, EngineSession
from microturn.server.passing import PassingSession
from microturn.turns.background import parse_report
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN, TURN_MS, turn_start_ms

QUIET_TURNS = 25
"""An exchange is over when nothing is under way and nothing was said for so long."""
MAX_TURNS = 2_500
"""Longer than any job may take: what is not over then hangs."""
MAX_TRIES, TRY_AGAIN_AFTER_MS = 30, 1_000
"""For a session with an engine that has no room."""


async def run_row(
    cases: Sequence[Case],
    engine_for: Callable[[Episode], Engine],
    backend: Backend,
    *,
    limits: JobLimits | None = None,
    pace_ms: float = TURN_MS,
    at_once: int = 1,
    on_done: Callable[[LiveExchange], None] = lambda exchange: None,
) -> list[LiveExchange]:
    """Every case in a session of its own, so many at once, with the same backend behind them.

    Args:
        engine_for: The engine that answers an episode; a live one is the same for all.
    """
    places = asyncio.Semaphore(at_once)

    async def one(case: Case) -> LiveExchange:
        recorded = RecordedBackend(backend)
        async with places, Coordinator(recorded, builtin_tools(), limits=limits) as coordinator:
            exchange = await play_live(case, engine_for(case.episode), coordinator, recorded.asked, pace_ms=pace_ms)
        on_done(exchange)
        return exchange

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(case)) for case in cases]
    return [task.result() for task in tasks]


async def play_live(
    case: Case,
    engine: Engine,
    coordinator: Coordinator,
    asked: Sequence[str],
    *,
    pace_ms: float = TURN_MS,
    before: Callable[[int], Awaitable[None]] | None = None,
) -> LiveExchange:
    """One case, until everything that was asked is answered and told.

    Results that stand in the episode are left out: those that the background finds come in their place.

    Args:
        asked: What the coordinator's backend is given; read at the end.
        pace_ms, before: See ``live_outputs``.
    """
    noting = NotingEngine(engine, pace_ms=pace_ms)
    session = await _opened(BackgroundEngine(noting, coordinator))
    inputs = case.episode.inputs
    turns = live_outputs(session, inputs, pace_ms=pace_ms, before=before)
    answers: list[MicroTurnOutput] = []
    num_quiet = num_late = 0
    try:
        async with aclosing(turns):
            async for output, trace in turns:
                answers.append(output)
                num_late += trace.is_late
                is_working = any(not job.state.is_over for job in coordinator.jobs(session.session_id))
                num_quiet = 0 if is_working or speaks(output) else num_quiet + 1
                is_over = len(answers) >= len(inputs) and num_quiet >= QUIET_TURNS
                if is_over or len(answers) >= MAX_TURNS:
                    break
    finally:
        await session.close()
    return LiveExchange(
        case=case,
        outputs=answers,
        arrivals=noting.arrivals,
        asked=tuple(asked),
        num_late_turns=num_late,
    )


async def _opened(engine: BackgroundEngine) -> BackgroundEngineSession:
    """A session, once there is room: an engine's very first micro-turns are slow, and it takes nobody in meanwhile."""
    for _ in range(MAX_TRIES):
        with contextlib.suppress(CapacityError):
            return await engine.open()
        await asyncio.sleep(TRY_AGAIN_AFTER_MS / 1000)
    return await engine.open()


@dataclass
class RecordedBackend:
    """Another backend, for one session: what it is asked is written down. Closing it closes nothing."""

    inner: Backend
    asked: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        """For logs and the page."""
        return self.inner.name

    @property
    def package_policy(self) -> PackagePolicy:
        """How large a context package it can take."""
        return self.inner.package_policy

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        """See ``Backend``."""
        self.asked.append(package.question)
        return await self.inner.answer(package, bench)

    async def close(self) -> None:
        """Nothing: other sessions use it, too."""


class NotingEngine:
    """An engine whose sessions write down which reports they are handed, and at which media time.

    Args:
        pace_ms: Wall time of a micro-turn, which places a report within one; 0 places it at the start.
    """

    def __init__(self, engine: Engine, *, pace_ms: float = TURN_MS) -> None:
        self._engine = engine
        self._pace_ms = pace_ms
        self.arrivals: list[Arrival] = []

    async def open(self, instructions: str | None = None, seed: int | None = None) -> EngineSession:
        """Begin a conversation. Raises what the engine raises, like all that follows."""
        return self._noting(await self._engine.open(instructions, seed))

    async def resume(self, resume_token: str) -> EngineSession:
        """Go on with a conversation."""
        return self._noting(await self._engine.resume(resume_token))

    async def fork(self, resume_token: str) -> EngineSession:
        """Begin a conversation where another one stands."""
        return self._noting(await self._engine.fork(resume_token))

    def _noting(self, session: EngineSession) -> EngineSession:
        return _NotingSession(session, self.arrivals, self._pace_ms)


class _NotingSession(PassingSession):
    """A session that passes everything on, and writes reports down."""

    def __init__(self, session: EngineSession, arrivals: list[Arrival], pace_ms: float) -> None:
        super().__init__(session)
        self._arrivals = arrivals
        self._pace_ms = pace_ms
        self._num_turns = session.next_sample // IN_SAMPLES_PER_TURN
        self._turn_began_s = time.perf_counter()

    def push_audio(self, chunk: PcmChunk) -> None:
        self._num_turns, self._turn_began_s = chunk.end_sample // IN_SAMPLES_PER_TURN, time.perf_counter()
        super().push_audio(chunk)

    def push_text(self, event: TextEvent) -> None:
        super().push_text(event)
        if event.role is Role.TOOL:
            self._arrivals.append(Arrival(report=parse_report(event.text), time_ms=self._now_ms()))

    def _now_ms(self) -> float:
        """Media time: within the turn whose sound has not been handed over yet, however long that takes."""
        past_ms = (time.perf_counter() - self._turn_began_s) * 1000
        share = past_ms / self._pace_ms if self._pace_ms else 0.0
        return turn_start_ms(self._num_turns) + min(share * TURN_MS, TURN_MS - 1.0)
