"""What ``session.start`` asks for, checked against what this server has."""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from openai.types.live import (
    ClientDelegation,
    CustomVoice,
    ForkSessionConfig,
    FunctionTool,
    InitialItem,
    ResponsesDelegationConfig,
    SessionConfig,
    SessionResource,
)
from openai.types.live.audio_format import AudioPCM, AudioPCMA, AudioPCMU
from openai.types.live.session_config import DelegationResponses as WantedResponses
from openai.types.live.session_resource import Audio, AudioOutput, DelegationResponses

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec, codec_of
from microturn.server.function_calls import FunctionCall, require_few
from microturn.server.limits import Limits
from microturn.turns.background import TurnActs
from microturn.turns.micro_turn import Role, TextEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What this server has."""

    model: str
    voice: str
    is_recorded: bool = False
    """Whether sessions are kept: `session.store` says so, whatever was asked for."""
    can_see: bool = True
    """Whether pictures mean anything to the model, or to the one behind it: the page says so where they do not."""
    background: str | None = None
    """Name of the background model; None where there is none, and the client does its work."""
    takes_instructions: bool = False
    """Whether the background model follows instructions of the client's application."""


@dataclass(frozen=True, kw_only=True)
class SessionSetup:
    """A session's settings, resolved."""

    codec: AudioCodec
    instructions: str | None
    history: tuple[TextEvent, ...]
    resource: SessionResource
    replaced: tuple[str, ...]
    """Settings that were asked for and are not what the session has."""
    delegations: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Jobs that the client may answer, by the id of their delegation. Like the next three, it stays the same over the
    connections of a session."""
    acts: TurnActs = field(default_factory=TurnActs)
    """Reads what the model delegates."""
    calls: OrderedDict[str, FunctionCall] = field(default_factory=OrderedDict[str, FunctionCall])
    """Functions that the client was asked to call, by the id of the call."""
    questions: list[str] = field(default_factory=list[str])
    """Of the client, for the Responses backend; they wait for its next ``response.create``."""
    first_turn: int = 0
    """Micro-turns before it are not this session's but of the one that it was forked from."""


def resolve_setup(
    config: SessionConfig, *, offer: Offer, limits: Limits, session_id: str, expires_at_s: int
) -> SessionSetup:
    """Settle a session's settings.

    Raises:
        ProtocolError: something that cannot be served or replaced.
    """
    if config.triggers:
        raise unsupported("decisions are not served: leave session.triggers out", "session.triggers")
    voice = config.audio.output.voice if config.audio and config.audio.output else None
    if isinstance(voice, CustomVoice):
        raise unsupported("custom voices are not served: name a voice, or leave it out", "session.audio.output.voice")
    delegation = _delegation(config, offer, limits)
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
        delegation=delegation,
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


def resumed_setup(before: SessionSetup, config: SessionConfig, *, expires_at_s: int) -> SessionSetup:
    """The settings of a session whose client comes back: as they were, but for the format of the sound.

    Raises:
        ProtocolError: a format that is not served.
    """
    codec = codec_of(config.audio.format if config.audio else None)
    resource = before.resource.model_copy(deep=True)
    resource.expires_at = expires_at_s
    assert resource.audio is not None, "a session has audio settings"
    resource.audio.format = _format_of(codec)
    return replace(before, codec=codec, resource=resource, replaced=(), history=())


def fork_setup(origin: SessionSetup, config: ForkSessionConfig, *, session_id: str, expires_at_s: int) -> SessionSetup:
    """Settle the settings of a fork: those of the session that it leaves, with a format and functions of its own.

    Raises:
        ProtocolError: something that a fork cannot change.
    """
    inherited = origin.resource.delegation
    if config.delegation is not None:
        require_same_delegation(config.delegation.type, inherited.type if inherited else "client")
    has_format = origin.resource.audio is not None and origin.resource.audio.format is not None
    wanted = config.audio.format if config.audio else None
    codec = codec_of(wanted) if wanted is not None or not has_format else origin.codec
    resource = origin.resource.model_copy(deep=True)
    resource.id, resource.expires_at = session_id, expires_at_s
    assert resource.audio is not None, "a session has audio settings"
    resource.audio.format = _format_of(codec)
    changed = config.delegation.responses if config.delegation else None
    if isinstance(resource.delegation, DelegationResponses) and changed is not None and changed.tools is not None:
        resource.delegation.responses.tools = [*functions_among(changed.tools)]
    is_kept_otherwise = config.store is not None and config.store != origin.resource.store
    return replace(
        origin,
        codec=codec,
        history=(),
        resource=resource,
        replaced=("store",) if is_kept_otherwise else (),
        delegations=OrderedDict(origin.delegations),
        acts=copy.deepcopy(origin.acts),
        calls=OrderedDict(
            (call_id, copy.copy(call)) for call_id, call in origin.calls.items() if not call.is_of_background
        ),
        questions=list(origin.questions),
    )


