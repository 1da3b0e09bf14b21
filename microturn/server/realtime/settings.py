"""The settings of a Realtime session: what the client may change while it runs, and what the server has instead."""

from dataclasses import dataclass, field, replace
from typing import Literal

from openai.types.realtime import (
    RealtimeAudioConfig,
    RealtimeAudioConfigInput,
    RealtimeAudioConfigOutput,
    RealtimeFunctionTool,
    RealtimeSessionCreateRequest,
    SessionUpdateEvent,
)
from openai.types.realtime.realtime_audio_formats import AudioPCM, AudioPCMA, AudioPCMU
from openai.types.realtime.realtime_audio_input_turn_detection import SemanticVad, ServerVad

from microturn.errors import ProtocolError
from microturn.protocol.codec import G711_HZ, AudioCodec
from microturn.server.eagerness import RESTRAINT
from microturn.server.function_calls import require_few
from microturn.server.limits import Limits

Modality = Literal["text", "audio"]
PCM = AudioCodec(encoding="audio/pcm", rate_hz=24_000)


@dataclass(frozen=True, kw_only=True)
class RealtimeSettings:
    """What is in force. A change makes a new value."""

    model: str
    voice: str
    instructions: str | None = None
    modality: Modality = "audio"
    input_codec: AudioCodec = PCM
    output_codec: AudioCodec = PCM
    tools: tuple[RealtimeFunctionTool, ...] = ()
    turn_detection: ServerVad | SemanticVad | None = field(default_factory=lambda: ServerVad(type="server_vad"))
    """The model itself decides when to speak. The eagerness of ``semantic_vad`` holds it back, or pushes it."""

    @property
    def restraint(self) -> float:
        """What holds the model back from speaking, in nats."""
        vad = self.turn_detection
        return RESTRAINT[vad.eagerness or "auto"] if isinstance(vad, SemanticVad) else 0.0

    def updated(self, event: SessionUpdateEvent, limits: Limits) -> "RealtimeSettings":
        """The settings after a ``session.update``; what it leaves out stays.

        Raises:
            ProtocolError: something that cannot be served or replaced.
        """
        wanted = event.session
        if not isinstance(wanted, RealtimeSessionCreateRequest):
            raise ProtocolError(
                "transcription sessions are not served: send a session of type 'realtime'",
                code="unsupported",
                param="session.type",
            )
        given = wanted.model_fields_set
        settings = self
        if "instructions" in given:
            instructions = (wanted.instructions or "").strip() or None
            if instructions and len(instructions) > limits.max_instructions_chars:
                raise ProtocolError(
                    f"instructions of {len(instructions)} characters exceed {limits.max_instructions_chars}: "
                    "shorten them",
                    code="invalid_value",
                    param="session.instructions",
                )
            settings = replace(settings, instructions=instructions)
        if wanted.output_modalities:
            settings = replace(settings, modality="audio" if "audio" in wanted.output_modalities else "text")
        if wanted.tools is not None:
            settings = replace(settings, tools=_function_tools(wanted))
        return settings if wanted.audio is None else settings._with_audio(wanted.audio)

    def resource(self, session_id: str, expires_at_s: int) -> RealtimeSessionCreateRequest:
        """The session object of ``session.created`` and ``session.updated``."""
        session = RealtimeSessionCreateRequest(
            type="realtime",
            model=self.model,
            instructions=self.instructions or "",
            output_modalities=[self.modality],
            tools=list(self.tools),
            audio=RealtimeAudioConfig(
                input=RealtimeAudioConfigInput(format=_format_of(self.input_codec), turn_detection=self.turn_detection),
                output=RealtimeAudioConfigOutput(format=_format_of(self.output_codec), voice=self.voice, speed=1.0),
            ),
        )
        # The package types a session that is sent like one that is asked for, without what the server adds.
        return session.model_copy(update={"id": session_id, "object": "realtime.session", "expires_at": expires_at_s})

    def _with_audio(self, audio: RealtimeAudioConfig) -> "RealtimeSettings":
        settings = self
        if audio.input and audio.input.format:
            settings = replace(settings, input_codec=_codec_of(audio.input.format))
        if audio.input and "turn_detection" in audio.input.model_fields_set:
            settings = replace(settings, turn_detection=audio.input.turn_detection)
        if audio.output and audio.output.format:
            settings = replace(settings, output_codec=_codec_of(audio.output.format))
        return settings


def _function_tools(session: RealtimeSessionCreateRequest) -> tuple[RealtimeFunctionTool, ...]:
    tools = tuple(tool for tool in session.tools or [] if isinstance(tool, RealtimeFunctionTool) and tool.name)
    require_few(tools, "session.tools")
    return tools


def _codec_of(audio_format: AudioPCM | AudioPCMU | AudioPCMA) -> AudioCodec:
    encoding = audio_format.type or "audio/pcm"
    return PCM if encoding == "audio/pcm" else AudioCodec(encoding=encoding, rate_hz=G711_HZ)


def _format_of(codec: AudioCodec) -> AudioPCM | AudioPCMU | AudioPCMA:
    if codec.encoding == "audio/pcmu":
        return AudioPCMU(type="audio/pcmu")
    if codec.encoding == "audio/pcma":
        return AudioPCMA(type="audio/pcma")
    return AudioPCM(type="audio/pcm", rate=24_000)
