"""Delegation to this server's Responses backend: what a refusal leaves behind can be sent again."""

from types import SimpleNamespace
from typing import Any

import pytest
from openai.types.live import FunctionTool, ResponseCreateEvent, ResponseItemCreateEvent
from pydantic import TypeAdapter

from microturn.errors import CapacityError, ProtocolError
from microturn.server.delegation.by_responses import ResponsesDelegation
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind, TextEvent

PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
WEATHER = FunctionTool.model_construct(type="function", name="weather", parameters=PLACE)
CREATE = ResponseCreateEvent(type="response.create")
ITEM = TypeAdapter(ResponseItemCreateEvent)


class EngineSession:
    """Has no room for text while it is full."""

    def __init__(self) -> None:
        self.is_full = False
        self.told: list[str] = []

    def push_text(self, event: TextEvent) -> None:
        if self.is_full:
            raise CapacityError("full")
        self.told.append(event.text)


class Audience:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, event: Any) -> None:
        self.sent.append(event)

    def new_event_id(self) -> str:
        return f"event_{len(self.sent)}"

    def nested(self, kind: str) -> list[dict[str, Any]]:
        return [event.event for event in self.sent if event.type == "response.event" and event.event["type"] == kind]


def delegation(engine_session: EngineSession, audience: Audience) -> ResponsesDelegation:
    offered = SimpleNamespace(responses=SimpleNamespace(tools=[WEATHER], model="m"))
    setup: Any = SimpleNamespace(resource=SimpleNamespace(delegation=offered))
    doubles: Any = {"audience": audience, "engine_session": engine_session, "setup": setup}
    return ResponsesDelegation(**doubles, max_chars=1_000)


def item(**fields: Any) -> ResponseItemCreateEvent:
    return ITEM.validate_python({"type": "response.item.create", "item": fields})


def test_an_output_that_the_model_has_no_room_for_is_told_with_the_next_response():
    engine_session, audience = EngineSession(), Audience()
    it = delegation(engine_session, audience)
    it.take_in(MicroTurnOutput(index=0, pieces=(Piece(kind=PieceKind.ACT, text="ask 1: Oslo"),)))
    (done,) = audience.nested("response.output_item.done")
    it.carry_out(item(type="function_call_output", call_id=done["item"]["call_id"], output="sunny"))
    engine_session.is_full = True
    with pytest.raises(ProtocolError, match="full"):
        it.carry_out(CREATE)
    assert audience.nested("response.output_text.done") == []
    engine_session.is_full = False
    it.carry_out(CREATE)
    assert engine_session.told == ["1 done: sunny"]
    assert [event["text"] for event in audience.nested("response.output_text.done")] == ["sunny"]
    with pytest.raises(ProtocolError, match="no item waits"):
        it.carry_out(CREATE)


def test_a_question_that_is_refused_still_waits_and_keeps_no_output_back():
    engine_session, audience = EngineSession(), Audience()
    it = delegation(engine_session, audience)
    it.take_in(MicroTurnOutput(index=0, pieces=(Piece(kind=PieceKind.ACT, text="ask 1: Oslo"),)))
    (done,) = audience.nested("response.output_item.done")
    it.carry_out(item(type="message", role="user", content="and tomorrow?"))
    it.carry_out(item(type="function_call_output", call_id=done["item"]["call_id"], output="sunny"))
    for _ in range(2):
        with pytest.raises(ProtocolError, match="no background model answers here"):
            it.carry_out(CREATE)
    assert engine_session.told == ["1 done: sunny"]
