"""Every event of our audio subset of GPT-Live (``/v1/live/sessions``), by direction.

The types are the official ``openai`` package's own wherever they exist; ``extensions`` adds ours. This file is the
only one that knows which events we take part in: parsing, the server and the wire document all read it.
"""

from typing import Annotated

from openai.types.live import (
    CommentaryAppendedEvent,
    CommentaryAppendEvent,
    DelegationCreatedEvent,
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
    ResponseCreateEvent,
    ResponseEvent,
    ResponseItemCreateEvent,
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
from openai.types.live.fork_session_start_event import ForkSessionStartEvent
from openai.types.live.server_event import SessionInputAudioAppend
from pydantic import BaseModel, Field, TypeAdapter

from microturn.protocol.extensions import (
    CameraFrameEvent,
    DelegationEvent,
    EagernessUpdateEvent,
    ExtensionsEnabledEvent,
    ExtensionsEnableEvent,
    JobDecideEvent,
    JobEvent,
    ResumeEvent,
    SayEvent,
    TextEvent,
    ToolsEvent,
    ToolsUpdateEvent,
    TurnEvent,
)

ContextAppendEvent = InstructionsAppendEvent | ThinkingAppendEvent | CommentaryAppendEvent
"""The three ways to hand the model text: as an order, to know, to say."""

OngoingEvent = (
    SessionUpdateEvent
    | SessionCloseEvent
    | InputAudioAppendEvent
    | InputAudioMuteEvent
    | InputAudioUnmuteEvent
    | InstructionsAppendEvent
    | ThinkingAppendEvent
    | CommentaryAppendEvent
    | ResponseItemCreateEvent
    | ResponseCreateEvent
    | ExtensionsEnableEvent
    | TextEvent
    | CameraFrameEvent
    | SayEvent
    | JobDecideEvent
    | ToolsUpdateEvent
    | EagernessUpdateEvent
)
"""What a client may send whichever way its session began."""

ClientEvent = SessionStartEvent | ResumeEvent | OngoingEvent
"""What a client may send."""

ForkClientEvent = ForkSessionStartEvent | OngoingEvent
"""What a client may send that forks a session."""

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
    | DelegationCreatedEvent
    | ResponseEvent
    | SessionInputAudioAppend
    | InfoEvent
    | ErrorEvent
    | ExtensionsEnabledEvent
    | TurnEvent
    | DelegationEvent
    | JobEvent
    | ToolsEvent
)
"""What the server may send."""

CLIENT_SUMMARIES: dict[type[BaseModel], str] = {
    SessionStartEvent: "Starts the session; comes first and once.",
    SessionUpdateEvent: "Changes the functions of `responses` delegation; its owner stays. Acknowledged.",
    SessionCloseEvent: "Ends the session.",
    InputAudioAppendEvent: "Sound of the user, base64, in the session's format. Not acknowledged.",
    InputAudioMuteEvent: "From here on the model hears silence, whatever is sent.",
    InputAudioUnmuteEvent: "The model hears the user again.",
    InstructionsAppendEvent: "An order to the model, as a system text.",
    ThinkingAppendEvent: "Something for the model to know, as a tool's `note:`; with a `delegation_id`, about that.",
    CommentaryAppendEvent: "Something to tell, as a tool's `say:`; with a `delegation_id`, its result: `done:`.",
    ResponseItemCreateEvent: "A user message, or a function's output, for `responses` delegation.",
    ResponseCreateEvent: "Lets the Responses backend answer what was added.",
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
    DelegationCreatedEvent: "The model asks for something: who is to do it, and when it asked. Not the words.",
    ResponseEvent: "An event of the Responses API about a delegation: progress, a function call, the answer.",
    SessionInputAudioAppend: "To those who attached: the user's sound as it came, PCM16 at 24 kHz.",
    InfoEvent: "A notice: `settings_replaced`, `data_channel_permissions`, `overload` or `server_stopping`.",
    ErrorEvent: "Something was refused or failed: `error.code`, and a message with the value and the remedy.",
}

CLIENT_EVENT: TypeAdapter[ClientEvent] = TypeAdapter(Annotated[ClientEvent, Field(discriminator="type")])
FORK_CLIENT_EVENT: TypeAdapter[ForkClientEvent] = TypeAdapter(Annotated[ForkClientEvent, Field(discriminator="type")])
SERVER_EVENT: TypeAdapter[ServerEvent] = TypeAdapter(Annotated[ServerEvent, Field(discriminator="type")])

UNSUPPORTED_CLIENT_EVENTS: dict[str, str] = {
    "session.output_audio.fixture.play": "play the recording on the client's side",
    "decision.create": "decisions are not served here",
    "decision.item.create": "decisions are not served here",
    "decision.item.delete": "decisions are not served here",
    "transport.dtmf.send": "telephony is not served here",
}
"""Events of GPT-Live that lie outside our subset, each with what to do instead."""


UNSENT_SERVER_EVENTS: dict[str, str] = {
    "session.output_audio.fixture.playing": "fixtures are not served",
    "session.output_audio.fixture.played": "fixtures are not served",
    "decision.event": "decisions are not served",
    "decision.item.created": "decisions are not served",
    "decision.item.deleted": "decisions are not served",
    "session.paused": "a session that is quiet is not paused: the model listens to silence, too",
    "session.resumed": "nothing is paused",
    "transport.dtmf.received": "telephony is not served",
    "transport.dtmf.send": "telephony is not served",
    "transport.dtmf.sent": "telephony is not served",
    "transport.ringing": "telephony is not served",
    "transport.answered": "telephony is not served",
    "transport.failed": "telephony is not served",
}
"""Events of GPT-Live that this server never sends, each with the reason."""


def to_json(event: BaseModel) -> str:
    """The event as one line of JSON; fields that are None are left out, as GPT-Live does."""
    return event.model_dump_json(exclude_none=True)
