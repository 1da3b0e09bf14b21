"""Delegation to a Responses backend of this server: its background model, and functions that the client offers.

What the interaction model asks for becomes a call of the client's function where one fits (it needs one string and
nothing else); all else is a job of the background model. Either way the client sees the stream of a response.
"""

import contextlib
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openai.types.live import (
    DelegationCreatedEvent,
    FunctionTool,
    ResponseCreateEvent,
    ResponseItemCreateEvent,
    SessionUpdateConfig,
)
from openai.types.live.delegation_created_event import Delegation as DelegationResource

from microturn.background import weaving
from microturn.background.jobs import Job, JobState
from microturn.errors import CapacityError, ProtocolError, SessionClosedError
from microturn.server.audience import Audience
from microturn.server.background_engine import BackgroundEngineSession
from microturn.server.channel import ClientGoneError
from microturn.server.delegation.owner import MAX_DELEGATIONS, client_report
from microturn.server.delegation.response_stream import ResponseStream
from microturn.server.engine_port import EngineSession
from microturn.server.function_calls import FunctionCall, arguments_of
from microturn.server.session_setup import SessionSetup, require_same_delegation
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
    stream: ResponseStream
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
    max_chars: int
    """Length of an item's text."""
    _followed: OrderedDict[int, _Followed] = field(default_factory=OrderedDict[int, _Followed])
    """By number of the job."""

    def __post_init__(self) -> None:
        self._calls, self._questions = self.setup.calls, self.setup.questions
        self._background = self.engine_session if isinstance(self.engine_session, BackgroundEngineSession) else None
        if self._background is not None:
            self._background.leave_to_others(self._is_for_a_function)
            self._background.observe(self._follow)

    # From the model

    def take_in(self, output: MicroTurnOutput) -> None:
        """Look for acts that are not the background's."""
        for act in self.setup.acts.read(output):
            offset_ms = turn_start_ms(output.index)
            if self._is_for_a_function(act):
                self._carry_to_function(act, offset_ms)
            elif self._background is None and act.kind is ActKind.ASK:
                self._delegate(offset_ms)[1].fail(_NOBODY)
                with contextlib.suppress(ProtocolError):  # The model has more to read than it can: it goes without.
                    self._report(weaving.failure(act.job, _NOBODY))

    def _is_for_a_function(self, act: Act) -> bool:
        """Whether the client's functions take an act, or have taken what it changes."""
        if act.kind is ActKind.ASK:
            return self._function_for(act.text) is not None
        return any(call.job == act.job for call in self._calls.values())

    def _carry_to_function(self, act: Act, offset_ms: int) -> None:
        question = act.text
        for call_id in [each for each, call in self._calls.items() if call.job == act.job]:
            question = f"{self._calls.pop(call_id).question}; {act.text}" if act.kind is ActKind.AMEND else question
        found = self._function_for(question) if act.kind is not ActKind.CANCEL else None
        if found is None:
            return
        tool, arguments = found
        delegation_id, stream = self._delegate(offset_ms)
        call_id = f"call_{stream.response_id}"
        self._calls[call_id] = FunctionCall(job=act.job, question=question, delegation_id=delegation_id)
        if len(self._calls) > MAX_DELEGATIONS:
            self._calls.popitem(last=False)
        stream.complete_with_call(tool.name, arguments, call_id)

    def _function_for(self, question: str) -> tuple[FunctionTool, str] | None:
        for tool in self._functions:
            if (arguments := arguments_of(tool.parameters, question)) is not None:
                return tool, arguments
        return None

    # From the background

    def _follow(self, job: Job) -> None:
        """A job has changed. The client's troubles are noticed by its own tasks."""
        with contextlib.suppress(ClientGoneError):
            followed = self._followed.get(job.number)
            if followed is None or followed.job is not job:
                if job.state.is_over:
                    return  # It ended while nobody was here.
                followed = self._followed[job.number] = _Followed(job, self._delegate(job.request.time_ms)[1])
                if len(self._followed) > MAX_DELEGATIONS:
                    self._followed.popitem(last=False)
            self._tell(followed)

    def _tell(self, followed: _Followed) -> None:
        job, stream = followed.job, followed.stream
        if not job.state.is_over:
            if job.state is not JobState.WAITING and not followed.is_working:
                followed.is_working = True
                stream.progress()
            return
        self._followed.pop(job.number, None)
        if job.state is JobState.DONE:
            stream.complete_with_text(job.text)
        elif job.state is JobState.FAILED:
            stream.fail(job.text)
        else:
            stream.cancel()

    # From the client

    def job_of(self, delegation_id: str) -> int:
        """The client does not answer these delegations."""
        raise ProtocolError(
            "delegations of this session are answered by its Responses backend: set delegation_id to null",
            code="unknown_delegation",
            param="delegation_id",
        )

    def update(self, session: SessionUpdateConfig) -> None:
        """Change the functions that the client offers."""
        if session.delegation is None:
            return
        require_same_delegation(session.delegation.type, "responses")
        wanted: Any = getattr(session.delegation, "responses", None)
        if wanted is not None and wanted.tools is not None:
            config: Any = self.setup.resource.delegation
            config.responses.tools = [tool for tool in wanted.tools if isinstance(tool, FunctionTool)]

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
        if not 0 < len(text) <= self.max_chars:
            raise ProtocolError(
                f"the item holds {len(text)} characters of text: send 1 to {self.max_chars}",
                code="invalid_value",
                param="item",
            )
        return text

    # Inside

    def _tell_output(self, call_id: str) -> None:
        """What the client's function gave: the model is told, and the response goes on with it.

        The call is forgotten once the model has it: a refusal leaves it for the next ``response.create``.
        """
        call = self._calls[call_id]
        self._report(client_report(ReportKind.DONE, call.job, call.output or ""))
        del self._calls[call_id]
        stream = self._new_stream(call.delegation_id)
        stream.progress()
        stream.complete_with_text(call.output or "")

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
    def _functions(self) -> Sequence[FunctionTool]:
        config: Any = self.setup.resource.delegation
        return [tool for tool in config.responses.tools or [] if isinstance(tool, FunctionTool)]

    @property
    def _model(self) -> str:
        config: Any = self.setup.resource.delegation
        return config.responses.model
