"""The coordinator: takes acts, runs jobs beside the conversation, and tells what comes of them.

It sees no engine and no model: requests come in as values, reports go out through a function. ``submit`` returns at
once; every job runs in a task of its own. A job that was cancelled, amended or replaced meanwhile is never told of,
but counted. See docs/background.md.
"""

import asyncio
import dataclasses
import datetime
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from microturn.background import weaving
from microturn.background.attempts import Attempts, told_reason
from microturn.background.backend import Backend
from microturn.background.catalog import ToolCatalog, ToolLister
from microturn.background.functions import Application
from microturn.background.grants import Grants, ToolStanding
from microturn.background.jobs import DropReason, Job, JobState
from microturn.background.ledger import Ledger
from microturn.background.limits import Budget, BudgetLimits, JobLimits
from microturn.background.permissions import Permission, PermissionPolicy, is_taken_back, spoken_decision
from microturn.background.places import Places, Priority
from microturn.background.questions import Questions
from microturn.background.repeats import asks_again
from microturn.background.secrets import Redactor
from microturn.background.sessions import BackgroundSession, Deliver, KeptSession, Observe, ObserveTools
from microturn.background.summaries import OldText, Summariser, excerpt, prompt_of
from microturn.background.timers import Timers
from microturn.background.tools.tool import AnyTool
from microturn.background.tracing import Tracing
from microturn.clock import Clock, SystemClock
from microturn.errors import CapacityError
from microturn.turns.background import ActKind, BackgroundRequest, Report

HELD_FOR_MS = 15 * 60_000
"""How long the jobs of a session whose client is away go on, and their reports are held."""

MAX_KEPT_SESSIONS = 4_096
"""Budgets and permissions of sessions that were let go and may come back; the oldest is forgotten."""

INTERRUPTED = "I was interrupted before I had the answer."
SHALL_I = f"{INTERRUPTED} Shall I try again?"
ASK_AGAIN = f"{INTERRUPTED} Ask me again if you still want it."
"""Where the question is not known any more."""

