"""The wire's events: complete, documented, and read with distrust."""

import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.errors import ProtocolError
from microturn.protocol.document import event_name, wire_document
from microturn.protocol.extensions import ExtensionEvent
from microturn.protocol.live import (
    CLIENT_SUMMARIES,
    SERVER_EVENT,
    SERVER_SUMMARIES,
    UNSUPPORTED_CLIENT_EVENTS,
    ClientEvent,
    ServerEvent,
    to_json,
)
from microturn.protocol.parse import error_event, parse_client_event

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"


def test_the_document_is_the_one_that_the_source_generates() -> None:
    assert DOCUMENT.read_text() == wire_document(), "run: python -m microturn.protocol.document > docs/protocol.md"


@pytest.mark.parametrize(("union", "summaries"), [(ClientEvent, CLIENT_SUMMARIES), (ServerEvent, SERVER_SUMMARIES)])
def test_every_event_of_the_protocol_is_described(union: object, summaries: dict[type, str]) -> None:
    official = {model for model in get_args(union) if not issubclass(model, ExtensionEvent)}
    assert official == set(summaries)


def test_every_event_that_the_official_client_can_send_is_taken_or_refused_by_name() -> None:
    from openai.types.live.client_event import ClientEvent as OfficialEvent

    official = {event_name(model) for model in get_args(get_args(OfficialEvent)[0])}
    ours = {event_name(model) for model in get_args(ClientEvent)}
    assert official <= ours | set(UNSUPPORTED_CLIENT_EVENTS)


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
