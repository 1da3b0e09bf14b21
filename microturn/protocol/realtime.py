"""The part of OpenAI's Realtime protocol (``/v1/realtime``) that stock turn-based clients need.

All types are the official ``openai`` package's own.
"""

from typing import Annotated

from openai.types.realtime import (
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    OutputAudioBufferClearEvent,
    RealtimeError,
    RealtimeErrorEvent,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdateEvent,
)
from pydantic import Field, TypeAdapter

from microturn.errors import ProtocolError
from microturn.protocol.parse import parse_event

RealtimeClientEvent = (
    SessionUpdateEvent
    | InputAudioBufferAppendEvent
    | InputAudioBufferCommitEvent
    | InputAudioBufferClearEvent
    | OutputAudioBufferClearEvent
    | ConversationItemCreateEvent
    | ConversationItemDeleteEvent
    | ConversationItemRetrieveEvent
    | ConversationItemTruncateEvent
    | ResponseCreateEvent
    | ResponseCancelEvent
)
"""What a client may send."""

_CLIENT_EVENT: TypeAdapter[RealtimeClientEvent] = TypeAdapter(
    Annotated[RealtimeClientEvent, Field(discriminator="type")]
)
_UNSUPPORTED = {"transcription_session.update": "send session.update with a session of type 'realtime'"}


def parse_realtime_event(text: str, max_chars: int) -> RealtimeClientEvent:
    """Validate one message.

    Raises:
        ProtocolError: too long, not JSON, not an event of Realtime, or a field that does not fit.
    """
    return parse_event(text, _CLIENT_EVENT, _UNSUPPORTED, max_chars=max_chars)


def realtime_error_event(error: ProtocolError, event_id: str, kind: str) -> RealtimeErrorEvent:
    """The event that tells the client about an error."""
    return RealtimeErrorEvent(
        type="error",
        event_id=event_id,
        error=RealtimeError(
            message=str(error), type=kind, code=error.code, param=error.param, event_id=error.client_event_id
        ),
    )
