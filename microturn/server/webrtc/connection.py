"""GPT-Live over WebRTC: an HTTP request brings the settings and an SDP offer, the answer opens media and events."""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Literal

from openai.types.live import SessionConfig, SessionStartEvent
from openai.types.live.live_create_response import LiveCreateResponse, Session, Transport
from pydantic import BaseModel

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec
from microturn.server.connection import Connection, at_the_edge, converse_and_flush
from microturn.server.engine_port import EngineSession
from microturn.server.live_server import LiveServer
from microturn.server.session_setup import SessionSetup
from microturn.server.webrtc.peer import Peer
from microturn.server.webrtc.rtp import RTP_HZ
from microturn.server.wire import ClientMisbehavesError


class OfferedTransport(BaseModel):
    """How the client wants to be reached."""

    type: Literal["webrtc"]
    sdp: str


class CreateRequest(BaseModel):
    """The body of ``POST /v1/live/sessions``, as ``openai.live.create`` sends it."""

    session: SessionConfig
    transport: OfferedTransport


async def create_session(
    live: LiveServer, request: CreateRequest, stay: AbstractContextManager[None]
) -> LiveCreateResponse:
    """Answer an offer; the session goes on in a task of the server's.

    Raises:
        ProtocolError: settings or an offer that cannot be served.
        CapacityError: no slot is left.
    """
    if request.session.audio and request.session.audio.format:
        raise ProtocolError(
            "WebRTC settles the audio format by itself: leave it out",
            code="invalid_value",
            param="session.audio.format",
        )
    peer = Peer(live.clock, live.ice_servers)
    connection = PeerConnection(live, peer, request.session)
    try:
        sdp = await peer.answer(request.transport.sdp)
        await connection.open()
    except BaseException:
        await peer.close()
        raise
    live.spawn(connection.hold(stay))
    return LiveCreateResponse(session=Session(id=connection.session_id), transport=Transport(type="webrtc", sdp=sdp))


class PeerConnection(Connection):
    """One WebRTC client: its session is settled before its first message."""

    def __init__(self, live: LiveServer, peer: Peer, config: SessionConfig) -> None:
        super().__init__(live, peer.channel, peer)
        self._peer = peer
        setup = self.resolve(config)
        assert setup.resource.audio is not None, "a session has audio settings"
        setup.resource.audio.format = None
        self._setup: SessionSetup = replace(setup, codec=AudioCodec(encoding="audio/pcm", rate_hz=RTP_HZ))
        self._opening = SessionStartEvent(type="session.start", session=config)
        self._engine_session: EngineSession | None = None

    async def open(self) -> None:
        """Take a slot of the engine.

        Raises:
            CapacityError: none is left.
        """
        self._engine_session = await self._live.engine.open(self._setup.instructions, None)

    async def hold(self, stay: AbstractContextManager[None]) -> None:
        """Wait for the data channel, converse, and hang up."""
        self._live.connect()
        try:
            with stay:
                await converse_and_flush(self)
        finally:
            await self._peer.close()
            self._live.disconnect()

    async def converse(self) -> int:
        """Hold the session."""
        return await at_the_edge(self.wire, self._session_id, self._hold())

    async def _hold(self) -> int:
        assert self._engine_session is not None, "opened before the offer is answered"
        try:
            async with asyncio.timeout(self._limits.start_within_ms / 1000):
                await self._peer.channel.opened.wait()
        except TimeoutError:
            pass
        if not self._peer.channel.is_open:
            await self._engine_session.close()
            raise ClientMisbehavesError("the data channel did not open in time")
        return await self._run(self._opening, self._setup, self._engine_session)
