"""What ``session.start`` asks for, checked against what this server has."""

from dataclasses import dataclass

from openai.types.live import ClientDelegation, InitialItem, SessionConfig, SessionResource
from openai.types.live.audio_format import AudioPCM, AudioPCMA, AudioPCMU
from openai.types.live.session_resource import Audio, AudioOutput

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec, codec_of
from microturn.server.limits import Limits
from microturn.turns.micro_turn import Role, TextEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What this server has."""

    model: str
    voice: str
    is_recorded: bool = False
    """Whether sessions are kept: `session.store` says so, whatever was asked for."""


@dataclass(frozen=True, kw_only=True)
class SessionSetup:
    """A session's settings, resolved."""

    codec: AudioCodec
    instructions: str | None
    history: tuple[TextEvent, ...]
    resource: SessionResource
    replaced: tuple[str, ...]
    """Settings that were asked for and are not what the session has."""


def resolve_setup(
    config: SessionConfig, *, offer: Offer, limits: Limits, session_id: str, expires_at_s: int
) -> SessionSetup:
    """Settle a session's settings.

    Raises:
        ProtocolError: something that cannot be served or replaced.
    """
    if config.delegation is not None:
        require_client_delegation(config.delegation.type)
    instructions = (config.instructions or "").strip() or None
    if instructions and len(instructions) > limits.max_instructions_chars:
        raise ProtocolError(
            f"instructions of {len(instructions)} characters exceed {limits.max_instructions_chars}: shorten them",
            code="invalid_value",
            param="session.instructions",
        )
    codec = codec_of(config.audio.format if config.audio else None)
    resource = SessionResource(
        id=session_id,
        expires_at=expires_at_s,
        model=offer.model,
        status="active",
        audio=Audio(format=_format_of(codec), output=AudioOutput(voice=offer.voice)),
        delegation=ClientDelegation(type="client"),
        instructions=instructions,
        store=offer.is_recorded,
    )
    return SessionSetup(
        codec=codec,
        instructions=instructions,
        history=_history(config.input or [], limits),
        resource=resource,
        replaced=_replaced(config, offer),
    )


def require_client_delegation(kind: str) -> None:
    """Refuse delegation to OpenAI's backends.

    Raises:
        ProtocolError: not the client's own.
    """
    if kind != "client":
        raise ProtocolError(
            f"delegation to {kind!r} is not served: leave session.delegation out, or set its type to 'client'",
            code="unsupported_delegation",
            param="session.delegation.type",
        )


def _history(items: list[InitialItem], limits: Limits) -> tuple[TextEvent, ...]:
    """Earlier messages as text events; the assistant's own become a system text that says so."""
    if len(items) > limits.max_history_items:
        raise ProtocolError(
            f"{len(items)} messages of history exceed {limits.max_history_items}: keep the last ones",
            code="invalid_value",
            param="session.input",
        )
    events: list[TextEvent] = []
    for position, item in enumerate(items):
        text = " ".join(part.text for part in item.content)
        if len(text) > limits.max_context_chars:
            raise ProtocolError(
                f"a message of {len(text)} characters exceeds {limits.max_context_chars}: shorten it",
                code="invalid_value",
                param=f"session.input.{position}",
            )
        if item.role == "assistant":
            events.append(TextEvent(role=Role.SYSTEM, text=f"you said: {text}"))
        else:
            events.append(TextEvent(role=Role.USER if item.role == "user" else Role.SYSTEM, text=text))
    return tuple(events)


def _replaced(config: SessionConfig, offer: Offer) -> tuple[str, ...]:
    """Names of settings that the session has differently."""
    voice = config.audio.output.voice if config.audio and config.audio.output else None
    differs = {
        "model": config.model != offer.model,
        "audio.output.voice": voice is not None and voice != offer.voice,
        "store": config.store is not None and config.store != offer.is_recorded,
        "triggers": bool(config.triggers),
    }
    unknown = sorted(config.model_extra or {})
    return tuple(name for name, is_different in differs.items() if is_different) + tuple(unknown)


def _format_of(codec: AudioCodec) -> AudioPCM | AudioPCMU | AudioPCMA:
    if codec.encoding == "audio/pcmu":
        return AudioPCMU(type="audio/pcmu", rate=codec.rate_hz)
    if codec.encoding == "audio/pcma":
        return AudioPCMA(type="audio/pcma", rate=codec.rate_hz)
    return AudioPCM(type="audio/pcm", rate=16_000 if codec.rate_hz == 16_000 else 24_000)
