"""One conversation: five tasks with one ending.

receive and feed (client to engine), look (camera frames), collect (engine to client, what informs) and play (what
sounds).
Whichever of them, or of the outside, ends the session says why; ``run`` returns it.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Literal

from openai.types.live import SessionClosedEvent

from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.server.engine_port import EngineSession
from microturn.server.inbound import Inbound
from microturn.server.limits import Limits
from microturn.server.outbound import Outbound
from microturn.server.session_setup import SessionSetup
from microturn.server.wire import ClientGoneError, ClientMisbehavesError, Wire


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """Why a session ended."""

    reason: Literal["close_requested", "expired", "connection_lost"]
    """GPT-Live's word for it."""
    detail: Literal["", "client_gone", "misbehaviour", "engine_ended", "server_stopping"] = ""
    """Ours."""
    client_event_id: str | None = None
    """The command that asked for it."""


class LiveSession:
    """A session that has started.

    Args:
        engine_session: Already open; the caller closes it.
    """

    def __init__(
        self, wire: Wire, engine_session: EngineSession, setup: SessionSetup, limits: Limits, clock: Clock
    ) -> None:
        self._wire = wire
        self._setup = setup
        self._limits = limits
        self._inbound = Inbound(wire, engine_session, setup, limits, clock, on_close=self._close_requested)
        self._outbound = Outbound(wire, engine_session, setup, limits, clock, self._inbound)
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def run(self) -> Ending:
        """Converse until something ends it. An error of the engine comes out as it is."""
        inbound, outbound = self._inbound, self._outbound
        works = [inbound.receive(), inbound.feed(), inbound.look_at_frames(), outbound.collect(), outbound.play()]
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._until_ending(work)) for work in works]
            try:
                async with asyncio.timeout(self._limits.max_session_ms / 1000):
                    ending = await self._ending
            except TimeoutError:
                ending = Ending(reason="expired")
            for worker in workers:
                worker.cancel()
        return ending

    def end(self, ending: Ending) -> None:
        """End the session; the first reason counts."""
        if not self._ending.done():
            self._ending.set_result(ending)

    def closed_event(self, ending: Ending) -> SessionClosedEvent:
        """The last event of the session."""
        return SessionClosedEvent(
            type="session.closed",
            event_id=self._wire.new_event_id(),
            reason=ending.reason,
            session=self._setup.resource,
            usage=self._outbound.usage,
            client_event_id=ending.client_event_id,
        )

    @property
    def is_resumable(self) -> bool:
        """Whether the client has the token with which it can come back."""
        return self._inbound.extensions is not None

    def counters(self) -> dict[str, int]:
        """Everything that was dropped or refused, for the log."""
        playout = self._outbound.playout
        return {
            "turns": self._outbound.num_turns,
            "cleared_turns": playout.num_cleared_turns,
            "skipped_turns": playout.num_skipped_turns,
            "overflowed_turns": playout.num_overflowed_turns,
            "dropped_frames": self._inbound.frames.num_dropped,
            "dropped_turn_events": self._wire.num_dropped_turn_events,
            "refused_messages": self._wire.num_refused_messages,
        }

    def push_history(self) -> None:
        """Hand earlier messages to the engine; what does not fit is named, and the session goes on without it."""
        try:
            for event in self._setup.history:
                self._inbound.push_text(event)
        except ProtocolError as error:
            error.param = "session.input"
            self._wire.refuse(error)

    async def _until_ending(self, work: Awaitable[None]) -> None:
        """Do one task's work; its regular end is the session's."""
        try:
            await work
        except ClientGoneError:
            self.end(Ending(reason="connection_lost", detail="client_gone"))
        except ClientMisbehavesError:
            self.end(Ending(reason="connection_lost", detail="misbehaviour"))
        else:
            # Of the five, only collecting can come to an end by itself.
            self.end(Ending(reason="connection_lost", detail="engine_ended"))

    def _close_requested(self, client_event_id: str | None) -> None:
        self.end(Ending(reason="close_requested", client_event_id=client_event_id))
