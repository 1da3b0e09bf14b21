"""A connection from its first message to its last: start, conversation, end. Nothing that goes wrong here leaves it."""

import asyncio
import time
import uuid
from typing import Any

from openai.types.live import ForkSessionStartEvent, SessionConfig, SessionStartedEvent, SessionStartEvent
from starlette.websockets import WebSocket

from microturn.errors import JournalError, MicroturnError, ProtocolError, SessionClosedError
from microturn.protocol.extensions import ResumeEvent
from microturn.protocol.live import ClientEvent
from microturn.server.channel import Channel
from microturn.server.directory import Entry
from microturn.server.edge import at_the_edge, event_ids, hold_websocket
from microturn.server.ending import Ending
from microturn.server.engine_port import EngineSession
from microturn.server.live_server import LiveServer
from microturn.server.live_session import LiveSession
from microturn.server.log import log_event
from microturn.server.media import Media
from microturn.server.session_setup import SessionSetup, resolve_setup, resumed_setup
from microturn.server.wire import (
    GOING_AWAY,
    LIVE,
    NORMAL,
    POLICY_VIOLATION,
    SERVER_ERROR,
    ClientMisbehavesError,
    Dialect,
    Wire,
)

Opening = SessionStartEvent | ForkSessionStartEvent | ResumeEvent
"""The messages that can come first."""

_MAX_SHOWN_CHARS = 400


async def hold_connection(live: LiveServer, websocket: WebSocket, owner: str) -> None:
    """Serve one GPT-Live connection until it ends.

    Args:
        owner: Name of the key's holder.
    """
    await hold_websocket(live, websocket, lambda channel: Connection(live, channel, owner))


