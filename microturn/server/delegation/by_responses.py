"""Delegation to a Responses backend of this server: its background model, and functions that the client offers.

What the interaction model asks for is a job of the background model, which may call the client's functions. Where there
is none, a request becomes the call of the function that its plain words mean. Either way the client sees the stream of
a response.
"""

import contextlib
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from openai.types.live import (
    DelegationCreatedEvent,
    ResponseCreateEvent,
    ResponseItemCreateEvent,
    SessionUpdateConfig,
)
from openai.types.live.delegation_created_event import Delegation as DelegationResource

from microturn.background import weaving
from microturn.background.functions import Application, Function
from microturn.background.jobs import Job, JobState
from microturn.errors import CapacityError, ProtocolError, SessionClosedError
from microturn.server.audience import Audience
from microturn.server.background_engine import BackgroundEngineSession
from microturn.server.channel import ClientGoneError
from microturn.server.delegation.owner import MAX_DELEGATIONS, client_report
from microturn.server.delegation.response_stream import ResponseStream
from microturn.server.engine_port import EngineSession
from microturn.server.function_calls import FunctionCall, call_in_words, functions_of
from microturn.server.limits import Limits
from microturn.server.session_setup import (
    SessionSetup,
    checked_instructions,
    functions_among,
    require_same_delegation,
)
from microturn.turns.background import Act, ActKind, Report, ReportKind
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import turn_start_ms

MAX_WAITING_ITEMS = 16
"""Items that the client has added since its last ``response.create``."""
_NOBODY = "Nobody here can do that."


@dataclass(eq=False)
class _Followed:
    """A job of the background, and the response that stands for it."""

    job: Job
    delegation_id: str
    stream: ResponseStream | None
    """None while the client carries out a function, and after it: that ended the response."""
    is_working: bool = False


