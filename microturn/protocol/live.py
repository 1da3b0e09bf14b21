"""Every event of our audio subset of GPT-Live (``/v1/live/sessions``), by direction.

The types are the official ``openai`` package's own wherever they exist; ``extensions`` adds ours. This file is the
only one that knows which events we take part in: parsing, the server and the wire document all read it.
"""

from typing import Annotated

from openai.types.live import (
    CommentaryAppendedEvent,
    CommentaryAppendEvent,
    ErrorEvent,
    InfoEvent,
    InputAudioAppendEvent,
    InputAudioMutedEvent,
    InputAudioMuteEvent,
    InputAudioUnmutedEvent,
    InputAudioUnmuteEvent,
    InputTranscriptDeltaEvent,
    InstructionsAppendedEvent,
    InstructionsAppendEvent,
    OutputAudioDeltaEvent,
    OutputTranscriptDeltaEvent,
    SessionClosedEvent,
    SessionCloseEvent,
    SessionStartedEvent,
    SessionStartEvent,
    SessionUpdatedEvent,
    SessionUpdateEvent,
    SessionUsageUpdatedEvent,
    ThinkingAppendedEvent,
    ThinkingAppendEvent,
)
from pydantic import BaseModel, Field, TypeAdapter

from microturn.protocol.extensions import (
    CameraFrameEvent,
    ExtensionsEnabledEvent,
    ExtensionsEnableEvent,
    JobDecideEvent,
    JobEvent,
    ResumeEvent,
    TextEvent,
    TurnEvent,
)

ContextAppendEvent = InstructionsAppendEvent | ThinkingAppendEvent | CommentaryAppendEvent
"""The three ways to hand the model text: as an order, to know, to say."""

ClientEvent = (
    SessionStartEvent
    | SessionUpdateEvent
    | SessionCloseEvent
    | InputAudioAppendEvent
    | InputAudioMuteEvent
    | InputAudioUnmuteEvent
    | InstructionsAppendEvent
    | ThinkingAppendEvent
    | CommentaryAppendEvent
    | ExtensionsEnableEvent
    | ResumeEvent
    | TextEvent
    | CameraFrameEvent
    | JobDecideEvent
)
"""What a client may send."""

ServerEvent = (
    SessionStartedEvent
    | SessionUpdatedEvent
    | SessionClosedEvent
    | SessionUsageUpdatedEvent
    | InputAudioMutedEvent
    | InputAudioUnmutedEvent
    | InputTranscriptDeltaEvent
    | OutputAudioDeltaEvent
    | OutputTranscriptDeltaEvent
    | InstructionsAppendedEvent
    | ThinkingAppendedEvent
    | CommentaryAppendedEvent
    | InfoEvent
    | ErrorEvent
    | ExtensionsEnabledEvent
    | TurnEvent
    | JobEvent
)
"""What the server may send."""

CLIENT_SUMMARIES: dict[type[BaseModel], str] = {
    SessionStartEvent: "Starts the session; comes first and once.",
    SessionUpdateEvent: "Changes delegation; only `client` is served, so it changes nothing but is acknowledged.",
    SessionCloseEvent: "Ends the session.",
    InputAudioAppendEvent: "Sound of the user, base64, in the session's format. Not acknowledged.",
    InputAudioMuteEvent: "From here on the model hears silence, whatever is sent.",
    InputAudioUnmuteEvent: "The model hears the user again.",
    InstructionsAppendEvent: "An order to the model, as a system text. `delegation_id` is null.",
    ThinkingAppendEvent: "Something for the model to know, as a tool's `note:`. `delegation_id` is null.",
    CommentaryAppendEvent: "Something for the model to tell, as a tool's `say:`. `delegation_id` is null.",
}
"""In our words, what each event of GPT-Live does here."""

SERVER_SUMMARIES: dict[type[BaseModel], str] = {
    SessionStartedEvent: "The session runs; holds its id and the settings in force.",
    SessionUpdatedEvent: "Acknowledges `session.update`.",
    SessionClosedEvent: "The last event: why the session ended, and how many seconds it lasted.",
    SessionUsageUpdatedEvent: "Seconds of media so far, every ten seconds.",
    InputAudioMutedEvent: "Acknowledges `session.input_audio.mute`.",
    InputAudioUnmutedEvent: "Acknowledges `session.input_audio.unmute`.",
    InputTranscriptDeltaEvent: "Words of the user, with the stretch of the session's timeline in which they ended.",
    OutputAudioDeltaEvent: "200 ms of the model's sound, base64, in the session's format.",
    OutputTranscriptDeltaEvent: "Words of the model, sent with the sound that carries them.",
    InstructionsAppendedEvent: "Acknowledges `session.instructions.append`.",
    ThinkingAppendedEvent: "Acknowledges `session.thinking.append`.",
    CommentaryAppendedEvent: "Acknowledges `session.commentary.append`.",
    InfoEvent: "A notice: `settings_replaced` or `server_stopping`.",
    ErrorEvent: "Something was refused or failed: `error.code`, and a message with the value and the remedy.",
}

CLIENT_EVENT: TypeAdapter[ClientEvent] = TypeAdapter(Annotated[ClientEvent, Field(discriminator="type")])
SERVER_EVENT: TypeAdapter[ServerEvent] = TypeAdapter(Annotated[ServerEvent, Field(discriminator="type")])

UNSUPPORTED_CLIENT_EVENTS: dict[str, str] = {
    "session.output_audio.fixture.play": "play the recording on the client's side",
    "decision.create": "decisions are not served here",
    "decision.item.create": "decisions are not served here",
    "decision.item.delete": "decisions are not served here",
    "response.create": "delegation goes to the client only",
    "response.item.create": "delegation goes to the client only",
}
"""Events of GPT-Live that lie outside our subset, each with what to do instead."""


def to_json(event: BaseModel) -> str:
    """The event as one line of JSON; fields that are None are left out, as GPT-Live does."""
    return event.model_dump_json(exclude_none=True)
