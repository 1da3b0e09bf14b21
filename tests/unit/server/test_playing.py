"""The model's voice on a track: a turn and a little in its buffer at most, and no delay that stays."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("aiortc")
from microturn.server.playout import MAX_TRACK_AHEAD_MS, Playout
from microturn.server.webrtc.playing import FRAME_MS, VoiceTrack
from microturn.testing.clock import ManualClock
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import OUT_SAMPLES_PER_TURN, TURN_MS

SPEECH = np.full(OUT_SAMPLES_PER_TURN, 0.5, dtype=np.float32)
MOST_MS = TURN_MS + MAX_TRACK_AHEAD_MS


@dataclass
class Call:
    """A session's playout and track, and a peer that takes what is due."""

    max_waiting_turns: int = 64
    clock: ManualClock = field(default_factory=lambda: ManualClock(10**12))
    most_buffered_ms: float = 0.0
    loud_ms: float = 0.0
    """How much speech the peer has heard."""

    def __post_init__(self) -> None:
        self.track = VoiceTrack(self.clock)
        self.playout = Playout(self.max_waiting_turns, lambda: self.track.buffered_ms)
        self._num_made = 0

    def make(self, *is_spoken: bool, is_clear: bool = False) -> None:
        """The engine answers some turns at once."""
        if is_clear:
            self.track.clear()
        for each in is_spoken:
            audio = SPEECH if each else None
            self.playout.add(MicroTurnOutput(index=self._num_made, audio=audio, is_clear=is_clear))
            self._num_made += 1

    def fill(self) -> None:
        """What the session's task does whenever it wakes."""
        while turn := self.playout.take(self.clock.now_ns()):
            self.track.play(turn.audio)
        self.most_buffered_ms = max(self.most_buffered_ms, self.track.buffered_ms)

    async def run(self, span_ms: int) -> None:
        """Time passes, and the event loop with it."""
        for _ in range(span_ms // FRAME_MS):
            self.fill()
            frame = await self.track.recv()
            self.loud_ms += FRAME_MS * float(np.mean(np.abs(frame.to_ndarray()) > 8_000))
            self.clock.advance_ms(FRAME_MS)


async def test_bursts_of_the_engine_wait_outside_the_track_and_are_heard_whole() -> None:
    call = Call()
    for _ in range(10):
        call.make(*[True] * 5)
        await call.run(5 * TURN_MS)
    await call.run(2 * TURN_MS)
    assert call.most_buffered_ms <= MOST_MS
    assert call.loud_ms == pytest.approx(50 * TURN_MS, abs=FRAME_MS)
    assert call.playout.num_skipped_turns == call.playout.num_overflowed_turns == 0


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40), st.integers(0, 700)), max_size=30))
async def test_whatever_comes_when_the_track_holds_little(steps: list[tuple[int, int, int]]) -> None:
    call = Call()
    for num_turns, num_frames, held_up_ms in steps:
        call.make(*[True] * num_turns)
        await call.run(num_frames * FRAME_MS)
        call.clock.advance_ms(held_up_ms)  # Nothing runs.
    assert call.most_buffered_ms <= MOST_MS


async def test_a_loop_that_is_held_up_leaves_no_delay_behind() -> None:
    """Each hold-up once left what the track held then in it, on top of every turn after it."""
    call = Call()
    for _ in range(20):
        call.make(True)
        await call.run(TURN_MS)
        call.make(True)
        await call.run(3 * FRAME_MS)
        call.clock.advance_ms(500)
        call.make(True, True)  # Made meanwhile, in a thread of the engine's.
        await call.run(TURN_MS)
    assert call.most_buffered_ms <= MOST_MS
    assert call.playout.num_waiting_turns > 0
    heard_before_ms, num_waiting = call.loud_ms, call.playout.num_waiting_turns
    for _ in range(3 * num_waiting):  # The model listens: the rest of its words, then silence, as it comes.
        call.make(False)
        await call.run(TURN_MS)
    assert call.loud_ms - heard_before_ms >= num_waiting * TURN_MS
    assert call.playout.num_waiting_turns <= 1
    assert call.track.buffered_ms <= MAX_TRACK_AHEAD_MS
    assert call.playout.num_skipped_turns > 0


async def test_what_a_peer_does_not_take_goes_unplayed_and_is_counted() -> None:
    call = Call(max_waiting_turns=4)
    for _ in range(20):
        call.make(True)
        call.fill()
        call.clock.advance_ms(TURN_MS)
    assert call.most_buffered_ms <= MOST_MS
    assert call.playout.num_overflowed_turns == 20 - 1 - 4


async def test_after_an_interruption_the_next_words_do_not_wait_for_those_that_were_dropped() -> None:
    call = Call()
    call.make(True)
    await call.run(FRAME_MS)
    call.make(True, is_clear=True)
    heard_ms = call.loud_ms
    await call.run(2 * FRAME_MS)
    assert call.loud_ms - heard_ms >= 1.5 * FRAME_MS
    assert call.most_buffered_ms <= MOST_MS
