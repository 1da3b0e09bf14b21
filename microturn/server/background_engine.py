"""Joins a background coordinator to an engine, so that every surface of the server has it without knowing.

It has the engine's own shape: acts that the interaction model writes are taken from the outputs as they pass and
submitted; what comes of them goes back in as text events. Sessions are known by a hash of their resume token, which
stays the same over connections and processes.
"""

import asyncio
import contextlib
import copy
import datetime
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from microturn.background.conversation import Conversation
from microturn.background.coordinator import Coordinator
from microturn.background.functions import Application
from microturn.background.grants import ToolStanding
from microturn.background.jobs import Job
from microturn.background.ledger import session_name
from microturn.background.permissions import Permission
from microturn.background.questions import Questions
from microturn.background.summaries import AGAIN_AFTER_TURNS, SUMMARISE_AT_SHARE, OldText, summary_event
from microturn.errors import CapacityError, JournalError, SessionClosedError
from microturn.server.engine_port import Engine, EngineSession
from microturn.server.log import log_event
from microturn.server.passing import PassingSession
from microturn.turns.background import Act, ActKind, Report, TurnActs
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent
from microturn.turns.timing import IN_SAMPLES_PER_TURN, turn_start_ms
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

MAX_CONVERSATIONS = 256
"""Kept for clients that may come back; the oldest is forgotten."""
FIRST_CLIENT_JOB = 900_000
"""Jobs that a client asks for are numbered from here on: far from the numbers that the interaction model gives."""


@dataclass(eq=False, kw_only=True)
class Record:
    """What is kept of a session over its connections."""

    conversation: Conversation = field(default_factory=Conversation)
    acts: TurnActs = field(default_factory=TurnActs)
    questions: Questions = field(default_factory=Questions)


class BackgroundEngine:
    """An engine whose sessions have a background model."""

    def __init__(self, engine: Engine, coordinator: Coordinator) -> None:
        self._engine = engine
        self._coordinator = coordinator
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._holders: dict[str, BackgroundEngineSession] = {}
        """Who speaks for a session: the latest that opened or resumed it."""

    async def open(self, instructions: str | None = None, seed: int | None = None) -> "BackgroundEngineSession":
        """Begin a conversation. Raises what the engine raises."""
        session = self._joined(await self._engine.open(instructions, seed))
        if instructions:
            session.note(TextEvent(role=Role.SYSTEM, text=instructions))
        return session

    async def resume(self, resume_token: str) -> "BackgroundEngineSession":
        """Go on with a conversation, and hear of what came of its jobs meanwhile. Raises what the engine raises."""
        session_id = _id_of(resume_token)
        # The engine ends the old connection's outputs before it answers: from now on that one ends nothing here.
        before = self._holders.pop(session_id, None)
        try:
            session = await self._engine.resume(resume_token)
            if session_id not in self._records:  # another process held it
                self._records[session_id] = await _remembered(session)
        except BaseException as error:
            if before is not None and session_id not in self._holders:
                self._give_back(before, can_come_back=not isinstance(error, (JournalError, SessionClosedError)))
            raise
        return self._joined(session)

    async def fork(self, resume_token: str) -> "BackgroundEngineSession":
        """Begin a conversation where another one stands, without that one's jobs. Raises what the engine raises.

        What the client has said about tools goes along; what the user has allowed there does not.
        """
        session = await self._engine.fork(resume_token)
        origin_id = _id_of(resume_token)
        origin = self._records.get(origin_id)
        record = copy.deepcopy(origin) if origin is not None else await _remembered(session)
        self._records[_id_of(session.resume_token)] = record
        joined = self._joined(session)
        self._coordinator.inherit_rules(joined.session_id, origin_id)
        return joined

    def _joined(self, session: EngineSession) -> "BackgroundEngineSession":
        session_id = _id_of(session.resume_token)
        record = self._records.setdefault(session_id, Record())
        self._records.move_to_end(session_id)
        while len(self._records) > MAX_CONVERSATIONS:
            self._records.popitem(last=False)
        joined = BackgroundEngineSession(session, self._coordinator, session_id, record, self._let_go)
        self._holders[session_id] = joined
        return joined

    def _give_back(self, session: "BackgroundEngineSession", *, can_come_back: bool) -> None:
        """Nobody could take a session over: it is its old connection's again, or is left as that one has left it."""
        match session.left_for_good:
            case None:
                self._holders[session.session_id] = session
            case True if not can_come_back:
                self._records.pop(session.session_id, None)
                self._coordinator.detach(session.session_id, is_over=True)
            case _:
                self._coordinator.park(session.session_id)

    def _let_go(self, session: "BackgroundEngineSession", *, is_over: bool) -> bool:
        """A connection leaves its session. False where another one takes the session over, or has done so."""
        session.left_for_good = is_over
        if self._holders.get(session.session_id) is not session:
            return False
        del self._holders[session.session_id]
        if is_over:
            self._records.pop(session.session_id, None)
        return True


