"""From untrusted text to a client event, or to an error that names the remedy."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

from openai.types.live import Error, ErrorEvent
from pydantic import TypeAdapter, ValidationError

from microturn.errors import ProtocolError
from microturn.protocol.live import (
    CLIENT_EVENT,
    FORK_CLIENT_EVENT,
    UNSUPPORTED_CLIENT_EVENTS,
    ClientEvent,
    ForkClientEvent,
)

_ANY_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_MAX_SHOWN_CHARS = 60
_Event = TypeVar("_Event")


def parse_client_event(text: str, max_chars: int) -> ClientEvent:
    """Validate one message of GPT-Live.

    Raises:
        ProtocolError: too long, not JSON, not an event of ours, or a field that does not fit.
    """
    return parse_event(text, CLIENT_EVENT, UNSUPPORTED_CLIENT_EVENTS, max_chars=max_chars)


def parse_fork_event(text: str, max_chars: int) -> ForkClientEvent:
    """Validate one message of a client that forks a session.

    Raises:
        ProtocolError: as ``parse_client_event``.
    """
    return parse_event(text, FORK_CLIENT_EVENT, UNSUPPORTED_CLIENT_EVENTS, max_chars=max_chars)


def parse_event(text: str, events: TypeAdapter[_Event], unsupported: Mapping[str, str], *, max_chars: int) -> _Event:
    """Validate one message of any dialect.

    Args:
        events: The union of its events, told apart by ``type``.
        unsupported: Events that lie outside our part of it, each with what to do instead.

    Raises:
        ProtocolError: too long, not JSON, not an event of the dialect, or a field that does not fit.
    """
    if len(text) > max_chars:
        raise ProtocolError(
            f"a message of {len(text)} characters exceeds the limit of {max_chars}: send audio in chunks of 20-200 ms",
            code="message_too_large",
        )
    try:
        return events.validate_json(text)
    except ValidationError as error:
        raise _explain(error, text, unsupported) from None


def error_event(error: ProtocolError, event_id: str, kind: str = "invalid_request_error") -> ErrorEvent:
    """The event that tells the client about an error; ``kind`` is GPT-Live's category."""
    return ErrorEvent(
        type="error",
        event_id=event_id,
        client_event_id=error.client_event_id,
        error=Error(
            code=error.code,
            message=str(error),
            type=kind,
            param=error.param,
            client_event_id=error.client_event_id,
        ),
    )


def _explain(error: ValidationError, text: str, unsupported: Mapping[str, str]) -> ProtocolError:
    """Say what is wrong with a message that did not validate."""
    try:
        fields = _ANY_OBJECT.validate_json(text)
    except ValidationError:
        return ProtocolError(
            'the message is not a JSON object: send events like {"type": "session.input_audio.append", …}',
            code="invalid_json",
        )
    event_id = fields.get("event_id")
    client_event_id = event_id[:128] if isinstance(event_id, str) else None
    kind = fields.get("type")
    if not isinstance(kind, str):
        return ProtocolError(
            "the event has no type: give the name of the event as a string",
            code="missing_type",
            param="type",
            client_event_id=client_event_id,
        )
    if kind in unsupported:
        return ProtocolError(
            f"{kind} is not supported by this server: {unsupported[kind]}",
            code="unsupported",
            param="type",
            client_event_id=client_event_id,
        )
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if any(problem["type"] == "union_tag_invalid" and not problem["loc"] for problem in problems):
        return ProtocolError(
            f"unknown event type {_shortened(kind)!r}: docs/protocol.md lists those that exist",
            code="unknown_event",
            param="type",
            client_event_id=client_event_id,
        )
    # A union reports every branch that it tried: of the deepest, the one with the fewest problems was meant.
    branches = Counter(problem["loc"][:-1] for problem in problems)
    problem = max(problems, key=lambda each: (len(each["loc"]), -branches[each["loc"][:-1]]))
    # Locations also name the branches of unions, which are classes; fields and indices are what the sender wrote.
    path = [str(part) for part in problem["loc"][1:]]
    param = ".".join(part for part in path if part.islower() or part.isdigit())
    return ProtocolError(
        f"{kind}: {param or 'the event'} is not valid: {_shortened(problem['msg'])}",
        code="unknown_parameter" if problem["type"] == "extra_forbidden" else "invalid_value",
        param=param or None,
        client_event_id=client_event_id,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"
