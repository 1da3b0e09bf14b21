"""One conversation with a server, over as many connections as it takes."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openai.types.live import (
    ErrorEvent,
    InputAudioAppendEvent,
    InputAudioMuteEvent,
    InputAudioUnmuteEvent,
    OutputAudioDeltaEvent,
    SessionClosedEvent,
    SessionCloseEvent,
    SessionConfig,
    SessionResource,
    SessionStartedEvent,
    SessionStartEvent,
)
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from microturn.client.address import DEFAULT_URL, parse_address
from microturn.errors import MicroturnError, SessionClosedError
from microturn.protocol.codec import AudioCodec, from_base64, to_base64
from microturn.protocol.extensions import (
    MAX_TOOL_RULES,
    CameraFrameEvent,
    Eagerness,
    EagernessUpdateEvent,
    ExtensionsEnabledEvent,
    ExtensionsEnableEvent,
    ResumeEvent,
    SayEvent,
    TextEvent,
    ToolPermission,
    ToolRule,
    ToolsUpdateEvent,
)
from microturn.protocol.live import SERVER_EVENT, ClientEvent, ServerEvent
from microturn.turns.timing import OUT_HZ

WIRE_HZ = OUT_HZ
"""Both directions are PCM16 at this rate."""
RETRY_AFTER_MS = (0, 500, 1_000, 2_000, 4_000, 8_000)
_CODEC = AudioCodec(encoding="audio/pcm", rate_hz=WIRE_HZ)


def connect(
    url: str = DEFAULT_URL,
    *,
    key: str | None = None,
    model: str = "nano",
    instructions: str | None = None,
    tools: Mapping[str, ToolPermission] | None = None,
    eagerness: Eagerness = "auto",
    tls: ssl.SSLContext | None = None,
    retry_after_ms: Sequence[int] = RETRY_AFTER_MS,
) -> "LiveClient":
    """A client, to be entered with ``async with``.

    Args:
        url: of the server, or the page's address with its ``#key=``.
        key: where the server needs one and the address does not carry it.
        instructions: what the model should keep to.
        tools: what stands about the tools of the background model from the start, as in ``LiveClient.permit``.
        eagerness: how readily the model begins to speak, as in ``LiveClient.set_eagerness``.
        tls: for a server whose certificate the system does not know.
        retry_after_ms: pauses before each try to come back after a lost connection; empty gives up at once.

    Raises:
        ValueError: not an address, ``tls`` for one that is not of https, or no permission of tools.
    """
    session: dict[str, Any] = {"model": model, "audio": {"format": {"type": "audio/pcm", "rate": WIRE_HZ}}}
    if instructions:
        session["instructions"] = instructions
    return LiveClient(url, key, SessionConfig.model_validate(session), tls, retry_after_ms, tools, eagerness)


def samples_of(event: OutputAudioDeltaEvent) -> NDArray[np.float32]:
    """The sound of an event, (num_samples,) in [-1, 1] at ``WIRE_HZ``."""
    return _CODEC.decode(from_base64(event.delta, param="delta"))


class LiveClient:
    """A session: ``send_*`` from any task, iterate over the server's events from one.

    Iteration ends with ``session.closed``. When the connection is lost it goes on with the same session on another;
    what is sent meanwhile is dropped and counted. Use ``connect``.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        config: SessionConfig,
        tls: ssl.SSLContext | None,
        retry_after_ms: Sequence[int],
        tools: Mapping[str, ToolPermission] | None = None,
        eagerness: Eagerness = "auto",
    ) -> None:
        address = parse_address(url)
        self._url, self._key = address.url, key or address.key
        if tls is not None and not self._url.startswith("wss:"):
            raise ValueError(f"{address.url} shows no certificate: give an https address, or leave the certificate out")
        self._config = config
        self._tls = tls
        self._retry_after_ms = tuple(retry_after_ms)
        self._socket: ClientConnection | None = None
        self._resume_token: str | None = None
        self._is_muted = False
        self._is_closed = False
        self._eagerness: Eagerness = eagerness
        self._tool_rules: dict[str, ToolRule] = {}
        """All that was said about tools, by pattern, the latest last: said again to whoever resumes the session."""
        self._note_rules(tools or {})
        self.resource: SessionResource | None = None
        """The settings in force, once the session has started; ``store`` tells whether the server records."""
        self.num_dropped_events = 0
        """Sent while there was no connection."""

    async def __aenter__(self) -> "LiveClient":
        """Connect and start the session.

        Raises:
            MicroturnError: no server, or one that refuses.
        """
        await self._open(SessionStartEvent(type="session.start", session=self._config))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._socket is not None and not self._is_closed:
            await self.close()
        if self._socket is not None:
            await self._socket.close()

    async def send_audio(self, samples: NDArray[np.float32]) -> None:
        """Sound of the user, (num_samples,) in [-1, 1] at ``WIRE_HZ``; 20 to 200 ms at a time, in their time."""
        audio = to_base64(_CODEC.encode(samples))
        await self._send(InputAudioAppendEvent(type="session.input_audio.append", audio=audio))

    async def send_text(self, text: str) -> None:
        """Text as if typed by the user."""
        await self._send(TextEvent(type="microturn.text", text=text))

    async def say(self, text: str) -> None:
        """Have the model say this word for word, now: up to 500 characters."""
        await self._send(SayEvent(type="microturn.say", text=text))

    async def send_frame(self, jpeg: bytes) -> None:
        """A picture of the camera or the screen, taken now: the bytes of a JPEG file."""
        image = base64.b64encode(jpeg).decode("ascii")
        await self._send(CameraFrameEvent(type="microturn.camera_frame", image=image))

    async def mute(self, is_muted: bool = True) -> None:
        """Let the model hear silence, whatever is sent; or the user again."""
        self._is_muted = is_muted
        if is_muted:
            await self._send(InputAudioMuteEvent(type="session.input_audio.mute"))
        else:
            await self._send(InputAudioUnmuteEvent(type="session.input_audio.unmute"))

    async def permit(self, tools: Mapping[str, ToolPermission]) -> None:
        """Say what stands about tools of the background model in this session: ``{"home_*": "deny"}``.

        What the operator of the server denies stays denied. Of the names and patterns that fit a tool the latest
        counts. The answer is a ``microturn.tools`` event. Said again when the session is resumed, so that it also holds
        where another process goes on with it: a yes of the user's does not outlast that where "ask" was said.

        Raises:
            ValueError: too many patterns, one that is empty or too long, or no permission.
        """
        rules = self._note_rules(tools)
        if rules:
            await self._send(ToolsUpdateEvent(type="microturn.tools.update", rules=rules))

    async def set_eagerness(self, eagerness: Eagerness) -> None:
        """Say how readily the model begins to speak from now on; said again when the session is resumed.

        ``low`` leaves the user more time to think, ``high`` answers sooner and speaks into more pauses, ``auto`` is the
        model as it was trained.
        """
        self._eagerness = eagerness
        await self._send(EagernessUpdateEvent(type="microturn.eagerness.update", eagerness=eagerness))

    async def close(self) -> None:
        """End the session; ``session.closed`` is the last event."""
        self._is_closed = True
        await self._send(SessionCloseEvent(type="session.close"))

    async def __aiter__(self) -> AsyncIterator[ServerEvent]:
        """The server's events.

        Raises:
            SessionClosedError: the connection was lost and the session cannot be resumed.
            MicroturnError: the server could not be reached again.
        """
        while True:
            event = await self._receive()
            if event is None:
                if self._is_closed:
                    return
                await self._resume()
                continue
            if isinstance(event, ExtensionsEnabledEvent):
                self._resume_token = event.resume_token
            yield event
            if isinstance(event, SessionClosedEvent):
                self._is_closed = True
                return

    def _note_rules(self, tools: Mapping[str, ToolPermission]) -> list[ToolRule]:
        rules = [ToolRule(tool=pattern, permission=permission) for pattern, permission in tools.items()]
        noted = dict(self._tool_rules)
        for rule in rules:
            if rule.tool == "*":
                noted.clear()  # none before it counts any more
            noted.pop(rule.tool, None)
            noted[rule.tool] = rule
        if len(noted) > MAX_TOOL_RULES:
            raise ValueError(f"{len(noted)} rules for tools exceed {MAX_TOOL_RULES}: use patterns such as 'home_*'")
        self._tool_rules = noted
        return rules

    async def _send(self, event: ClientEvent) -> None:
        if self._socket is None:
            self.num_dropped_events += 1
            return
        try:
            await self._socket.send(_json(event))
        except ConnectionClosed:
            self.num_dropped_events += 1

    async def _receive(self) -> ServerEvent | None:
        """The next event; None when the connection is gone."""
        if self._socket is None:
            return None
        try:
            return SERVER_EVENT.validate_json(await self._socket.recv(decode=True))
        except ConnectionClosed:
            return None

    async def _open(self, opening: SessionStartEvent | ResumeEvent) -> None:
        """Connect, start or resume, and switch the extensions on."""
        socket = await self._connected()
        try:
            self.resource = (await _begin(socket, opening)).session
        except BaseException:
            await socket.close()
            raise
        self._socket = socket  # only now may sound go out: before the start it would be refused
        tools = [*self._tool_rules.values()] or None
        await self._send(ExtensionsEnableEvent(type="microturn.extensions.enable", turns=True, tools=tools))
        if self._is_muted:
            await self.mute()
        if self._eagerness != "auto" or isinstance(opening, ResumeEvent):
            await self.set_eagerness(self._eagerness)

    async def _connected(self) -> ClientConnection:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        tls = self._tls or (True if self._url.startswith("wss:") else None)
        try:
            return await open_websocket(self._url, additional_headers=headers, max_size=None, ssl=tls)
        except InvalidStatus as error:
            raise _refusal(error.response, self._url) from None
        except ssl.SSLCertVerificationError as error:
            raise MicroturnError(
                f"{self._url} shows a certificate that is not trusted here ({error.verify_message}): if the server "
                "signed its own, give that with --cert"
            ) from None
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise MicroturnError(
                f"{self._url} cannot be reached ({_reason(error)}): is `microturn serve` running there?"
            ) from None

    async def _resume(self) -> None:
        """Come back to the session on another connection."""
        self._socket = None
        if self._resume_token is None:
            raise SessionClosedError("the connection was lost before the session could be resumed: connect again")
        opening = ResumeEvent(type="microturn.session.resume", resume_token=self._resume_token, session=self._config)
        failure: MicroturnError = SessionClosedError("the connection was lost, and no retries were asked for")
        for pause_ms in self._retry_after_ms:
            await asyncio.sleep(pause_ms / 1000)
            try:
                await self._open(opening)
            except SessionClosedError:
                raise
            except MicroturnError as error:
                failure = error
            else:
                if self._is_closed:  # Asked for while there was no connection.
                    await self._send(SessionCloseEvent(type="session.close"))
                return
        raise failure


