"""GPT-Live over WebRTC: an HTTP request brings the settings and an SDP offer, the answer opens media and events."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Literal

from openai.types.live import ClientConfig, ForkSessionConfig, ForkSessionStartEvent, SessionConfig, SessionStartEvent
from openai.types.live.live_create_response import LiveCreateResponse, Session, Transport
from pydantic import BaseModel, Field

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec
from microturn.server.admission import Allowance
from microturn.server.connection import Connection, Opening
from microturn.server.directory import Entry
from microturn.server.edge import at_the_edge
from microturn.server.engine_port import EngineSession
from microturn.server.fork import open_fork
from microturn.server.live_server import LiveServer
from microturn.server.session_setup import SessionSetup
from microturn.server.webrtc.calls import channel_opened, hold_call
from microturn.server.webrtc.peer import Peer
from microturn.server.webrtc.rtp import RTP_HZ
from microturn.server.wire import Permissions


class OfferedTransport(BaseModel):
    """How the client wants to be reached."""

    type: Literal["webrtc"]
    sdp: str


class CreateRequest(BaseModel):
    """The body of ``POST /v1/live/sessions``, as ``openai.live.create`` sends it."""

    session: SessionConfig
    transport: OfferedTransport


class ForkRequest(BaseModel):
    """The body of ``POST /v1/live/sessions/{id}/fork``, as ``openai.live.sessions.fork`` sends it."""

    session: ForkSessionConfig = Field(default_factory=ForkSessionConfig)
    transport: OfferedTransport


async def create_session(
    live: LiveServer, request: CreateRequest, stay: AbstractContextManager[object], owner: str, allowance: Allowance
) -> LiveCreateResponse:
    """Answer an offer; the session goes on in a task of the server's.

    Raises:
        ProtocolError: settings or an offer that cannot be served.
        CapacityError: no slot is left.
    """
    config = request.session
    _refuse_format(config.audio is not None and config.audio.format is not None)
    opening = SessionStartEvent(type="session.start", session=config)

    async def open_session(connection: PeerConnection) -> tuple[SessionSetup, EngineSession]:
        setup = connection.resolve(config)
        setup = replace(setup, replaced=tuple(name for name in setup.replaced if name != "client"))
        return setup, await live.engine.open(setup.instructions, None)

    return await _answer(live, request.transport, stay, owner, allowance, opening, config.client, open_session)


async def create_fork(
    live: LiveServer, request: ForkRequest, stay: AbstractContextManager[object], origin: Entry, allowance: Allowance
) -> LiveCreateResponse:
    """Answer an offer with a session that goes on from where another one stands. Raises as ``create_session``."""
    config = request.session
    _refuse_format(config.audio is not None and config.audio.format is not None)
    opening = ForkSessionStartEvent(type="session.start", session=config)

    async def open_session(connection: PeerConnection) -> tuple[SessionSetup, EngineSession]:
        return await open_fork(
            live, origin, config, session_id=connection.session_id, expires_at_s=connection.expires_at_s
        )

    permissions = config.client or origin.setup.resource.client
    return await _answer(live, request.transport, stay, origin.owner, allowance, opening, permissions, open_session)


class PeerConnection(Connection):
    """One WebRTC client: its session is settled before its first message."""

    def __init__(self, live: LiveServer, peer: Peer, owner: str, opening: Opening, client: ClientConfig | None) -> None:
        super().__init__(live, peer.channel, owner, peer)
        self._peer = peer
        self._opening = opening
        self._client = client
        self._opened: tuple[SessionSetup, EngineSession] | None = None

    async def open(self, open_session: "OpenSession") -> None:
        """Take a slot of the engine.

        Raises:
            ProtocolError: settings that cannot be served.
            CapacityError: no slot is left.
        """
        setup, engine_session = await open_session(self)
        resource = setup.resource
        assert resource.audio is not None, "a session has audio settings"
        resource.audio.format, resource.client = None, self._client
        self._opened = replace(setup, codec=AudioCodec(encoding="audio/pcm", rate_hz=RTP_HZ)), engine_session

    async def converse(self) -> int:
        """Hold the session."""
        return await at_the_edge(self.wire, self._session_id, self._hold())

    async def _hold(self) -> int:
        assert self._opened is not None, "opened before the offer is answered"
        setup, engine_session = self._opened
        await channel_opened(self._peer, engine_session, self._limits.start_within_ms)
        if self._client is not None:
            self.wire.inform("data_channel_permissions", "this data channel carries some events only")
            self.wire.permissions = Permissions(self._client.data_channel)
        return await self._run(self._opening, setup, engine_session)


OpenSession = Callable[[PeerConnection], Awaitable[tuple[SessionSetup, EngineSession]]]
"""Settles the settings of a session and takes a slot of the engine."""


async def _answer(
    live: LiveServer,
    transport: OfferedTransport,
    stay: AbstractContextManager[object],
    owner: str,
    allowance: Allowance,
    opening: Opening,
    client: ClientConfig | None,
    open_session: OpenSession,
) -> LiveCreateResponse:
    peer = Peer(live.clock, live.limits, allowance, live.ice_servers)
    connection = PeerConnection(live, peer, owner, opening, client)
    try:
        sdp = await peer.answer(transport.sdp)
        await connection.open(open_session)
    except BaseException:
        await peer.close()
        raise
    live.spawn(hold_call(peer, connection, stay))
    return LiveCreateResponse(session=Session(id=connection.session_id), transport=Transport(type="webrtc", sdp=sdp))


def _refuse_format(has_format: bool) -> None:
    if has_format:
        raise ProtocolError(
            "WebRTC settles the audio format by itself: leave it out",
            code="invalid_value",
            param="session.audio.format",
        )
