"""A connection from its first message to its last: start, conversation, end. Nothing that goes wrong here leaves it."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from openai.types.live import SessionStartedEvent, SessionStartEvent
from starlette.websockets import WebSocket, WebSocketDisconnect

from microturn.clock import Clock, SystemClock
from microturn.errors import CapacityError, ProtocolError
from microturn.server.access import chosen_subprotocol
from microturn.server.engine_port import Engine
from microturn.server.limits import Limits
from microturn.server.live_session import Ending, LiveSession
from microturn.server.log import log_event
from microturn.server.session_setup import Offer, SessionSetup, resolve_setup
from microturn.server.wire import (
    GOING_AWAY,
    NORMAL,
    POLICY_VIOLATION,
    SERVER_ERROR,
    TRY_AGAIN_LATER,
    ClientGoneError,
    ClientMisbehavesError,
    Wire,
)

_FLUSH_WITHIN_MS = 2_000
"""Time for a client to take the last events before its connection is cut."""
_MAX_SHOWN_CHARS = 400


@dataclass(kw_only=True)
class LiveServer:
    """What all connections share: the engine, the rules, and who is here."""

    engine: Engine
    offer: Offer
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=SystemClock)
    num_connections: int = 0
    sessions: set[LiveSession] = field(default_factory=set[LiveSession])
    is_stopping: bool = False
    _is_empty: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_until_empty(self) -> None:
        """Wait until no connection is left."""
        while self.num_connections:
            self._is_empty.clear()
            await self._is_empty.wait()

    def stop(self) -> None:
        """Tell every session that the server goes away."""
        self.is_stopping = True
        for session in self.sessions:
            session.end(Ending(reason="close_requested", detail="server_stopping"))

    async def hold(self, websocket: WebSocket) -> None:
        """Serve one connection until it ends."""
        await websocket.accept(subprotocol=chosen_subprotocol(websocket))
        session_id = f"live_{uuid.uuid4().hex}"
        wire = Wire(websocket, self.limits, self.clock, _event_ids(session_id))
        self.num_connections += 1
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(wire.run_sender())
                status = await self._converse(wire, session_id)
                wire.finish()
                await asyncio.wait({sender}, timeout=_FLUSH_WITHIN_MS / 1000)
                sender.cancel()
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # It may have closed already.
                await websocket.close(status)
        finally:
            self.num_connections -= 1
            self._is_empty.set()

    async def _converse(self, wire: Wire, session_id: str) -> int:
        """The conversation; returns the WebSocket status to close with."""
        try:
            return await self._start_and_run(wire, session_id)
        except (ClientGoneError, ClientMisbehavesError) as error:
            log_event("connection ended before its session", session=session_id, why=str(error))
            return POLICY_VIOLATION
        except TimeoutError:
            wire.fail(
                "session_start_timeout",
                f"no session.start within {self.limits.start_within_ms} ms: send it right after connecting",
            )
            return POLICY_VIOLATION
        except CapacityError as error:
            log_event("session refused: no capacity", session=session_id)
            wire.fail("capacity_exceeded", f"{error}: try again when another session has ended")
            return TRY_AGAIN_LATER
        except Exception as error:  # The session's edge: whatever broke, the others go on.
            log_event("session failed", level=logging.ERROR, session=session_id, error=_names_of(error))
            logging.getLogger(__name__).debug("session failed", exc_info=error)
            wire.fail("internal_error", "the server failed in this session: connect again; its log names the error")
            return SERVER_ERROR

    async def _start_and_run(self, wire: Wire, session_id: str) -> int:
        async with asyncio.timeout(self.limits.start_within_ms / 1000):
            start, setup = await self._await_start(wire, session_id)
        engine_session = await self.engine.open(setup.instructions, None)
        try:
            session = LiveSession(wire, engine_session, setup, self.limits, self.clock)
            self._greet(wire, start, setup)
            log_event("session started", session=session_id, encoding=setup.codec.encoding, rate_hz=setup.codec.rate_hz)
            ending = await self._run(session)
        finally:
            await engine_session.close()
        log_event("session ended", session=session_id, reason=ending.reason, detail=ending.detail, **session.counters())
        return self._say_goodbye(wire, session, ending)

    async def _run(self, session: LiveSession) -> Ending:
        self.sessions.add(session)
        try:
            if self.is_stopping:
                session.end(Ending(reason="close_requested", detail="server_stopping"))
            return await session.run()
        finally:
            self.sessions.discard(session)

    async def _await_start(self, wire: Wire, session_id: str) -> tuple[SessionStartEvent, SessionSetup]:
        """Read messages until one starts the session; the others are refused."""
        while True:
            event = await wire.receive()
            try:
                if not isinstance(event, SessionStartEvent):
                    raise ProtocolError(
                        f"{event.type} came before the session: send session.start and wait for session.started",
                        code="session_not_started",
                        client_event_id=event.event_id,
                    )
                expires_at_s = int(time.time() + self.limits.max_session_ms / 1000)
                return event, resolve_setup(
                    event.session,
                    offer=self.offer,
                    limits=self.limits,
                    session_id=session_id,
                    expires_at_s=expires_at_s,
                )
            except ProtocolError as error:
                error.client_event_id = event.event_id
                wire.refuse(error)

    def _greet(self, wire: Wire, start: SessionStartEvent, setup: SessionSetup) -> None:
        wire.send(
            SessionStartedEvent(
                type="session.started",
                event_id=wire.new_event_id(),
                client_event_id=start.event_id,
                session=setup.resource,
            )
        )
        if setup.replaced:
            names = ", ".join(setup.replaced)[:_MAX_SHOWN_CHARS]
            wire.inform("settings_replaced", f"not as asked for: {names}; session.started holds what is in force")

    def _say_goodbye(self, wire: Wire, session: LiveSession, ending: Ending) -> int:
        if ending.detail == "server_stopping":
            wire.inform("server_stopping", "the server goes away: connect again when it is back")
        elif ending.detail == "engine_ended":
            wire.fail("engine_ended", "the engine closed this session: connect again")
        try:
            wire.send(session.closed_event(ending))
        except ClientGoneError:
            return POLICY_VIOLATION
        statuses = {"misbehaviour": POLICY_VIOLATION, "engine_ended": SERVER_ERROR, "server_stopping": GOING_AWAY}
        return statuses.get(ending.detail, NORMAL)


def _event_ids(session_id: str) -> Callable[[], str]:
    """Ids that are unique over all sessions."""
    numbers = count(1)
    prefix = session_id.removeprefix("live_")[:12]
    return lambda: f"event_{prefix}_{next(numbers)}"


def _names_of(error: BaseException) -> str:
    """The kinds of error, without their messages: those could quote what was said."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(_names_of(each) for each in error.exceptions)  # pyright: ignore[reportUnknownVariableType]
    return type(error).__name__
