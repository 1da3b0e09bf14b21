"""What every call over WebRTC does, whatever its protocol: holds until the end, and waits for the data channel."""

import asyncio
from contextlib import AbstractContextManager

from microturn.server.edge import Conversing, converse_and_flush
from microturn.server.engine_port import EngineSession
from microturn.server.webrtc.peer import Peer
from microturn.server.wire import ClientMisbehavesError


async def hold_call(peer: Peer, connection: Conversing, stay: AbstractContextManager[object]) -> None:
    """Converse, and hang up.

    Args:
        stay: Counts the call; left when it is over.
    """
    with stay:
        try:
            await converse_and_flush(connection)
        finally:
            await peer.close()


async def channel_opened(peer: Peer, engine_session: EngineSession, within_ms: float) -> None:
    """Wait for the data channel.

    Raises:
        ClientMisbehavesError: it did not open in time; the engine's session is closed.
    """
    try:
        async with asyncio.timeout(within_ms / 1000):
            await peer.channel.opened.wait()
    except TimeoutError:
        pass
    if not peer.channel.is_open:
        await engine_session.close()
        raise ClientMisbehavesError("the data channel did not open in time")
