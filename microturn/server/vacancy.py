"""Whether another session would find room: what ``/readyz`` tells a load balancer."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Literal

from microturn.errors import CapacityError, SessionClosedError
from microturn.server.engine_port import Counting
from microturn.server.live_server import LiveServer

Lack = Literal["stopping", "full", "overloaded", "not_answering"]
"""Why not: the server stops, no place is left, the engine takes no new sessions, or it says nothing."""
_ANSWER_WITHIN_MS = 2_000
"""The engine answers between two batches; one that takes so long keeps no micro-turn's time either."""


class Vacancy:
    """Asks a server, and the engine behind it, for a place.

    Anybody may ask, as often as they like: while the engine is being asked, all wait for the same answer.
    """

    def __init__(self, live: LiveServer) -> None:
        self._live = live
        self._asking: asyncio.Task[Lack | None] | None = None

    async def lack(self) -> Lack | None:
        """Why no session would be taken now; None where one would be."""
        live = self._live
        if live.is_stopping:
            return "stopping"
        if live.num_connections >= live.limits.max_connections:
            return "full"
        if live.counting is None:
            return None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(_lack_of_engine(live.counting))
        asking = self._asking
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_WITHIN_MS / 1000):
                return await asyncio.shield(asking)
        return "not_answering"


async def _lack_of_engine(engine: Counting) -> Lack | None:
    try:
        counts: Mapping[str, Any] = await engine.counts()
    except CapacityError:
        return "overloaded"
    except SessionClosedError:
        return "stopping"
    if counts["num_sessions"] >= counts["max_sessions"]:
        return "full"
    return None if counts["is_admitting"] else "overloaded"
