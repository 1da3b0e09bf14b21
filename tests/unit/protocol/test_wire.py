"""The wire's events: complete, documented, and read with distrust."""

import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.live.client_event import ClientEvent as ClientEventOfficial
from openai.types.live.connect_client_event import ConnectClientEvent
from openai.types.live.connect_server_event import ConnectServerEvent
from openai.types.live.fork_client_event import ForkClientEvent as ForkClientEventOfficial
from openai.types.live.fork_server_event import ForkServerEvent
from openai.types.live.server_event import ServerEvent as ServerEventOfficial

from microturn.errors import ProtocolError
from microturn.protocol.document import event_name, wire_document
from microturn.protocol.extensions import ExtensionEvent
from microturn.protocol.live import (
    CLIENT_SUMMARIES,
    SERVER_EVENT,
    SERVER_SUMMARIES,
    UNSENT_SERVER_EVENTS,
    UNSUPPORTED_CLIENT_EVENTS,
    ClientEvent,
    ForkClientEvent,
    ServerEvent,
    to_json,
)
from microturn.protocol.parse import error_event, parse_client_event

OURS = {
    event_name(model)
    for union in (ClientEvent, ServerEvent)
    for model in get_args(union)
    if issubclass(model, ExtensionEvent)
}
DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"


def test_the_document_is_the_one_that_the_source_generates() -> None:
    assert DOCUMENT.read_text() == wire_document(), "run: python -m microturn.protocol.document > docs/protocol.md"


@pytest.mark.parametrize(("union", "summaries"), [(ClientEvent, CLIENT_SUMMARIES), (ServerEvent, SERVER_SUMMARIES)])
def test_every_event_of_the_protocol_is_described(union: object, summaries: dict[type, str]) -> None:
    official = {model for model in get_args(union) if not issubclass(model, ExtensionEvent)}
    assert official == set(summaries)


def test_every_event_that_the_official_client_can_send_is_taken_or_refused_by_name() -> None:
    official = _names_in(ClientEventOfficial, ConnectClientEvent, ForkClientEventOfficial)
    assert official == _names_in(ClientEvent, ForkClientEvent) - OURS | set(UNSUPPORTED_CLIENT_EVENTS)


def test_every_event_that_the_official_client_understands_is_sent_or_named_as_not_sent() -> None:
    official = _names_in(ServerEventOfficial, ConnectServerEvent, ForkServerEvent)
    assert official == _names_in(ServerEvent) - OURS | set(UNSENT_SERVER_EVENTS)
    assert not _names_in(ServerEvent) & set(UNSENT_SERVER_EVENTS)


def _names_in(*unions: object) -> set[str]:
    """Names of the events in unions, which may be annotated."""
    members = [get_args(union) for union in unions]
    plain = [get_args(each[0]) if each and get_args(each[0]) else each for each in members]
    return {event_name(model) for each in plain for model in each}


def test_an_error_survives_the_wire() -> None:
    error = ProtocolError("5 is too much: send less", code="invalid_value", param="x", client_event_id="mine")
    event = SERVER_EVENT.validate_json(to_json(error_event(error, event_id="event_1")))
    assert event == error_event(error, event_id="event_1")


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(str))
def test_no_text_does_worse_than_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_client_event(text, max_chars=10_000)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    st.sampled_from([event_name(model) for model in get_args(ClientEvent)]),
    st.dictionaries(
        st.sampled_from(["session", "audio", "content", "text", "image", "event_id", "turns"]), st.integers()
    ),
)
def test_no_field_does_worse_than_a_protocol_error(kind: str, fields: dict[str, int]) -> None:
    text = json.dumps({"type": kind, **fields})
    try:
        event = parse_client_event(text, max_chars=10_000)
    except ProtocolError as error:
        code = error.code
    else:
        code = "accepted" if event.type == kind else "mistaken"
    assert code in ("accepted", "invalid_value", "unknown_parameter")