MAYBE_DONE = "An earlier attempt was interrupted and may have done its part: look before anything is changed"
"""What the next attempt is told of one whose traces are lost."""

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Coordinator:
    """Runs the jobs of all sessions. Use as ``async with Coordinator(backend) as coordinator``.

    Args:
        backend: Does the thinking; closed with the coordinator.
        tools: The built-in tools it may use.
        ledger: What outlives the process; in memory unless given. Closed with the coordinator.
        tracing: Draws spans of jobs; with the program's own provider unless given.
        now: The time, with its zone; the machine's unless given.
        pause: Waits so many seconds before another attempt.
    """

    def __init__(
        self,
        backend: Backend,
        tools: Sequence[AnyTool] = (),
        *,
        limits: JobLimits | None = None,
        budget: BudgetLimits | None = None,
        permissions: PermissionPolicy | None = None,
        ledger: Ledger | None = None,
        redactor: Redactor | None = None,
        tracing: Tracing | None = None,
        clock: Clock | None = None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.backend = backend
        self.tools = {tool.name: tool for tool in tools}
        self._limits = limits or JobLimits()
        self._budget_limits = budget or BudgetLimits()
        self._permissions = permissions or PermissionPolicy()
        self._ledger = ledger or Ledger()
        self._clock = clock or SystemClock()
        self._places = Places(self._limits.max_running, self._limits.max_running_per_session)
        self._sessions: dict[str, BackgroundSession] = {}
        self._kept: OrderedDict[str, KeptSession] = OrderedDict()
        """What sessions that were let go have spent, and what stands about their tools."""
        self._departures: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="microturn-ledger")
        self._redactor = redactor or Redactor()
        self._tracing = tracing or Tracing()
        self._catalog = ToolCatalog(tools, self._redactor)
        self._exploring: asyncio.Task[None] | None = None
        """Asks the backend for its tools; once it has told them, for good."""
        self._attempts = Attempts(
            backend,
            self.tools,
            self._limits,
            self._ledger,
            redactor=self._redactor,
            tracing=self._tracing,
            clock=self._clock,
            now=now,
            pause=pause,
            learn_tools=self._learn_tools,
        )
        self.dropped: Counter[DropReason] = Counter()
        """Acts and answers that were not wanted any more, by reason."""
        self.ended: Counter[JobState] = Counter()
        self.num_summaries = 0
        self.num_excerpts = 0
        """Summaries that no language model wrote."""

    async def __aenter__(self) -> "Coordinator":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- sessions --------------------------------------------------------------------------------------------

    def attach(
        self,
        session_id: str,
        deliver: Deliver,
        *,
        observe: Observe | None = None,
        observe_tools: ObserveTools | None = None,
        locale: str | None = None,
        zone: datetime.tzinfo | None = None,
        has_page: bool = True,
        questions: Questions | None = None,
    ) -> None:
        """Begin to serve a session, or go on with one whose client was away.

        Jobs that an earlier process left unfinished are told of as interrupted; they are run again only when the user
        says so, and only where the question is known.

        Args:
            session_id: The same after a resumption.
            deliver: Takes reports for the interaction model, on the event loop. One for which it raises CapacityError
                or SessionClosedError waits for ``hand_over``, or for the next to attach.
            observe: Takes a job whenever something about it has changed.
            observe_tools: Called whenever ``tool_standings`` may give something else.
            locale: The user's language and region; kept from before unless given.
            zone: The user's time zone; kept from before unless given, and the server's to begin with.
            has_page: Whether the user sees the whole of an answer somewhere.
            questions: What the session has asked so far.
        """
        if departure := self._departures.pop(session_id, None):
            departure.cancel()
        session = self._sessions.get(session_id)
        if session is None:
            kept = self._kept.pop(session_id, None)
            session = self._sessions[session_id] = BackgroundSession(
                session_id=session_id,
                grants=kept.grants if kept else Grants(self._permissions),
                budget=kept.budget if kept else Budget(self._budget_limits),
            )
            session.timers = self._timers(session)
            self._spawn(self._take_up(session, questions or Questions()))
        else:
            self._spawn(session.timers.start())
        session.has_page = has_page
        self.locate(session_id, locale, zone)
        session.listen(deliver, observe, observe_tools)

    def hand_over(self, session_id: str) -> None:
        """The interaction model may have room again: hand over the reports that wait for it."""
        if session := self._sessions.get(session_id):
            session.hand_over()

    def park(self, session_id: str) -> None:
        """The client is away and may come back: jobs go on for a while, reports are held."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.hold()
            loop = asyncio.get_running_loop()
            self._departures[session_id] = loop.call_later(HELD_FOR_MS / 1000, self.detach, session_id)

    def detach(self, session_id: str, *, is_over: bool = False) -> None:
        """Nobody listens any more: the session's jobs end, and nobody is told.

        Answers that were still held count as interrupted, and timers wait, should it be attached again.

        Args:
            is_over: It will not come back: its timers and notes go as well.
        """
        self._departures.pop(session_id, None)
        session = self._sessions.pop(session_id, None)
        if session is None:
            return
        session.hold()
        session.timers.stop()
        for job in session.jobs.values():
            if not job.state.is_over:
                self._stop(session, job, DropReason.SESSION_ENDED)
        if is_over:
            self._write(self._ledger.forget, session_id)
            return
        self._write(self._ledger.give_up, session_id)
        session.grants.set_aside()
        self._kept[session_id] = KeptSession(budget=session.budget, grants=session.grants)
        if len(self._kept) > MAX_KEPT_SESSIONS:
            self._kept.popitem(last=False)

    def jobs(self, session_id: str) -> list[Job]:
        """The jobs of a session that are still known, oldest first."""
        session = self._sessions.get(session_id)
        return list(session.jobs.values()) if session else []

    def decide(self, session_id: str, job: int, *, is_allowed: bool) -> bool:
        """The user's word on the tool that a job asks for; False when it asks for none."""
        session = self._sessions.get(session_id)
        return session is not None and session.grants.decide(job, is_allowed=is_allowed)

    def rule_tools(self, session_id: str, rules: Sequence[tuple[str, Permission]]) -> None:
        """The client of a session says what stands about tools there, by name or pattern; see ``Grants``.

        Raises:
            ValueError: the session is not attached.
            CapacityError: they would be too many.
        """
        self._attached(session_id).grants.rule(rules)

    def inherit_rules(self, session_id: str, origin_id: str) -> None:
        """A session begins with what another one's client has said about tools, as far as that is known."""
        origin = self._sessions.get(origin_id) or self._kept.get(origin_id)
        if origin is not None:
            self._attached(session_id).grants.inherit(origin.grants)

    def tool_standings(self, session_id: str) -> list[ToolStanding]:
        """Every tool that is known, and what stands about it in a session; none where it is not attached."""
        session = self._sessions.get(session_id)
        return session.grants.standings(self._catalog.tools(session.application.functions)) if session else []

    def explore_tools(self) -> None:
        """Somebody wants to know the tools: have the backend tell its own, in its time. Sessions hear of news."""
        if isinstance(self.backend, ToolLister) and self._exploring is None:
            self._exploring = self._spawn(self._explore(self.backend))

    async def _explore(self, backend: ToolLister) -> None:
        try:
            self._learn_tools(await backend.list_tools())
        except Exception as error:  # Programs and addresses of others: the next who asks tries again.
            self._exploring = None
            _log.warning("tools not listed", extra={"fields": {"error": type(error).__name__}})

    def _learn_tools(self, found: Mapping[str, str]) -> None:
        if self._catalog.learn(found):
            for session in self._sessions.values():
                session.show_tools()

    def locate(self, session_id: str, locale: str | None, zone: datetime.tzinfo | None) -> None:
        """Where the user of a session is, as far as it is said.

        Raises:
            ValueError: the session is not attached.
        """
        session = self._attached(session_id)
        session.locale = locale or session.locale
        session.zone = zone or session.zone

    def whereabouts(self, session_id: str) -> tuple[str, datetime.tzinfo | None]:
        """The user's locale and time zone, as far as they are known. Raises ValueError as ``locate`` does."""
        session = self._attached(session_id)
        return session.locale, session.zone

    def show_page(self, session_id: str) -> None:
        """From now on the user of a session sees whole answers on a page."""
        self._attached(session_id).has_page = True

    def equip(self, session_id: str, application: Application) -> None:
        """Let the jobs of a session, from the next attempt on, use what its client's application brings.

        Raises:
            ValueError: the session is not attached.
        """
        session = self._attached(session_id)
        session.application = application
        session.show_tools()

    def give_output(self, session_id: str, call_id: str, output: str) -> bool:
        """What a function of the client's has given; False for a call that does not wait, or not any more."""
        session = self._sessions.get(session_id)
        for job in session.jobs.values() if session else ():
            call = job.calls.get(call_id)
            if call is not None and not call.output.done():
                call.output.set_result(output)
                return True
        return False

    # --- acts ------------------------------------------------------------------------------------------------

    def submit(self, request: BackgroundRequest) -> None:
        """Take an act up and return at once. Whatever is wrong with it is told to the interaction model.

        Raises:
            ValueError: the session is not attached.
        """
        session = self._attached(request.session_id)
        match request.act.kind:
            case ActKind.ASK:
                self._ask(session, request)
            case ActKind.AMEND:
                self._amend(session, request)
            case ActKind.CANCEL:
                self._cancel(session, request.act.job)

    async def summarise(self, session_id: str, old: OldText) -> str:
        """Old text of a session, told shorter: by the backend, or in excerpts where that cannot or must not."""
        session = self._sessions.get(session_id)
        if session is not None and session.budget.tokens_left and isinstance(self.backend, Summariser):
            try:
                async with (
                    asyncio.timeout(self._limits.attempt_within_ms / 1000),
                    self._places.place(session_id, Priority.SUMMARY),
                ):
                    prompt = self._redactor.clean(prompt_of(old))
                    text = await self.backend.summarise(prompt, session.budget.spend_tokens)
                self.num_summaries += 1
                return self._redactor.clean(text)
            except Exception as error:  # Whatever breaks in a backend, the text must not be lost.
                _log.warning("no summary", extra={"fields": {"session": session_id, "error": type(error).__name__}})
        self.num_excerpts += 1
        return self._redactor.clean(excerpt(old))

    async def wait_until_idle(self) -> None:
        """Wait until every job that was submitted is over."""
        while tasks := [task for session in self._sessions.values() for task in session.tasks.values()]:
            await asyncio.wait(tasks)

    def describe(self) -> dict[str, Any]:
        """Counts, for metrics and health checks."""
        states = Counter(job.state for session in self._sessions.values() for job in session.jobs.values())
        return {
            "sessions": len(self._sessions),
            "waiting": states[JobState.WAITING],
            "running": states[JobState.RUNNING] + states[JobState.ASKING],
            "summaries": self.num_summaries,
            "excerpts": self.num_excerpts,
            **{f"ended_{state}": self.ended[state] for state in JobState if state.is_over},
            **{f"dropped_{reason}": self.dropped[reason] for reason in DropReason},
        }

    async def close(self) -> None:
        """End every job and let go of the backend. What was under way counts as interrupted at the next start."""
        for departure in self._departures.values():
            departure.cancel()
        for session in self._sessions.values():
            session.hold()
            session.timers.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sessions.clear()
        await self.backend.close()
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._ledger.close)

    def _attached(self, session_id: str) -> BackgroundSession:
        session = self._sessions.get(session_id)
        if session is None:
            raise ValueError(f"session {session_id!r} is not attached: call attach first")
        return session

    def _ask(self, session: BackgroundSession, request: BackgroundRequest) -> None:
        number = request.act.job
        earlier = session.jobs.get(number)
        if earlier and earlier.request.time_ms == request.time_ms and earlier.request.act == request.act:
            self._drop(session, DropReason.REPEATED)
            return
        if earlier and not earlier.state.is_over:
            self._stop(session, earlier, DropReason.REPLACED)
        num_unfinished = sum(not job.state.is_over for job in session.jobs.values())
        if num_unfinished >= self._limits.max_running_per_session + self._limits.max_waiting_per_session:
            session.tell(weaving.failure(number, "I have too many questions open already. Ask again in a moment."))
            return
        session.jobs.pop(number, None)
        self._begin(session, Job(request=request))

    def _amend(self, session: BackgroundSession, request: BackgroundRequest) -> None:
        number, words = request.act.job, request.act.text
        job = session.jobs.get(number)
        if job is None:
            session.tell(weaving.failure(number, "I do not know any more which question that was. Ask it again."))
            return
        decision = spoken_decision(words)
        if decision is not None and session.grants.is_pending(number):
            session.grants.decide(number, is_allowed=decision)
            return
        if is_taken_back(words) and not job.state.is_over:
            self._stop(session, job, DropReason.CANCELLED)
            session.tell(weaving.note(number, "stopped"))
            return
        if job.is_interrupted and (decision is not None or is_taken_back(words)):
            self._settle(session, job, request, is_wanted=bool(decision))
            return
        if decision is not None and not job.asks_back:
            session.tell(weaving.note(number, "nothing waits for a yes or no"))
            return
        if asks_again(words):
            session.tell(_said_again(job, has_page=session.has_page))
            return
        if not job.state.is_over:
            self._stop(session, job, DropReason.AMENDED)
        self._begin_anew(session, job, request, [*job.amendments, words])

    def _settle(self, session: BackgroundSession, job: Job, request: BackgroundRequest, *, is_wanted: bool) -> None:
        """The user has said whether a job that was interrupted is to be tried again."""
        job.is_interrupted = False
        if is_wanted:
            self._begin_anew(session, job, request, job.amendments)
        else:
            session.tell(weaving.note(job.number, "not tried again"))

    def _begin_anew(
        self, session: BackgroundSession, before: Job, request: BackgroundRequest, amendments: list[str]
    ) -> None:
        """Go on with a question in a job of its own: with what is known now, and what came of it before."""
        del session.jobs[before.number]
        job = Job(
            request=dataclasses.replace(request, act=before.request.act),
            amendments=amendments,
            priority=Priority.CORRECTION,
            timers=before.timers,
            deeds=before.deeds,
            answered=before.answered,
            earlier_answer=before.text if before.state is JobState.DONE else before.earlier_answer,
        )
        self._begin(session, job)

    def _cancel(self, session: BackgroundSession, number: int) -> None:
        job = session.jobs.get(number)
        if job and not job.state.is_over:
            self._stop(session, job, DropReason.CANCELLED)

    # --- jobs ------------------------------------------------------------------------------------------------

    def _begin(self, session: BackgroundSession, job: Job) -> None:
        job.began_ns = self._clock.now_ns()
        session.jobs[job.number] = job
        session.forget_oldest(self._limits.max_kept_per_session)
        session.tasks[job.number] = self._spawn(self._traced(session, job))
        session.show(job)

    async def _traced(self, session: BackgroundSession, job: Job) -> None:
        with self._tracing.job(job):
            await self._work(session, job)

    async def _work(self, session: BackgroundSession, job: Job) -> None:
        """A job from its claim to its end. Nothing that goes wrong here leaves it."""
        state = JobState.FAILED
        try:
            if not await self._written(
                self._ledger.claim, job.session_id, job.request.time_ms, job.number, job.act_key
            ):
                self._end(session, job, JobState.CANCELLED, "")
                self._drop(session, DropReason.REPEATED)
                return
            session.budget.spend_job()
            async with self._places.place(session.session_id, job.priority) as place:
                job.state = JobState.RUNNING
                session.show(job)
                text = await self._attempts.run(session, job, place)
            report = weaving.result(job.number, text, has_page=session.has_page)
            state = JobState.DONE
        except CapacityError as error:
            text = f"I cannot do that: {error}."
            report = weaving.failure(job.number, text)
        except Exception as error:  # The job's edge: whatever broke, the others go on.
            text = told_reason(error)
            report = weaving.failure(job.number, text, has_page=session.has_page)
            _log.warning(
                "job failed",
                extra={"fields": {"session": job.session_id, "job": job.number, "error": type(error).__name__}},
            )
        if session.jobs.get(job.number) is not job or job.state.is_over:
            return  # Its backend did not let itself be cancelled; that was counted when it was stopped.
        self._end(session, job, state, text)
        session.tell(report, lambda: self._write_end(job, state))

    def _write_end(self, job: Job, state: JobState | DropReason) -> None:
        self._write(self._ledger.end, job.session_id, job.request.time_ms, job.act_key, state)

    def _end(self, session: BackgroundSession, job: Job, state: JobState, text: str) -> None:
        job.state, job.text, job.partial = state, text, ""
        job.ended_ns = self._clock.now_ns()
        session.tasks.pop(job.number, None)
        self.ended[state] += 1
        session.show(job)

    def _stop(self, session: BackgroundSession, job: Job, reason: DropReason) -> None:
        """End a job whose answer is not wanted any more."""
        task = session.tasks.get(job.number)
        self._end(session, job, JobState.CANCELLED, "")
        if task is not None:
            task.cancel()
        self._drop(session, reason)
        self._write_end(job, reason)

    def _timers(self, session: BackgroundSession) -> Timers:
        return Timers(
            session.session_id,
            self._ledger,
            session.tell,
            on_cancelled=session.withdraw_timer,
            is_heard=lambda: session.is_heard,
        )

    async def _take_up(self, session: BackgroundSession, questions: Questions) -> None:
        """Tell of what an earlier process left behind, and set its timers again."""
        now_ns = self._clock.now_ns()
        for number in await self._written(self._ledger.take_interrupted, session.session_id):
            question = questions.get(number)
            if question is None or number in session.jobs:
                session.tell(weaving.failure(number, ASK_AGAIN))
                continue
            job = session.jobs[number] = Job(
                request=BackgroundRequest(session_id=session.session_id, act=question.act, time_ms=0),
                amendments=list(question.amendments),
                state=JobState.FAILED,
                text=SHALL_I,
                began_ns=now_ns,
                ended_ns=now_ns,
                deeds=[MAYBE_DONE],
                is_interrupted=True,
            )
            session.show(job)
            session.tell(weaving.failure(number, SHALL_I))
        await session.timers.start()

    async def _written(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Writes to the ledger off the event loop, one after the other: an end never overtakes its claim."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: write(*args, **kwargs))

    def _write(self, write: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """The same without waiting. Closing does not undo it: what the user took back stays taken back."""
        self._writer.submit(lambda: write(*args, **kwargs)).add_done_callback(_log_failure)

    def _drop(self, session: BackgroundSession, reason: DropReason) -> None:
        session.dropped[reason] += 1
        self.dropped[reason] += 1

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _said_again(job: Job, *, has_page: bool) -> Report:
    """What was told of a job last."""
    match job.state:
        case JobState.DONE:
            return weaving.result(job.number, job.text, has_page=has_page)
        case JobState.FAILED:
            return weaving.failure(job.number, job.text, has_page=has_page)
        case JobState.ASKING:
            return weaving.permission(job.number, job.asks_for)
        case _:
            return weaving.note(job.number, "there is no answer yet")


def _log_failure(written: Future[object]) -> None:
    if error := written.exception():
        _log.error("the ledger was not written", extra={"fields": {"error": type(error).__name__}})
