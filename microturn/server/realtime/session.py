"""A Realtime session: a stock turn-based client in front of a model that listens and speaks at once.

Tasks as in a live session: receive and feed (client to engine), look (pictures), collect and play (engine to client).
"""

import asyncio
import contextlib

from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.protocol.realtime import RealtimeClientEvent
from microturn.server.background_engine import BackgroundEngineSession
from microturn.server.depths import Depths
from microturn.server.ending import Ending, Ends
from microturn.server.engine_port import EngineSession
from microturn.server.limits import Limits
from microturn.server.media import Media
from microturn.server.playout import Playout
from microturn.server.realtime.commands import Commands
from microturn.server.realtime.conversation import Conversation
from microturn.server.realtime.responses import Responses
from microturn.server.realtime.settings import RealtimeSettings
from microturn.server.realtime.usage import UsageMeter
from microturn.server.realtime.user_turns import UserTurns
from microturn.server.wire import Wire
from microturn.turns.background import ActReader
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import ms_of_ns


class RealtimeSession:
    """A session that has started.

    Args:
        engine_session: Already open; the caller closes it.
        media: The tracks that carry sound and pictures; without them, messages do.
    """

    def __init__(
        self,
        wire: Wire[RealtimeClientEvent],
        engine_session: EngineSession,
        settings: RealtimeSettings,
        limits: Limits,
        clock: Clock,
        *,
        session_id: str,
        expires_at_s: int,
        media: Media | None = None,
    ) -> None:
        self._wire = wire
        self._media = media
        self._engine_session = engine_session
        self._limits = limits
        self._clock = clock
        sink = media.voice if media is not None else None
        self._playout = Playout(limits.max_waiting_turns, None if sink is None else lambda: sink.buffered_ms)
        self._usage = UsageMeter()
        self._playout_changed = asyncio.Event()
        self._conversation = Conversation(wire)
        self._user_turns = UserTurns(wire, self._conversation)
        self._responses = Responses(wire, self._conversation, settings, self._usage, sink)
        self._commands = Commands(
            wire,
            engine_session,
            settings,
            limits,
            clock,
            self._conversation,
            self._user_turns,
            self._responses,
            session_id=session_id,
            expires_at_s=expires_at_s,
            has_track=media is not None,
        )
        self._has_background = isinstance(engine_session, BackgroundEngineSession)
        if isinstance(engine_session, BackgroundEngineSession):
            engine_session.observe(self._responses.follow)
        self._acts = ActReader()
        self._ends = Ends()
        self.num_turns = 0

    async def run(self) -> Ending:
        """Converse until something ends it. An error of the engine comes out as it is."""
        works = [self._receive(), self._commands.feed(), self._commands.look(), self._collect(), self._play()]
        if self._media is not None:
            works += [self._media.listen(self._commands), self._media.look(self._commands)]
        return await self._ends.of(works, within_ms=self._limits.max_session_ms)

    def end(self, ending: Ending) -> None:
        """End the session; the first reason counts."""
        self._ends.end(ending)

    def depths(self) -> Depths:
        """What waits in it."""
        return Depths(
            held_audio_ms=self._commands.audio.held_ms,
            outbox_events=self._wire.num_waiting_events,
            unplayed_turns=self._playout.num_waiting_turns,
        )

    async def _receive(self) -> None:
        while True:
            event = await self._wire.receive()
            try:
                await self._commands.carry_out(event)
            except ProtocolError as error:
                error.client_event_id = event.event_id
                self._wire.refuse(error)

    async def _collect(self) -> None:
        async for output, trace in self._engine_session.outputs():
            self.num_turns += 1
            self._usage.add(output, trace)
            self._take_in(output)
            self._playout.add(output, is_forced=trace.is_forced)
            self._playout_changed.set()

    def _take_in(self, output: MicroTurnOutput) -> None:
        """Tell what needs no pacing: the user's words, function calls, the end of what was interrupted."""
        if output.is_clear:
            self._responses.interrupted()
        if output.is_speaking and not output.hear and not self._responses.is_speaking:
            self._user_turns.stop()
        self._user_turns.hear(output.index, output.hear)
        if not self._has_background:
            for act in self._acts.read(output.pieces):
                self._responses.call(act)

    async def _play(self) -> None:
        while True:
            self._playout_changed.clear()
            while turn := self._playout.take(self._clock.now_ns()):
                self._responses.play(turn)
            due_ns = self._playout.due_ns()
            wait_s = None if due_ns is None else max(0.0, ms_of_ns(due_ns - self._clock.now_ns()) / 1000)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._playout_changed.wait()