class LetGo(Protocol):
    """Called when a connection leaves a session. Returns whether the session was still its own."""

    def __call__(self, session: "BackgroundEngineSession", *, is_over: bool) -> bool: ...


def _id_of(resume_token: str) -> str:
    return session_name(hashlib.sha256(resume_token.encode()).digest())


class BackgroundEngineSession(PassingSession):
    """One conversation with a background model behind it.

    Args:
        let_go: Called when it is parked or over.
    """

    def __init__(
        self,
        session: EngineSession,
        coordinator: Coordinator,
        session_id: str,
        record: Record,
        let_go: LetGo,
    ) -> None:
        super().__init__(session)
        self._coordinator = coordinator
        self.session_id = session_id
        self._conversation = record.conversation
        self._let_go = let_go
        self._record = record
        self._turn = session.next_sample // IN_SAMPLES_PER_TURN
        self._summing: asyncio.Task[None] | None = None
        self._summary: TextEvent | None = None
        """Written, but the engine has had no room for it yet."""
        self._no_summary_before_turn = 0
        self._observers: list[Callable[[Job], None]] = []
        self._tool_observers: list[Callable[[], None]] = []
        self._is_for_others: Callable[[Act], bool] = lambda act: False
        self.left_for_good: bool | None = None
        """How its connection has left; None while it is there."""
        coordinator.attach(
            session_id,
            self._deliver,
            observe=self._show,
            observe_tools=self._show_tools,
            has_page=False,
            questions=record.questions,
        )

    def push_text(self, event: TextEvent) -> None:
        """Take in text. Raises what the engine raises."""
        super().push_text(event)
        self.note(event)

    def note(self, event: TextEvent) -> None:
        """Remember a text that the engine was given."""
        self._conversation.add_event(event, turn=self._turn)

    def push_frame(self, frame: VideoFrame) -> None:
        """Take in a picture."""
        super().push_frame(frame)
        self._conversation.add_frame(frame)

    async def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        """The engine's micro-turns; the acts in them are submitted as they pass."""
        async for output, trace in self._session.outputs():
            self._turn = output.index + 1
            self._conversation.add_output(output)
            if trace.kept_text_share >= SUMMARISE_AT_SHARE:
                self._begin_summary()
            num_malformed = self._record.acts.num_malformed
            for act in self._record.acts.read(output):
                if not self._is_for_others(act):
                    self._submit(act, trace.traceparent)
            if self._record.acts.num_malformed > num_malformed:
                log_event("act not understood", session=self.session_id, turn=output.index)
            self._push_summary()
            self._coordinator.hand_over(self.session_id)
            yield output, trace

    async def park(self) -> None:
        """End the outputs, but keep the state; jobs go on for a while."""
        self._end_summary()
        if self._let_go(self, is_over=False):
            self._coordinator.park(self.session_id)
        await super().park()

    async def close(self) -> None:
        """End the session and its jobs, unless another connection has taken it over."""
        self._end_summary()
        if self._let_go(self, is_over=True):
            self._coordinator.detach(self.session_id, is_over=True)
        await super().close()

    # For those who delegate, and for the page

    def leave_to_others(self, is_for_others: Callable[[Act], bool]) -> None:
        """From now on, acts of which this says True are somebody else's: the background does not take them."""
        self._is_for_others = is_for_others

    def ask(self, text: str) -> int:
        """Ask something that the interaction model has not asked; returns the number of the job."""
        taken = {job.number for job in self._coordinator.jobs(self.session_id)}
        number = next(each for each in count(FIRST_CLIENT_JOB) if each not in taken)
        self._submit(Act(kind=ActKind.ASK, job=number, text=text))
        return number

    @property
    def takes_instructions(self) -> bool:
        """Whether the background follows instructions of the client's application."""
        return self._coordinator.backend.package_policy.takes_instructions

    def equip(self, application: Application) -> None:
        """From now on the background uses what the client's application brings."""
        self._coordinator.equip(self.session_id, application)

    def give_output(self, call_id: str, output: str) -> bool:
        """What a function of the client's has given; False for a call that does not wait, or not any more."""
        return self._coordinator.give_output(self.session_id, call_id, output)

    def locate(self, locale: str | None, zone: datetime.tzinfo | None) -> tuple[str, datetime.tzinfo | None]:
        """The client says where its user is, as far as it is known; returns what counts from now on."""
        self._coordinator.locate(self.session_id, locale, zone)
        return self._coordinator.whereabouts(self.session_id)

    def observe(self, show: Callable[[Job], None], *, is_page: bool = False) -> None:
        """Call this with a job whenever something about it has changed, and now with those there are.

        Args:
            is_page: The user sees what is shown, so that answers may refer to it.
        """
        if is_page:
            self._coordinator.show_page(self.session_id)
        self._observers.append(show)
        for job in self._coordinator.jobs(self.session_id):
            show(job)

    def decide(self, job: int, *, is_allowed: bool) -> bool:
        """The user's word on the tool that a job asks for; False when it asks for none."""
        return self._coordinator.decide(self.session_id, job, is_allowed=is_allowed)

    def rule_tools(self, rules: Sequence[tuple[str, Permission]]) -> None:
        """The client says what stands about tools, by name or pattern. Raises CapacityError for too many rules."""
        self._coordinator.rule_tools(self.session_id, rules)

    def tool_standings(self) -> list[ToolStanding]:
        """Every tool that is known, and what stands about it here."""
        return self._coordinator.tool_standings(self.session_id)

    def observe_tools(self, show: Callable[[], None]) -> None:
        """Call this whenever ``tool_standings`` may give something else."""
        self._tool_observers.append(show)
        self._coordinator.explore_tools()

    def _show_tools(self) -> None:
        for show in self._tool_observers:
            show()

    def _show(self, job: Job) -> None:
        for show in self._observers:
            show(job)

    def _submit(self, act: Act, traceparent: str = "") -> None:
        self._record.questions.take_in(act)
        time_ms = turn_start_ms(max(0, self._turn - 1))
        self._coordinator.submit(self._conversation.request(self.session_id, act, time_ms, traceparent=traceparent))

    def _deliver(self, report: Report) -> None:
        self.push_text(report.to_event())

    # Summaries

    def _begin_summary(self) -> None:
        """The text that the model keeps nears its cap: have the oldest of it summarised, one summary at a time."""
        if self._summing is not None or self._turn < self._no_summary_before_turn:
            return
        old = self._conversation.oldest_half()
        self._no_summary_before_turn = self._turn + AGAIN_AFTER_TURNS
        if old is not None:
            self._summing = asyncio.create_task(self._sum_up(old))

    async def _sum_up(self, old: OldText) -> None:
        text = await self._coordinator.summarise(self.session_id, old)
        self._summing = None
        self._no_summary_before_turn = self._turn + AGAIN_AFTER_TURNS
        log_event("summary", session=self.session_id, turn=self._turn, drop_before_turn=old.drop_before_turn)
        self._summary = summary_event(old, text)
        self._push_summary()

    def _push_summary(self) -> None:
        """Hand over a summary; one that the engine has no room for waits for the next turn."""
        if self._summary is None:
            return
        with contextlib.suppress(CapacityError, SessionClosedError):
            self.push_text(self._summary)
            self._summary = None

    def _end_summary(self) -> None:
        """What was not handed over counts for nothing: a session that comes back begins anew."""
        if self._summing is not None:
            self._summing.cancel()
            self._summing = None


async def _remembered(session: EngineSession) -> Record:
    """The conversation so far, from the engine's journal; an empty one where that cannot be read.

    Acts that were whole were taken up when they were written; one that is not yet goes on.
    """
    try:
        past = await session.past()
    except JournalError as error:
        log_event("conversation not remembered", error=type(error).__name__)
        past = ()
    record = Record(conversation=Conversation(is_whole=bool(past) or session.next_sample == 0))
    for events, output in past:
        for event in events:
            record.conversation.add_event(event, turn=output.index)
        record.conversation.add_output(output)
        for act in record.acts.read(output):
            record.questions.take_in(act)
    return record
