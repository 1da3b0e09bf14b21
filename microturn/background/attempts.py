"""Attempts at a job: context package, time-out, progress, permission, and another try after a passing failure."""

import asyncio
import datetime
import uuid
from collections.abc import Awaitable, Callable, Mapping

from microturn.background import weaving
from microturn.background.backend import Backend
from microturn.background.cards import take_cards
from microturn.background.functions import PendingCall
from microturn.background.jobs import BackendError, Job, JobState, ShownTimer
from microturn.background.ledger import Ledger, StoredTimer
from microturn.background.limits import JobLimits
from microturn.background.package import Surroundings, build_package
from microturn.background.partials import PartialAnswer
from microturn.background.permissions import Permission
from microturn.background.places import Place
from microturn.background.repeats import asks_again
from microturn.background.secrets import Redactor
from microturn.background.sessions import BackgroundSession
from microturn.background.tools.tool import AnyTool, ToolError, ToolScope
from microturn.background.tracing import Tracing
from microturn.background.waits import Waits
from microturn.background.workbench import Workbench
from microturn.clock import Clock
from microturn.turns.cards import TimerCard

_PROGRESS = ("I am still working on it.", "This takes a little longer.")


class Attempts:
    """Runs the attempts of every job."""

    def __init__(
        self,
        backend: Backend,
        tools: Mapping[str, AnyTool],
        limits: JobLimits,
        ledger: Ledger,
        *,
        redactor: Redactor,
        tracing: Tracing,
        clock: Clock,
        now: Callable[[], datetime.datetime],
        pause: Callable[[float], Awaitable[None]],
        learn_tools: Callable[[Mapping[str, str]], None],
    ) -> None:
        self._backend = backend
        self._tools = tools
        self._limits = limits
        self._ledger = ledger
        self._redactor = redactor
        self._tracing = tracing
        self._clock = clock
        self._now = now
        self._pause = pause
        self._learn_tools = learn_tools

    async def run(self, session: BackgroundSession, job: Job, place: Place) -> str:
        """Try until there is an answer.

        Raises:
            BackendError, ToolError, TimeoutError: there is none.
            CapacityError: the session's budget is used up.
        """
        if (again := self._said_again(session, job)) is not None:
            return again
        progress = asyncio.create_task(self._tell_progress(session, job))
        try:
            while True:
                job.num_attempts += 1
                try:
                    with self._tracing.attempt(self._backend.name, job.num_attempts):
                        return await self._once(session, job, place)
                except BackendError as error:
                    # What has changed something in the world is not done twice.
                    if not error.is_transient or job.has_acted or job.num_attempts >= self._limits.max_attempts:
                        raise
                session.budget.require_tokens()
                await self._pause(self._limits.first_backoff_ms * 2 ** (job.num_attempts - 1) / 1000)
        finally:
            progress.cancel()

    def _said_again(self, session: BackgroundSession, job: Job) -> str | None:
        """The last result, where just that is asked for and there is one: no backend needs to think of it."""
        can_point = bool(job.request.key_frames) and self._backend.package_policy.max_images > 0
        if not asks_again(job.question, can_point=can_point):
            return None
        last = session.last_told()
        if last is None:
            return None
        text, cards = take_cards(last.text)
        return text or (last.text if cards else None)

    async def _once(self, session: BackgroundSession, job: Job, place: Place) -> str:
        now = self._now() if session.zone is None else self._now().astimezone(session.zone)
        surroundings = Surroundings(now=now, locale=session.locale)
        package = build_package(
            job.request,
            question=job.question,
            deeds=job.deeds,
            earlier_answer=job.earlier_answer,
            results=session.results(before=job),
            surroundings=surroundings,
            policy=self._backend.package_policy,
            instructions=session.application.instructions,
            redactor=self._redactor,
        )
        partial = PartialAnswer(job, self._redactor, lambda: session.show(job), lambda: session.has_page)
        with partial:
            async with asyncio.timeout(self._limits.attempt_within_ms / 1000) as deadline:
                bench = self._bench(session, job, surroundings, Waits(deadline, place), partial)
                answer = await self._backend.answer(package, bench)
        bench.settle(answer)
        return self._redactor.clean(answer.text)

    def _bench(
        self,
        session: BackgroundSession,
        job: Job,
        surroundings: Surroundings,
        waits: Waits,
        partial: PartialAnswer,
    ) -> Workbench:
        asking = asyncio.Lock()  # one question at a time, also where a model calls several tools at once

        async def ask_user(tool: str, given: str, is_acting: bool) -> bool:
            async with asking:
                standing = session.grants.standing(tool, is_acting=is_acting)
                if standing is not Permission.ASK:
                    return standing is Permission.ALLOW  # said of the same tool while this call waited
                return await ask_now(tool, given, is_acting)

        async def ask_now(tool: str, given: str, is_acting: bool) -> bool:
            """The time in which the user thinks does not count."""
            job.state, job.asks_for, job.asks_with = JobState.ASKING, tool, given
            session.show(job)
            session.tell(weaving.permission(job.number, tool))
            try:
                async with waits.waiting():
                    within_ms = self._limits.permission_within_ms
                    return await session.grants.wait(job.number, tool, within_ms, is_acting=is_acting)
            finally:
                job.asks_for = job.asks_with = ""
                if not job.state.is_over:
                    job.state = JobState.RUNNING
                    session.show(job)

        async def ask_client(function: str, arguments: str) -> str:
            """The client's time does not count either."""
            call = PendingCall(
                call_id=f"call_{uuid.uuid4().hex}",
                name=function,
                arguments=arguments,
                output=asyncio.get_running_loop().create_future(),
            )
            job.calls[call.call_id] = call
            session.show(job)
            try:
                async with waits.waiting(), asyncio.timeout(self._limits.function_within_ms / 1000):
                    output = await call.output
            except TimeoutError:
                raise ToolError(f"{function} gave nothing within {self._limits.function_within_ms // 1000} s") from None
            finally:
                del job.calls[call.call_id]
            job.answered.add(function)
            return output

        def announce(tool: str) -> None:
            session.tell(weaving.note(job.number, f"using {tool.replace('_', ' ')}"))
            session.show(job)

        def show_timer(timer: StoredTimer, seconds: float) -> None:
            card = TimerCard(type="timer", title=timer.label[:120], seconds=seconds)
            job.timers.append(ShownTimer(timer_id=timer.timer_id, card=card, began_ns=self._clock.now_ns()))
            session.show(job)

        scope = ToolScope(
            session_id=session.session_id,
            job=job.number,
            surroundings=surroundings,
            timers=session.timers,
            ledger=self._ledger,
            show_timer=show_timer,
            timers_before=[shown.timer_id for shown in job.timers],
        )
        return Workbench(
            job,
            self._tools,
            scope=scope,
            grants=session.grants,
            budget=session.budget,
            redactor=self._redactor,
            tracing=self._tracing,
            announce=announce,
            ask_user=ask_user,
            functions=session.application.functions,
            ask_client=ask_client,
            learn_tools=self._learn_tools,
            write=partial.write,
        )

    async def _tell_progress(self, session: BackgroundSession, job: Job) -> None:
        """Let a long job hear of itself, less and less often."""
        for count in range(self._limits.max_progress):
            await asyncio.sleep(self._limits.progress_every_ms * 2**count / 1000)
            if job.state is JobState.RUNNING:
                session.tell(weaving.say(job.number, _PROGRESS[min(count, len(_PROGRESS) - 1)]))


def told_reason(error: Exception) -> str:
    """Why there is no answer, as it is said to the user. Unknown errors keep their details to themselves."""
    match error:
        case BackendError() | ToolError():
            return str(error)
        case TimeoutError():
            return "That took too long, so I gave up."
        case _:
            return "Something went wrong on my side."