@dataclass(kw_only=True)
class ResponsesDelegation:
    """The Responses backend of one session.

    Args:
        setup: Holds what is kept when the connection is lost, too: acts, calls and questions that are not done with.
    """

    audience: Audience
    engine_session: EngineSession
    setup: SessionSetup
    limits: Limits
    _followed: OrderedDict[int, _Followed] = field(default_factory=OrderedDict[int, _Followed])
    """By number of the job."""

    def __post_init__(self) -> None:
        self._calls, self._questions = self.setup.calls, self.setup.questions
        self._background = self.engine_session if isinstance(self.engine_session, BackgroundEngineSession) else None
        if self._background is not None:
            self._equip(self._background)
            self._background.observe(self._follow)

    # From the model

    def take_in(self, output: MicroTurnOutput) -> None:
        """Where there is no background, acts are for the client's functions, or for nobody."""
        for act in self.setup.acts.read(output):
            if self._background is None:
                self._carry_to_function(act, turn_start_ms(output.index))

    def _carry_to_function(self, act: Act, offset_ms: int) -> None:
        before: tuple[str, ...] = ()
        for call_id in [each for each, call in self._calls.items() if call.job == act.job]:
            before = self._calls.pop(call_id).words
        if act.kind is ActKind.CANCEL or (act.kind is ActKind.AMEND and not before):
            return
        words = (*before, act.text) if act.kind is ActKind.AMEND else (act.text,)
        found = call_in_words(self._functions, words)
        delegation_id, stream = self._delegate(offset_ms)
        if found is None:
            stream.fail(_NOBODY)
            with contextlib.suppress(ProtocolError):  # The model has more to read than it can: it goes without.
                self._report(weaving.failure(act.job, _NOBODY))
            return
        call_id = f"call_{stream.response_id}"
        self._note_call(call_id, FunctionCall(job=act.job, words=words, delegation_id=delegation_id))
        stream.complete_with_call(*found, call_id)

    def _note_call(self, call_id: str, call: FunctionCall) -> None:
        self._calls[call_id] = call
        if len(self._calls) > MAX_DELEGATIONS:
            self._calls.popitem(last=False)

    # From the background

    def _follow(self, job: Job) -> None:
        """A job has changed. The client's troubles are noticed by its own tasks."""
        with contextlib.suppress(ClientGoneError):
            followed = self._followed.get(job.number)
            if followed is None or followed.job is not job:
                if job.state.is_over:
                    return  # It ended while nobody was here.
                followed = self._followed[job.number] = _Followed(job, *self._delegate(job.request.time_ms))
                if len(self._followed) > MAX_DELEGATIONS:
                    self._followed.popitem(last=False)
            self._tell(followed)

    def _tell(self, followed: _Followed) -> None:
        job = followed.job
        if not job.state.is_over:
            if job.state is not JobState.WAITING and followed.stream is not None and not followed.is_working:
                followed.is_working = True
                followed.stream.progress()
            self._tell_calls(followed)
            return
        self._followed.pop(job.number, None)
        for call_id in [each for each, call in self._calls.items() if call.is_of_background and call.job == job.number]:
            del self._calls[call_id]
        if job.state is JobState.CANCELLED and followed.stream is None:
            return
        stream = followed.stream or self._new_stream(followed.delegation_id)
        if job.state is JobState.DONE:
            stream.complete_with_text(job.text)
        elif job.state is JobState.FAILED:
            stream.fail(job.text)
        else:
            stream.cancel()

    def _tell_calls(self, followed: _Followed) -> None:
        """Each ends the response that is under way; the client's output begins the next."""
        for call in followed.job.calls.values():
            if call.is_told:
                continue
            call.is_told = True
            noted = FunctionCall(job=followed.job.number, delegation_id=followed.delegation_id, is_of_background=True)
            self._note_call(call.call_id, noted)
            stream = followed.stream or self._new_stream(followed.delegation_id)
            followed.stream = None
            stream.complete_with_call(call.name, call.arguments, call.call_id)

    # From the client

    def job_of(self, delegation_id: str) -> int:
        """The client does not answer these delegations."""
        raise ProtocolError(
            "delegations of this session are answered by its Responses backend: set delegation_id to null",
            code="unknown_delegation",
            param="delegation_id",
        )

    def update(self, session: SessionUpdateConfig) -> None:
        """Change the functions that the client offers, and what its application tells the background model."""
        if session.delegation is None:
            return
        require_same_delegation(session.delegation.type, "responses")
        wanted: Any = getattr(session.delegation, "responses", None)
        config: Any = self.setup.resource.delegation
        if wanted is not None and wanted.tools is not None:
            config.responses.tools = functions_among(wanted.tools)
        if self._background is not None:
            if wanted is not None and wanted.instructions is not None and self._background.takes_instructions:
                config.responses.instructions = checked_instructions(wanted.instructions, self.limits)
            self._equip(self._background)

    def _equip(self, background: BackgroundEngineSession) -> None:
        config: Any = self.setup.resource.delegation
        instructions: str | None = config.responses.instructions
        background.equip(Application(functions=self._functions, instructions=instructions or ""))

    def carry_out(self, event: ResponseItemCreateEvent | ResponseCreateEvent) -> None:
        """Take an item in, or answer those that wait."""
        if isinstance(event, ResponseItemCreateEvent):
            self._add_item(event.item)
            return
        answered = [call_id for call_id, call in self._calls.items() if call.output is not None]
        if not answered and not self._questions:
            raise ProtocolError(
                "no item waits for a response: send response.item.create first", code="no_item", param="type"
            )
        for call_id in answered:
            self._tell_output(call_id)
        if self._questions:
            self._ask_background(" ".join(self._questions))
            self._questions.clear()

    def _add_item(self, item: Any) -> None:
        kind = getattr(item, "type", None) or "message"
        if kind == "function_call_output":
            call = self._calls.get(item.call_id)
            if call is None or call.output is not None:
                raise ProtocolError(
                    f"no function call waits under the id {str(item.call_id)[:60]!r}: use a call_id of ours",
                    code="unknown_call",
                    param="item.call_id",
                )
            call.output = self._bounded(item.output)
        elif kind == "message" and getattr(item, "role", None) == "user":
            if len(self._questions) >= MAX_WAITING_ITEMS:
                raise ProtocolError(
                    f"{MAX_WAITING_ITEMS} items wait already: send response.create", code="too_many_items", param="item"
                )
            self._questions.append(self._bounded(item.content))
        else:
            raise ProtocolError(
                f"items of type {str(kind)[:60]!r} are not taken: send user messages and function outputs",
                code="unsupported",
                param="item.type",
            )

    def _bounded(self, content: Any) -> str:
        parts: Any = [content] if isinstance(content, str) else content
        text = " ".join(each if isinstance(each, str) else getattr(each, "text", None) or "" for each in parts).strip()
        if not 0 < len(text) <= self.limits.max_context_chars:
            raise ProtocolError(
                f"the item holds {len(text)} characters of text: send 1 to {self.limits.max_context_chars}",
                code="invalid_value",
                param="item",
            )
        return text

    # Inside

    def _tell_output(self, call_id: str) -> None:
        """What the client's function gave: whoever waits for it is told, and the response goes on with it.

        The call is forgotten once the model has it: a refusal leaves it for the next ``response.create``.
        """
        call = self._calls[call_id]
        if call.is_of_background:
            del self._calls[call_id]
            self._go_on(call_id, call)
            return
        self._report(client_report(ReportKind.DONE, call.job, call.output or ""))
        del self._calls[call_id]
        stream = self._new_stream(call.delegation_id)
        stream.progress()
        stream.complete_with_text(call.output or "")

    def _go_on(self, call_id: str, call: FunctionCall) -> None:
        """A job of the background goes on with the output."""
        if self._background is None or not self._background.give_output(call_id, call.output or ""):
            raise ProtocolError(
                f"nobody waits for the call {call_id!r} any more: it took too long, or was cancelled",
                code="unknown_call",
                param="type",
            )
        followed = self._followed.get(call.job)
        if followed is not None and followed.stream is None:
            followed.stream, followed.is_working = self._new_stream(call.delegation_id), True
            followed.stream.progress()

    def _ask_background(self, question: str) -> None:
        if self._background is None:
            raise ProtocolError(
                "no background model answers here: start the server with --background", code="unsupported", param="type"
            )
        self._background.ask(question)

    def _report(self, report: Report) -> None:
        try:
            self.engine_session.push_text(report.to_event())
        except (CapacityError, SessionClosedError, ValueError) as error:
            raise ProtocolError(str(error), code="text_refused") from None

    def _delegate(self, offset_ms: int) -> tuple[str, ResponseStream]:
        """Tell of a new delegation, and begin its response."""
        response_id = self._new_response_id()
        delegation_id = f"delegation_{response_id.removeprefix('resp_')}"
        self.audience.send(
            DelegationCreatedEvent(
                type="session.delegation.created",
                event_id=self.audience.new_event_id(),
                delegation=DelegationResource(
                    type="delegation", id=delegation_id, target="responses", response_id=response_id
                ),
                offset_ms=offset_ms,
            )
        )
        return delegation_id, ResponseStream(self.audience, response_id, delegation_id, self._model)

    def _new_stream(self, delegation_id: str) -> ResponseStream:
        return ResponseStream(self.audience, self._new_response_id(), delegation_id, self._model)

    def _new_response_id(self) -> str:
        return f"resp_{uuid.uuid4().hex}"

    @property
    def _functions(self) -> tuple[Function, ...]:
        config: Any = self.setup.resource.delegation
        return functions_of(config.responses.tools or [])

    @property
    def _model(self) -> str:
        config: Any = self.setup.resource.delegation
        return config.responses.model
