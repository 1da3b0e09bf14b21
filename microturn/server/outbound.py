"""The model's side of a session: what informs goes to the client at once, what sounds goes in its time."""

import asyncio
import contextlib

import numpy as np
from openai.types.live import (
    InfoEvent,
    InputTranscriptDeltaEvent,
    OutputAudioDeltaEvent,
    OutputTranscriptDeltaEvent,
    SessionUsage,
    SessionUsageUpdatedEvent,
)

from microturn.clock import Clock
from microturn.protocol.codec import to_base64
from microturn.protocol.extensions import TurnEvent, TurnPiece
from microturn.server.audience import Audience
from microturn.server.engine_port import EngineSession
from microturn.server.inbound import Inbound
from microturn.server.limits import Limits
from microturn.server.media import SoundSink
from microturn.server.playout import PlayedTurn, Playout
from microturn.server.resample import StreamingResampler
from microturn.server.session_setup import SessionSetup
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import (
    HEAR_LAG_MS,
    IN_SAMPLES_PER_TURN,
    OUT_HZ,
    OUT_SAMPLES_PER_TURN,
    TURN_MS,
    ms_of_ns,
    turn_start_ms,
)
from microturn.turns.trace import OVERLOAD_STEPS, TurnTrace

USAGE_EVERY_TURNS = 50
_SILENCE = np.zeros(OUT_SAMPLES_PER_TURN, dtype=np.float32)


class Outbound:
    """What goes to the client.

    Args:
        inbound: Knows what the client opted into.
        sink: Plays the sound on a track; without one, it goes out in messages.
    """

    def __init__(
        self,
        audience: Audience,
        engine_session: EngineSession,
        setup: SessionSetup,
        limits: Limits,
        clock: Clock,
        inbound: Inbound,
        sink: SoundSink | None = None,
    ) -> None:
        self._audience = audience
        self._wire = audience.holder
        self._engine_session = engine_session
        self._codec = setup.codec
        self._clock = clock
        self._inbound = inbound
        self._resampler = StreamingResampler(OUT_HZ, setup.codec.rate_hz)
        self._sink = sink
        self.playout = Playout(limits.max_waiting_turns, None if sink is None else lambda: sink.buffered_ms)
        self._playout_changed = asyncio.Event()
        self._rung = 0
        self.num_turns = engine_session.next_sample // IN_SAMPLES_PER_TURN - setup.first_turn

    @property
    def usage(self) -> SessionUsage:
        """Seconds of media so far."""
        return SessionUsage(seconds=self.num_turns * TURN_MS / 1000)

    async def collect(self) -> None:
        """Take micro-turns from the engine until it has no more.

        Raises:
            ClientGoneError: the client does not read.
        """
        async for output, trace in self._engine_session.outputs():
            self.num_turns += 1
            if output.is_clear and self._sink is not None:
                self._sink.clear()
            self.playout.add(output, is_forced=trace.is_forced)
            self._playout_changed.set()
            self._report(output, trace)
            self._inbound.delegation.take_in(output)

    async def play(self) -> None:
        """Send sound in its time, for ever.

        Raises:
            ClientGoneError: the client does not read.
        """
        while True:
            self._playout_changed.clear()
            while turn := self.playout.take(self._clock.now_ns()):
                self._send_turn(turn)
            due_ns = self.playout.due_ns()
            wait_s = None if due_ns is None else max(0.0, ms_of_ns(due_ns - self._clock.now_ns()) / 1000)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._playout_changed.wait()

    def _report(self, output: MicroTurnOutput, trace: TurnTrace) -> None:
        """Send what needs no pacing: overload, what was heard, the telemetry, the usage."""
        if trace.overload_rung != self._rung:
            self._rung = trace.overload_rung
            self._tell_overload()
        extensions = self._inbound.extensions
        if extensions and extensions.turns:
            self._wire.send(self._turn_event(output, trace))
        if output.hear:
            start_ms = max(0, turn_start_ms(output.index) - HEAR_LAG_MS)
            self._audience.send(
                InputTranscriptDeltaEvent(
                    type="session.input_transcript.delta",
                    event_id=self._audience.new_event_id(),
                    delta=output.hear,
                    start_ms=start_ms,
                    end_ms=start_ms + TURN_MS,
                )
            )
        if self.num_turns % USAGE_EVERY_TURNS == 0:
            self._audience.send(
                SessionUsageUpdatedEvent(
                    type="session.usage.updated",
                    event_id=self._wire.new_event_id(),
                    usage=self.usage,
                )
            )

    def _tell_overload(self) -> None:
        """Every step of the ladder, up and down, is said to every client."""
        step, last = self._rung, len(OVERLOAD_STEPS) - 1
        message = f"step {step} of {last}: {OVERLOAD_STEPS[step]}" if step else "over: everything is as it was"
        self._audience.send(
            InfoEvent(type="info", event_id=self._audience.new_event_id(), code="overload", message=message)
        )

    def _send_turn(self, turn: PlayedTurn) -> None:
        """Send one micro-turn's sound, and the words that it carries."""
        extensions = self._inbound.extensions
        omits_silence = extensions is not None and extensions.silence == "omit"
        self._audience.play(_SILENCE if turn.audio is None else turn.audio)
        if self._sink is not None:
            self._sink.play(turn.audio)
        elif turn.audio is not None or not omits_silence:
            samples = self._resampler.push(_SILENCE if turn.audio is None else turn.audio)
            delta = to_base64(self._codec.encode(samples))
            self._wire.send(OutputAudioDeltaEvent(type="session.output_audio.delta", delta=delta))
        if turn.caption:
            self._audience.send(
                OutputTranscriptDeltaEvent(
                    type="session.output_transcript.delta",
                    event_id=self._wire.new_event_id(),
                    delta=turn.caption,
                    start_ms=turn.start_ms,
                    end_ms=turn.start_ms + TURN_MS,
                )
            )

    def _turn_event(self, output: MicroTurnOutput, trace: TurnTrace) -> TurnEvent:
        return TurnEvent(
            event_id=self._wire.new_event_id(),
            index=output.index,
            start_ms=turn_start_ms(output.index),
            end_ms=turn_start_ms(output.index + 1),
            hear=output.hear,
            say=output.say,
            pieces=[TurnPiece(kind=piece.kind.value, text=piece.text, is_end=piece.is_end) for piece in output.pieces],
            clear=output.is_clear,
            speaking=output.is_speaking,
            phases_ms={phase: round(time_ms, 3) for phase, time_ms in trace.phases_ms.items()},
            compute_ms=round(trace.compute_ms, 3),
            budget_share=round(trace.compute_ms / TURN_MS, 4),
            latency_ms=round(trace.latency_ms, 3),
            late=trace.is_late,
            forced=trace.is_forced,
            overload_rung=trace.overload_rung,
        )
