"""``/v1/live/sessions/{id}/fork``: a session of its own that begins where another one stands."""

from dataclasses import replace

from openai.types.live import ForkSessionConfig, ForkSessionStartEvent
from starlette.websockets import WebSocket

from microturn.errors import JournalError, ProtocolError, SessionClosedError
from microturn.protocol.live import ClientEvent
from microturn.server.channel import Channel
from microturn.server.connection import Connection, Opening, not_started
from microturn.server.directory import Entry
from microturn.server.edge import hold_websocket
from microturn.server.engine_port import EngineSession
from microturn.server.live_server import LiveServer
from microturn.server.session_setup import SessionSetup, fork_setup, unsupported
from microturn.server.wire import FORK
from microturn.turns.timing import IN_SAMPLES_PER_TURN


async def hold_fork(live: LiveServer, websocket: WebSocket, origin: Entry) -> None:
    """Serve one connection to a fork until it ends."""
    await hold_websocket(live, websocket, lambda channel: ForkConnection(live, channel, origin))


class ForkConnection(Connection):
    """One client of GPT-Live, whose session goes on from where another one stands when it starts."""

    _dialect = FORK

    def __init__(self, live: LiveServer, channel: Channel, origin: Entry) -> None:
        super().__init__(live, channel, origin.owner)
        self._origin = origin

    async def _open(self, event: ClientEvent | ForkSessionStartEvent) -> tuple[Opening, SessionSetup, EngineSession]:
        if not isinstance(event, ForkSessionStartEvent):
            raise not_started(event)
        if event.session.client is not None:
            raise unsupported("permissions are for the data channels of WebRTC: leave client out", "session.client")
        setup, engine_session = await open_fork(
            self._live, self._origin, event.session, session_id=self.session_id, expires_at_s=self.expires_at_s
        )
        return event, setup, engine_session


async def open_fork(
    live: LiveServer, origin: Entry, config: ForkSessionConfig, *, session_id: str, expires_at_s: int
) -> tuple[SessionSetup, EngineSession]:
    """Settle a fork's settings, and copy the state.

    Raises:
        ProtocolError: settings that a fork cannot have, or the session has been closed meanwhile.
        CapacityError: no slot is left.
    """
    setup = fork_setup(origin.setup, config, session_id=session_id, expires_at_s=expires_at_s)
    try:
        engine_session = await live.engine.fork(origin.resume_token)
    except (JournalError, SessionClosedError):
        raise ProtocolError(
            "this session cannot be forked any more, it was closed or too long ago: start a new one",
            code="session_not_forkable",
        ) from None
    return replace(setup, first_turn=engine_session.next_sample // IN_SAMPLES_PER_TURN), engine_session