async def _begin(socket: ClientConnection, opening: SessionStartEvent | ResumeEvent) -> SessionStartedEvent:
    """Ask for the session and wait until it has started.

    Raises:
        SessionClosedError: refused; while resuming, only what trying again would not change.
        MicroturnError: the connection went away, or there is no room to resume now.
    """
    try:
        await socket.send(_json(opening))
        while True:
            event = SERVER_EVENT.validate_json(await socket.recv(decode=True))
            if isinstance(event, SessionStartedEvent):
                return event
            if isinstance(event, ErrorEvent):
                is_final = isinstance(opening, SessionStartEvent) or event.error.code == "session_not_resumable"
                raise (SessionClosedError if is_final else MicroturnError)(event.error.message)
    except ConnectionClosed:
        raise MicroturnError("the connection was lost before the session had started: connect again") from None


def _json(event: ClientEvent) -> str:
    return event.model_dump_json(exclude_none=True)


def _refusal(response: Response, url: str) -> MicroturnError:
    """A refusal in the server's own words, where it gave any."""
    try:
        message = str(json.loads(response.body or b"")["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"{_phrase(response)}: is this a microturn server?"
    return MicroturnError(f"{url} refused ({response.status_code}): {message}")


def _phrase(response: Response) -> str:
    """What a status is called; those of proxies are not in the list of standard ones."""
    try:
        return HTTPStatus(response.status_code).phrase
    except ValueError:
        return response.reason_phrase


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
