"""One conversation: five tasks with one ending.

receive and feed (client to engine), look (camera frames), collect (engine to client, what informs) and play (what
sounds).
Whichever of them, or of the outside, ends the session says why; ``run`` returns it.
"""

from openai.types.live import SessionClosedEvent

from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.protocol.live import ClientEvent
from microturn.server.audience import Audience
from microturn.server.depths import Depths
from microturn.server.ending import Ending, Ends
from microturn.server.engine_port import EngineSession
from microturn.server.inbound import Inbound
from microturn.server.limits import Limits
from microturn.server.media import Media
from microturn.server.outbound import Outbound
from microturn.server.session_setup import SessionSetup
from microturn.server.wire import Wire


class LiveSession:
    """A session that has started.

    Args:
        engine_session: Already open; the caller closes it.
        media: The tracks that carry sound and pictures; without them, messages do.
    """

    def __init__(
        self,
        wire: Wire[ClientEvent],
        engine_session: EngineSession,
        setup: SessionSetup,
        limits: Limits,
        clock: Clock,
        media: Media | None = None,
    ) -> None:
        self._wire = wire
        self.setup = setup
        self.audience = Audience(wire, setup.codec.rate_hz)
        self._limits = limits
        self._inbound = Inbound(self.audience, engine_session, setup, limits, clock, on_close=self._close_requested)
        self._inbound.has_media_track = media is not None
        self._media = media
        sink = media.voice if media else None
        self._outbound = Outbound(self.audience, engine_session, setup, limits, clock, self._inbound, sink)
        self._ends = Ends()

    async def run(self) -> Ending:
        """Converse until something ends it. An error of the engine comes out as it is."""
        inbound, outbound = self._inbound, self._outbound
        works = [inbound.receive(), inbound.feed(), inbound.look_at_frames(), outbound.collect(), outbound.play()]
        if self._media:
            works += [self._media.listen(inbound), self._media.look(inbound)]
        return await self._ends.of(works, within_ms=self._limits.max_session_ms)

    def end(self, ending: Ending) -> None:
        """End the session; the first reason counts."""
        self._ends.end(ending)

    async def carry_out(self, event: ClientEvent) -> None:
        """Do what a client that has attached asks for.

        Raises:
            ProtocolError: it cannot be done.
        """
        await self._inbound.carry_out(event)

    def closed_event(self, ending: Ending) -> SessionClosedEvent:
        """The last event of the session."""
        return SessionClosedEvent(
            type="session.closed",
            event_id=self._wire.new_event_id(),
            reason=ending.reason,
            session=self.setup.resource,
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
            "dropped_partial_answers": self._wire.num_dropped_partial_answers,
            "refused_messages": self._wire.num_refused_messages,
        }

    def depths(self) -> Depths:
        """What waits in it."""
        return Depths(
            held_audio_ms=self._inbound.audio.held_ms,
            outbox_events=self._wire.num_waiting_events,
            unplayed_turns=self._outbound.playout.num_waiting_turns,
        )

    def push_history(self) -> None:
        """Hand earlier messages to the engine; what does not fit is named, and the session goes on without it."""
        try:
            for event in self.setup.history:
                self._inbound.push_text(event)
        except ProtocolError as error:
            error.param = "session.input"
            self._wire.refuse(error)

    def _close_requested(self, client_event_id: str | None) -> None:
        self.end(Ending(reason="close_requested", client_event_id=client_event_id))
