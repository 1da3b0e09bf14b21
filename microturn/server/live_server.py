"""What all connections of one server share: the engine, the rules, and who is here."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from microturn.clock import Clock, SystemClock
from microturn.server.depths import Depths
from microturn.server.directory import Directory
from microturn.server.ending import Ending
from microturn.server.engine_port import Counting, Engine
from microturn.server.limits import Limits
from microturn.server.session_setup import Offer

if TYPE_CHECKING:
    from microturn.server.telemetry import Metrics


class Endable(Protocol):
    """A session of any protocol."""

    def end(self, ending: Ending) -> None:
        """End it; the first reason counts."""
        ...

    def depths(self) -> Depths:
        """What waits in it."""
        ...


@dataclass(kw_only=True)
class LiveServer:
    """The state of a running server."""

    engine: Engine
    offer: Offer
    counting: Counting | None = None
    """The engine itself, where it says how full it is."""
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=SystemClock)
    num_connections: int = 0
    sessions: set[Endable] = field(default_factory=set[Endable])
    directory: Directory = field(default_factory=Directory)
    is_stopping: bool = False
    ice_servers: tuple[str, ...] = ()
    """STUN and TURN servers for WebRTC; none unless configured."""
    metrics: "Metrics | None" = None
    """Figures about the sessions, where the packages for them are installed."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self, session: Endable) -> None:
        """Count a session in; one that comes while the server stops ends at once."""
        self.sessions.add(session)
        if self.is_stopping:
            session.end(Ending(reason="close_requested", detail="server_stopping"))

    def leave(self, session: Endable) -> None:
        """Count a session out."""
        self.sessions.discard(session)

    def connect(self) -> None:
        """Count a connection in."""
        self.num_connections += 1

    def disconnect(self) -> None:
        """Count a connection out."""
        self.num_connections -= 1
        self._changed.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that outlives the request that began it. It handles its own errors."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Tell every session that the server goes away."""
        self.is_stopping = True
        for session in self.sessions:
            session.end(Ending(reason="close_requested", detail="server_stopping"))

    async def wait_until_empty(self) -> None:
        """Wait until no connection is left."""
        while self.num_connections:
            self._changed.clear()
            await self._changed.wait()
