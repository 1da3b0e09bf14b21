"""A Realtime connection from its first message to its last. The session starts before the client says a word."""

import dataclasses
import time

from openai.types.realtime import ConversationCreatedEvent, SessionCreatedEvent
from openai.types.realtime.conversation_created_event import Conversation as ConversationResource
from starlette.websockets import WebSocket

from microturn.server.channel import Channel
from microturn.server.edge import at_the_edge, event_ids, hold_websocket
from microturn.server.engine_port import EngineSession
from microturn.server.live_server import LiveServer
from microturn.server.log import log_event
from microturn.server.media import Media
from microturn.server.realtime.conversation import new_id
from microturn.server.realtime.session import RealtimeSession
from microturn.server.realtime.settings import RealtimeSettings
from microturn.server.wire import GOING_AWAY, NORMAL, POLICY_VIOLATION, REALTIME, SERVER_ERROR, Wire

MAX_LEAD_MS = 60_000
"""Turn-based clients may send a whole utterance in one go; it is then heard at the pace of speech."""


async def hold_realtime(live: LiveServer, websocket: WebSocket) -> None:
    """Serve one Realtime connection until it ends."""
    await hold_websocket(live, websocket, lambda channel: RealtimeConnection(live, channel))


class RealtimeConnection:
    """One client of Realtime, and its session."""

    def __init__(self, live: LiveServer, channel: Channel) -> None:
        self._live = live
        self._limits = dataclasses.replace(live.limits, max_audio_lead_ms=MAX_LEAD_MS)
        self.session_id = new_id("sess")
        self._settings = RealtimeSettings(model=live.offer.model, voice=live.offer.voice)
        self.wire = Wire(channel, REALTIME, self._limits, live.clock, event_ids(self.session_id), channel.allowance)

    async def converse(self) -> int:
        """Hold the session; returns the WebSocket status to close with."""
        return await at_the_edge(self.wire, self.session_id, self._hold())

    async def _hold(self) -> int:
        return await self.hold_session(await self._live.engine.open(None, None))

    async def hold_session(self, engine_session: EngineSession, media: Media | None = None) -> int:
        """Hold a session whose slot has been taken; returns the WebSocket status to close with.

        Args:
            media: The tracks that carry sound and pictures; without them, messages do.
        """
        expires_at_s = int(time.time() + self._limits.max_session_ms / 1000)
        settings = self._settings
        try:
            self.wire.send(
                SessionCreatedEvent(
                    type="session.created",
                    event_id=self.wire.new_event_id(),
                    session=settings.resource(self.session_id, expires_at_s),
                )
            )
            self.wire.send(
                ConversationCreatedEvent(
                    type="conversation.created",
                    event_id=self.wire.new_event_id(),
                    conversation=ConversationResource(id=new_id("conv"), object="realtime.conversation"),
                )
            )
            log_event("session started", session=self.session_id, protocol="realtime")
            session = RealtimeSession(
                self.wire,
                engine_session,
                settings,
                self._limits,
                self._live.clock,
                session_id=self.session_id,
                expires_at_s=expires_at_s,
                media=media,
            )
            self._live.enter(session)
            try:
                ending = await session.run()
            finally:
                self._live.leave(session)
        finally:
            await engine_session.close()
        log_event(
            "session ended",
            session=self.session_id,
            reason=ending.reason,
            detail=ending.detail,
            turns=session.num_turns,
            refused_messages=self.wire.num_refused_messages,
        )
        if ending.detail == "engine_ended":
            self.wire.fail("engine_ended", "the engine closed this session: connect again")
        elif ending.reason == "expired":
            self.wire.fail("session_expired", "the session has reached its maximum length: connect again")
        elif ending.detail == "server_stopping":
            self.wire.fail("server_stopping", "the server goes away: connect again when it is back")
        statuses = {
            "client_gone": POLICY_VIOLATION,
            "misbehaviour": POLICY_VIOLATION,
            "engine_ended": SERVER_ERROR,
            "server_stopping": GOING_AWAY,
        }
        return statuses.get(ending.detail, NORMAL)
