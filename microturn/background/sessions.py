"""What the coordinator keeps for one session."""

import asyncio
import datetime
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from microturn.background.functions import Application
from microturn.background.grants import Grants
from microturn.background.jobs import DropReason, Job, JobState
from microturn.background.ledger import StoredTimer
from microturn.background.limits import Budget
from microturn.background.package import EarlierResult
from microturn.background.timers import Timers
from microturn.errors import CapacityError, SessionClosedError
from microturn.turns.background import Report

MAX_HELD_REPORTS = 64
"""Reports that wait for a client that is away, or for room in the engine; the oldest is dropped."""

Deliver = Callable[[Report], None]
"""Raises CapacityError or SessionClosedError for a report that has to wait."""
Observe = Callable[[Job], None]
ObserveTools = Callable[[], None]
OnTold = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptSession:
    """What outlasts a session's being let go, should it come back."""

    budget: Budget
    grants: Grants


@dataclass(eq=False, kw_only=True)
class BackgroundSession:
    """One session's jobs, reports, timers, permissions and budget."""

    session_id: str
    grants: Grants
    budget: Budget
    locale: str = "en"
    zone: datetime.tzinfo | None = None
    """Where the user is; None for where the server is."""
    jobs: dict[int, Job] = field(default_factory=dict[int, Job])
    """By number, oldest first."""
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict[int, "asyncio.Task[None]"])
    """Of the jobs that are not over."""
    dropped: Counter[DropReason] = field(default_factory=Counter[DropReason])
    application: Application = field(default_factory=Application)
    """What the client's application brings."""
    has_page: bool = True
    """The user sees whole answers, of which only the beginning is said."""
    timers: Timers = field(init=False)
    _deliver: Deliver | None = None
    _observe: Observe | None = None
    _observe_tools: ObserveTools | None = None
    _held: deque[tuple[Report, OnTold]] = field(
        default_factory=lambda: deque[tuple[Report, OnTold]](maxlen=MAX_HELD_REPORTS)
    )

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens."""
        return self._deliver is not None

    def __post_init__(self) -> None:
        self.grants.on_change = self.show_tools

    def listen(self, deliver: Deliver, observe: Observe | None, observe_tools: ObserveTools | None = None) -> None:
        """Somebody is there: hand over what was held, and everything from now on."""
        self._deliver, self._observe, self._observe_tools = deliver, observe, observe_tools
        self.hand_over()

    def hold(self) -> None:
        """Nobody is there for a while: hold reports back."""
        self._deliver = self._observe = self._observe_tools = None

    def tell(self, report: Report, on_told: OnTold = lambda: None) -> None:
        """Hand a report to the interaction model, now or when it can take it; ``on_told`` is called once it has."""
        self._held.append((report, on_told))
        self.hand_over()

    def hand_over(self) -> None:
        """Hand over what is held, in order, as far as somebody is there and has room for it."""
        while self._deliver is not None and self._held:
            report, on_told = self._held[0]
            try:
                self._deliver(report)
            except (CapacityError, SessionClosedError):
                return
            self._held.popleft()
            on_told()

    def show(self, job: Job) -> None:
        """Let the page know of a change."""
        if self._observe is not None:
            self._observe(job)

    def show_tools(self) -> None:
        """Let the page know that something else may stand about a tool."""
        if self._observe_tools is not None:
            self._observe_tools()

    def withdraw_timer(self, timer: StoredTimer) -> None:
        """A timer was cancelled: the page no longer counts it down."""
        for job in self.jobs.values():
            kept = [shown for shown in job.timers if shown.timer_id != timer.timer_id]
            if len(kept) < len(job.timers):
                job.timers[:] = kept
                self.show(job)

    def results(self, before: Job) -> list[EarlierResult]:
        """What the other jobs found out, oldest first."""
        return [
            EarlierResult(job=job.number, question=job.question, text=job.text)
            for job in self.jobs.values()
            if job is not before and job.state.is_over and job.text
        ]

    def last_told(self) -> Job | None:
        """The job whose result, or reason for having none, was told last."""
        told = [job for job in self.jobs.values() if job.text and job.state in (JobState.DONE, JobState.FAILED)]
        return max(told, key=lambda job: job.ended_ns or 0, default=None)

    def forget_oldest(self, max_kept: int) -> None:
        """Forget jobs that are over, beyond so many."""
        over = [number for number, job in self.jobs.items() if job.state.is_over]
        for number in over[: max(0, len(self.jobs) - max_kept)]:
            del self.jobs[number]