class Connection:
    """One client of GPT-Live, and the one session that it may have.

    Args:
        owner: Name of the key's holder, who alone can find the session by its id.
    """

    _dialect: Dialect[Any] = LIVE

    def __init__(self, live: LiveServer, channel: Channel, owner: str, media: Media | None = None) -> None:
        self._live = live
        self._limits = live.limits
        self._owner = owner
        self._media = media
        self._session_id = f"live_{uuid.uuid4().hex}"
        self.wire: Wire[Any] = Wire(
            channel, self._dialect, live.limits, live.clock, event_ids(self._session_id), channel.allowance
        )

    async def converse(self) -> int:
        """Hold the session; returns the WebSocket status to close with."""
        return await at_the_edge(self.wire, self._session_id, self._hold())

    async def _hold(self) -> int:
        opening, setup, engine_session = await self._begin()
        return await self._run(opening, setup, engine_session)

    async def _begin(self) -> tuple[Opening, SessionSetup, EngineSession]:
        """Read messages until one opens a session; the others are refused."""
        deadline_s = asyncio.get_running_loop().time() + self._limits.start_within_ms / 1000
        while True:
            try:
                async with asyncio.timeout_at(deadline_s):
                    event = await self.wire.receive()
            except TimeoutError:
                self.wire.fail(
                    "session_start_timeout",
                    f"no session.start within {self._limits.start_within_ms} ms: send it right after connecting",
                )
                raise ClientMisbehavesError from None
            try:
                return await self._open(event)
            except ProtocolError as error:
                error.client_event_id = event.event_id
                self.wire.refuse(error)

    def resolve(self, config: SessionConfig) -> SessionSetup:
        """The settings of this connection's session.

        Raises:
            ProtocolError: something that cannot be served or replaced.
        """
        return resolve_setup(
            config,
            offer=self._live.offer,
            limits=self._limits,
            session_id=self._session_id,
            expires_at_s=self.expires_at_s,
        )

    @property
    def session_id(self) -> str:
        """Names the session to the client and in logs."""
        return self._session_id

    @property
    def expires_at_s(self) -> int:
        """When a session that starts now is over, in Unix time."""
        return int(time.time() + self._limits.max_session_ms / 1000)

    async def _open(self, event: ClientEvent) -> tuple[Opening, SessionSetup, EngineSession]:
        """What the first message asks for.

        Raises:
            ProtocolError: it does not open a session, or not one that can be had.
        """
        if isinstance(event, SessionStartEvent):
            setup = self.resolve(event.session)
            return event, setup, await self._live.engine.open(setup.instructions, None)
        if isinstance(event, ResumeEvent):
            own_id, before = self._session_id, self._live.directory.entry_of(event.resume_token)
            self._session_id = before.session_id if before else own_id
            try:
                if before is None:
                    setup = self.resolve(event.session)
                else:
                    setup = resumed_setup(before.setup, event.session, expires_at_s=self.expires_at_s)
                return event, setup, await self._resume(event)
            except ProtocolError:
                self._session_id = own_id  # The next attempt may be a new session.
                raise
        raise not_started(event)

    async def _resume(self, event: ResumeEvent) -> EngineSession:
        try:
            return await self._live.engine.resume(event.resume_token)
        except (JournalError, SessionClosedError):
            raise ProtocolError(
                "this session cannot be resumed, it was closed or too long ago: send session.start for a new one",
                code="session_not_resumable",
                param="resume_token",
            ) from None

    async def _run(self, opening: Opening, setup: SessionSetup, engine_session: EngineSession) -> int:
        is_parked = False
        entry: Entry | None = None
        try:
            self._greet(opening, setup)
            session = LiveSession(self.wire, engine_session, setup, self._limits, self._live.clock, self._media)
            entry = Entry(
                session_id=self._session_id,
                owner=self._owner,
                setup=setup,
                resume_token=engine_session.resume_token,
                session=session,
            )
            self._live.directory.enter(entry)
            if isinstance(opening, SessionStartEvent):
                session.push_history()
            codec = setup.codec
            log_event(
                "session started",
                session=self._session_id,
                is_resumed=isinstance(opening, ResumeEvent),
                encoding=codec.encoding,
                rate_hz=codec.rate_hz,
            )
            try:
                ending = await self._run_to_its_end(session)
            except* MicroturnError as errors:  # The engine failed it: what was recorded can be resumed.
                is_parked = session.is_resumable and errors.subgroup(_is_deletion) is None
                raise
            is_parked = session.is_resumable and ending.detail in ("client_gone", "server_stopping")
        finally:
            if entry is not None:
                self._live.directory.leave(entry, is_parked=is_parked)
            await (engine_session.park() if is_parked else engine_session.close())
        log_event(
            "session ended",
            session=self._session_id,
            reason=ending.reason,
            detail=ending.detail,
            is_parked=is_parked,
            **session.counters(),
        )
        return self._say_goodbye(session, ending)

    async def _run_to_its_end(self, session: LiveSession) -> Ending:
        self._live.enter(session)
        try:
            return await session.run()
        except BaseException:
            session.audience.close()  # It broke: those who follow cannot be told how it ended.
            raise
        finally:
            self._live.leave(session)

    def _greet(self, opening: Opening, setup: SessionSetup) -> None:
        self.wire.send(
            SessionStartedEvent(
                type="session.started",
                event_id=self.wire.new_event_id(),
                client_event_id=opening.event_id,
                session=setup.resource,
            )
        )
        if setup.replaced:
            names = ", ".join(setup.replaced)[:_MAX_SHOWN_CHARS]
            self.wire.inform("settings_replaced", f"not as asked for: {names}; session.started holds what is in force")

    def _say_goodbye(self, session: LiveSession, ending: Ending) -> int:
        closed = session.closed_event(ending)
        session.audience.close(closed)
        if ending.detail == "client_gone":
            return POLICY_VIOLATION
        if ending.detail == "server_stopping":
            self.wire.inform("server_stopping", "the server goes away: connect again when it is back")
        elif ending.detail == "engine_ended":
            self.wire.fail("engine_ended", "the engine closed this session: connect again")
        self.wire.send(closed)
        statuses = {"misbehaviour": POLICY_VIOLATION, "engine_ended": SERVER_ERROR, "server_stopping": GOING_AWAY}
        return statuses.get(ending.detail, NORMAL)


def _is_deletion(error: BaseException) -> bool:
    """Whether a session's recording was deleted while it ran: it is not resumed."""
    return isinstance(error, JournalError) and error.session_ids is not None


def not_started(event: ClientEvent) -> ProtocolError:
    """The error for a message that came before the session."""
    return ProtocolError(
        f"{event.type} came before the session: send session.start and wait for session.started",
        code="session_not_started",
    )
