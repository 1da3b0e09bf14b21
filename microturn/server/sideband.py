"""``/v1/live/sessions/{id}/attach``: a trusted client that follows a session which another client holds.

It is told everything but the extensions, hears both sides, and may mute, add context, answer for the client and close.
When it leaves, or reads too slowly, the session goes on without it.
"""

from openai.types.live import InputAudioAppendEvent, SessionStartedEvent, SessionStartEvent
from pydantic import BaseModel
from starlette.websockets import WebSocket

from microturn.errors import ProtocolError
from microturn.protocol.extensions import ExtensionEvent
from microturn.protocol.live import ClientEvent
from microturn.server.channel import Channel
from microturn.server.edge import at_the_edge, hold_websocket
from microturn.server.ending import Ending, Ends
from microturn.server.live_server import LiveServer
from microturn.server.live_session import LiveSession
from microturn.server.log import log_event
from microturn.server.wire import LIVE, NORMAL, POLICY_VIOLATION, Wire


async def hold_sideband(live: LiveServer, websocket: WebSocket, session: LiveSession) -> None:
    """Serve one client that attaches to a session, until either ends."""
    await hold_websocket(live, websocket, lambda channel: Sideband(live, channel, session))


class Sideband:
    """One client that follows a session."""

    def __init__(self, live: LiveServer, channel: Channel, session: LiveSession) -> None:
        self._limits = live.limits
        self._session = session
        self._ends = Ends()
        self.wire: Wire[ClientEvent] = Wire(
            channel, LIVE, live.limits, live.clock, session.audience.new_event_id, channel.allowance
        )

    async def converse(self) -> int:
        """Follow the session; returns the WebSocket status to close with."""
        return await at_the_edge(self.wire, self._session.setup.resource.id, self._hold())

    def send(self, event: BaseModel) -> None:
        """Pass on what the session tells. Raises ClientGoneError when the client does not read."""
        self.wire.send(event)

    def leave(self) -> None:
        """The session is over, or goes on without this client."""
        self._ends.end(Ending(reason="close_requested"))

    async def _hold(self) -> int:
        resource = self._session.setup.resource
        log_event("client attached", session=resource.id)
        self.wire.send(SessionStartedEvent(type="session.started", event_id=self.wire.new_event_id(), session=resource))
        self._session.audience.join(self)
        try:
            ending = await self._ends.of([self._receive()], within_ms=self._limits.max_session_ms)
        finally:
            self._session.audience.leave(self)
        log_event("attached client left", session=resource.id, detail=ending.detail)
        return POLICY_VIOLATION if ending.detail else NORMAL

    async def _receive(self) -> None:
        while True:
            event = await self.wire.receive()
            try:
                if isinstance(event, SessionStartEvent | InputAudioAppendEvent | ExtensionEvent):
                    raise ProtocolError(
                        f"{event.type} is for the client that holds the session: this one has attached to it",
                        code="unsupported",
                        param="type",
                    )
                await self._session.carry_out(event)
            except ProtocolError as error:
                error.client_event_id = event.event_id
                self.wire.refuse(error)
