"""Delegation to the Responses backend and to the client: what a refusal or a lost connection leaves behind."""

from collections.abc import Callable
from typing import Any

import pytest
from openai.types.live import ForkSessionConfig, ResponseCreateEvent, ResponseItemCreateEvent, SessionConfig
from pydantic import TypeAdapter

from microturn.errors import CapacityError, ProtocolError
from microturn.server.delegation.by_client import ClientDelegation
from microturn.server.delegation.by_responses import ResponsesDelegation
from microturn.server.limits import Limits
from microturn.server.session_setup import Offer, SessionSetup, fork_setup, resolve_setup, resumed_setup
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind, TextEvent

PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
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


def settled(kind: str = "responses") -> SessionSetup:
    responses = {"model": "m", "tools": [{"type": "function", "name": "weather", "parameters": PLACE}]}
    delegation = {"type": kind, **({"responses": responses} if kind == "responses" else {})}
    config = SessionConfig.model_validate({"model": "nano", "delegation": delegation})
    offer = Offer(model="nano", voice="nano")
    return resolve_setup(config, offer=offer, limits=Limits(), session_id="live_1", expires_at_s=0)


def back(setup: SessionSetup) -> SessionSetup:
    """The settings of the same session over its next connection."""
    return resumed_setup(setup, SessionConfig(model="nano"), expires_at_s=0)


def forked(setup: SessionSetup) -> SessionSetup:
    return fork_setup(setup, ForkSessionConfig(), session_id="live_2", expires_at_s=0)


def delegation(
    engine_session: EngineSession, audience: Audience, setup: SessionSetup | None = None
) -> ResponsesDelegation:
    doubles: Any = {"audience": audience, "engine_session": engine_session}
    return ResponsesDelegation(**doubles, setup=setup or settled(), limits=Limits())


def act(index: int, text: str, *, is_end: bool = True) -> MicroTurnOutput:
    return MicroTurnOutput(index=index, pieces=(Piece(kind=PieceKind.ACT, text=text, is_end=is_end),))


def item(**fields: Any) -> ResponseItemCreateEvent:
    return ITEM.validate_python({"type": "response.item.create", "item": fields})


def test_an_output_that_the_model_has_no_room_for_is_told_with_the_next_response():
    engine_session, audience = EngineSession(), Audience()
    it = delegation(engine_session, audience)
    it.take_in(act(0, "ask 1: Oslo"))
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
    it.take_in(act(0, "ask 1: Oslo"))
    (done,) = audience.nested("response.output_item.done")
    it.carry_out(item(type="message", role="user", content="and tomorrow?"))
    it.carry_out(item(type="function_call_output", call_id=done["item"]["call_id"], output="sunny"))
    for _ in range(2):
        with pytest.raises(ProtocolError, match="no background model answers here"):
            it.carry_out(CREATE)
    assert engine_session.told == ["1 done: sunny"]


def test_a_call_is_answered_after_the_connection_was_lost():
    engine_session, audience, setup = EngineSession(), Audience(), settled()
    delegation(engine_session, audience, setup).take_in(act(0, "ask 1: Oslo"))
    (done,) = audience.nested("response.output_item.done")
    again = delegation(engine_session, audience, back(setup))
    again.carry_out(item(type="function_call_output", call_id=done["item"]["call_id"], output="sunny"))
    delegation(engine_session, audience, back(again.setup)).carry_out(CREATE)  # lost once more in between
    assert engine_session.told == ["1 done: sunny"]


def test_what_the_client_asked_waits_over_a_lost_connection():
    setup = settled()
    delegation(EngineSession(), Audience(), setup).carry_out(item(type="message", role="user", content="news?"))
    with pytest.raises(ProtocolError, match="no background model answers here"):
        delegation(EngineSession(), Audience(), back(setup)).carry_out(CREATE)


def test_a_fork_answers_its_own_copy_of_a_call():
    setup, audience = settled(), Audience()
    delegation(EngineSession(), audience, setup).take_in(act(0, "ask 1: Oslo"))
    (done,) = audience.nested("response.output_item.done")
    for its_setup in (forked(setup), setup):
        engine_session = EngineSession()
        it = delegation(engine_session, Audience(), its_setup)
        it.carry_out(item(type="function_call_output", call_id=done["item"]["call_id"], output="sunny"))
        it.carry_out(CREATE)
        assert engine_session.told == ["1 done: sunny"]


@pytest.mark.parametrize("later", [back, forked])
def test_an_act_that_was_half_written_goes_on_with_the_next_connection_and_in_a_fork(
    later: Callable[[SessionSetup], SessionSetup],
):
    setup, audience = settled(), Audience()
    delegation(EngineSession(), audience, setup).take_in(act(0, "ask 1: Os", is_end=False))
    delegation(EngineSession(), audience, later(setup)).take_in(act(1, "lo"))
    (done,) = audience.nested("response.output_item.done")
    assert done["item"]["arguments"] == '{"place": "Oslo"}'

    setup, told = settled("client"), Audience()
    wire: Any = told
    ClientDelegation(wire, setup, lambda: True).take_in(act(0, "ask 1: Os", is_end=False))
    ClientDelegation(wire, later(setup), lambda: True).take_in(act(1, "lo"))
    assert [event.text for event in told.sent if event.type == "microturn.delegation"] == ["Oslo"]
