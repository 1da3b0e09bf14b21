"""The edge of a connection, whatever its protocol: accepted, held, flushed, closed; nothing that fails gets past it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from microturn.errors import CapacityError
from microturn.failures import log_failure
from microturn.server.access import chosen_subprotocol
from microturn.server.channel import Channel, ClientGoneError, WebSocketChannel
from microturn.server.live_server import LiveServer
from microturn.server.log import log_event
from microturn.server.wire import POLICY_VIOLATION, SERVER_ERROR, TRY_AGAIN_LATER, ClientMisbehavesError, Wire

_log = logging.getLogger(__name__)

_FLUSH_WITHIN_MS = 2_000
"""Time for a client to take the last events before its connection is cut."""


class Conversing(Protocol):
    """One side of a connection that talks until it is over."""

    @property
    def wire(self) -> Wire[Any]:
        """Its messages."""
        ...

    async def converse(self) -> int:
        """Hold the session; returns the WebSocket status to close with."""
        ...


async def hold_websocket(
    live: LiveServer, websocket: WebSocket, new_connection: Callable[[Channel], Conversing]
) -> None:
    """Accept a WebSocket, converse, and send the last events before it is closed."""
    await websocket.accept(subprotocol=chosen_subprotocol(websocket))
    connection = new_connection(WebSocketChannel(websocket))
    status = await converse_and_flush(connection)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # It may have closed already.
        await websocket.close(status)


async def converse_and_flush(connection: Conversing) -> int:
    """Converse while a sender empties the outbox, and give the client a moment to take the last events."""
    async with asyncio.TaskGroup() as tasks:
        sender = tasks.create_task(connection.wire.run_sender())
        status = await connection.converse()
        connection.wire.finish()
        await asyncio.wait({sender}, timeout=_FLUSH_WITHIN_MS / 1000)
        sender.cancel()
    return status


async def at_the_edge(wire: Wire[Any], session_id: str, held: Awaitable[int]) -> int:
    """Nothing that goes wrong in a session goes further than here: the client is told, the others go on."""
    try:
        return await held
    except (ClientGoneError, ClientMisbehavesError) as error:
        log_event("connection ended without a session", session=session_id, why=type(error).__name__)
        return POLICY_VIOLATION
    except CapacityError as error:
        log_event("session refused: no capacity", session=session_id)
        wire.fail("capacity_exceeded", f"{error}: try again when another session has ended")
        return TRY_AGAIN_LATER
    except Exception as error:  # The session's edge: whatever broke, the others go on.
        log_failure(_log, "session failed", error, session=session_id)
        wire.fail("internal_error", "the server failed in this session: connect again; its log has more")
        return SERVER_ERROR


def event_ids(session_id: str) -> Callable[[], str]:
    """Ids that are unique over all sessions."""
    numbers = count(1)
    prefix = session_id.rpartition("_")[2][:12]
    return lambda: f"event_{prefix}_{next(numbers)}"