def require_same_delegation(asked: str, owner: str) -> None:
    """Refuse to change who does the work.

    Raises:
        ProtocolError: it is somebody else.
    """
    if asked == "decisions":
        raise unsupported("delegation to 'decisions' is not served: name 'client'", "session.delegation.type")
    if asked != owner:
        raise ProtocolError(
            f"this session delegates to {owner!r}, which cannot become {asked!r}: start another session",
            code="wrong_delegation",
            param="session.delegation.type",
        )


def unsupported(message: str, param: str) -> ProtocolError:
    """The error for a part of the protocol that is not served here."""
    return ProtocolError(message, code="unsupported", param=param)


def _delegation(config: SessionConfig, offer: Offer, limits: Limits) -> ClientDelegation | DelegationResponses:
    """Who does what the model asks for. Where nobody is named, the background of this server, if it has one."""
    wanted = config.delegation
    if wanted is not None and wanted.type == "decisions":
        raise unsupported(
            "delegation to 'decisions' is not served: name 'client' or 'responses'", "session.delegation.type"
        )
    if isinstance(wanted, ClientDelegation) or (wanted is None and offer.background is None):
        return ClientDelegation(type="client")
    functions = _functions(wanted) if isinstance(wanted, WantedResponses) else []
    if offer.background is None and not functions:
        raise unsupported(
            "this server has no background model: start it with --background, offer functions of yours as "
            "delegation.responses.tools, or delegate to 'client'",
            "session.delegation.type",
        )
    instructions = wanted.responses.instructions if isinstance(wanted, WantedResponses) else None
    backend = ResponsesDelegationConfig(
        model=offer.background or "functions",
        tools=[*functions] or None,
        instructions=checked_instructions(instructions, limits) if offer.takes_instructions else None,
    )
    return DelegationResponses(type="responses", responses=backend)


def checked_instructions(instructions: str | None, limits: Limits) -> str | None:
    """What the client's application tells the background model.

    Raises:
        ProtocolError: it is too long.
    """
    if instructions and len(instructions) > limits.max_instructions_chars:
        raise ProtocolError(
            f"instructions of {len(instructions)} characters exceed {limits.max_instructions_chars}: shorten them",
            code="invalid_value",
            param="session.delegation.responses.instructions",
        )
    return instructions


def _functions(wanted: WantedResponses) -> list[FunctionTool]:
    return functions_among(wanted.responses.tools or [])


def functions_among(tools: Sequence[object]) -> list[FunctionTool]:
    """The functions among the tools that a client offers; others are not served.

    Raises:
        ProtocolError: they are too many, or too long.
    """
    functions = [tool for tool in tools if isinstance(tool, FunctionTool)]
    require_few(functions, "session.delegation.responses.tools")
    return functions


def _history(items: list[InitialItem], limits: Limits) -> tuple[TextEvent, ...]:
    """Earlier messages as text events; the assistant's own become a system text that says so."""
    if len(items) > limits.max_history_items:
        raise ProtocolError(
            f"{len(items)} messages of history exceed {limits.max_history_items}: keep the last ones",
            code="invalid_value",
            param="session.input",
        )
    num_chars = sum(len(part.text) for item in items for part in item.content)
    if num_chars > limits.max_history_chars:
        raise ProtocolError(
            f"a history of {num_chars} characters exceeds {limits.max_history_chars}: keep the last messages",
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
    backend = config.delegation.responses if isinstance(config.delegation, WantedResponses) else None
    differs = {
        "model": config.model != offer.model,
        "audio.output.voice": voice is not None and voice != offer.voice,
        "store": config.store is not None and config.store != offer.is_recorded,
        "client": config.client is not None,
        "delegation.acknowledgement_delay_ms": getattr(config.delegation, "acknowledgement_delay_ms", None) is not None,
        "delegation.responses.model": backend is not None and backend.model != offer.background,
    }
    if backend is not None:
        has_other_tools = any(not isinstance(tool, FunctionTool) for tool in backend.tools or [])
        for name in sorted(backend.model_fields_set - {"model"}):
            is_taken = {"tools": not has_other_tools, "instructions": offer.takes_instructions}
            differs[f"delegation.responses.{name}"] = not is_taken.get(name, False)
    unknown = sorted(config.model_extra or {})
    return tuple(name for name, is_different in differs.items() if is_different) + tuple(unknown)


def _format_of(codec: AudioCodec) -> AudioPCM | AudioPCMU | AudioPCMA:
    if codec.encoding == "audio/pcmu":
        return AudioPCMU(type="audio/pcmu", rate=codec.rate_hz)
    if codec.encoding == "audio/pcma":
        return AudioPCMA(type="audio/pcma", rate=codec.rate_hz)
    return AudioPCM(type="audio/pcm", rate=16_000 if codec.rate_hz == 16_000 else 24_000)
