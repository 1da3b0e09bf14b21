"""The slicer against a sample-by-sample oracle, and each of its rules by example."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.errors import CapacityError
from microturn.turns.micro_turn import MicroTurnInput, Role, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.slicer import Slicer, SlicerLimits
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.video import VideoFrame


def chunk(start: int, num: int, *, seed: int = 0) -> PcmChunk:
    """Samples that tell their own position, apart from the seed."""
    values = (np.arange(start, start + num) * 7 + seed * 1000) % 30_011 + 1
    return PcmChunk(start_sample=start, samples=(values / 32768).astype(np.float32))


def frame(time_ms: float, shade: int = 0) -> VideoFrame:
    return VideoFrame(time_ms=time_ms, pixels=np.full((2, 2, 3), shade, np.uint8))


def text(words: str) -> TextEvent:
    return TextEvent(role=Role.USER, text=words)


def times(turn: MicroTurnInput) -> list[float]:
    return [f.time_ms for f in turn.frames]


class Oracle:
    """The same rules for audio, one sample at a time."""

    def __init__(self, limits: SlicerLimits) -> None:
        self.limits, self.held, self.next, self.end = limits, {}, 0, 0
        self.late = self.duplicate = self.refused = self.missing = self.gap = 0
        self.pending_gap = 0

    def push(self, part: PcmChunk) -> None:
        if part.start_sample > self.end + self.limits.max_ahead_ms * 16:
            self.refused += len(part.samples)
            return
        for position, value in enumerate(part.samples, part.start_sample):
            turn = position // IN_SAMPLES_PER_TURN
            while turn - self.next >= self.limits.max_backlog_turns:
                self.next, self.gap, self.pending_gap = self.next + 1, self.gap + 1, self.pending_gap + 1
            if turn < self.next:
                self.late += 1
            elif position in self.held:
                self.duplicate += 1
            else:
                self.held[position] = value
        self.end = max(self.end, part.end_sample)

    def cut(self) -> tuple[int, np.ndarray, int]:
        if self.pending_gap:
            gap, self.pending_gap = self.pending_gap, 0
            return self.next - 1, np.zeros(IN_SAMPLES_PER_TURN, np.float32), gap
        start = self.next * IN_SAMPLES_PER_TURN
        values = [self.held.get(i) for i in range(start, start + IN_SAMPLES_PER_TURN)]
        self.missing += values.count(None)
        self.next += 1
        self.end = max(self.end, self.next * IN_SAMPLES_PER_TURN)
        return self.next - 1, np.array([v or 0.0 for v in values], np.float32), 0


pushes = st.tuples(st.integers(0, 60_000), st.integers(1, 5_000), st.integers(0, 9))
steps = st.lists(st.one_of(pushes, st.just("cut")), max_size=25)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_any_order_of_arrival_is_cut_as_the_oracle_says(script):
    limits = SlicerLimits(max_ahead_ms=1_000, max_backlog_turns=5)
    slicer, oracle = Slicer(limits=limits), Oracle(limits)
    for step in script:
        if step == "cut":
            turn = slicer.cut()
            index, audio, gap = oracle.cut()
            assert (turn.index, turn.gap_turns) == (index, gap)
            np.testing.assert_array_equal(turn.audio, audio)
        else:
            start, num, seed = step
            slicer.push_audio(chunk(start, num, seed=seed))
            oracle.push(chunk(start, num, seed=seed))
    counts = slicer.counts
    assert counts.num_late_samples == oracle.late
    assert counts.num_duplicate_samples == oracle.duplicate
    assert counts.num_refused_samples == oracle.refused
    assert counts.num_missing_samples == oracle.missing
    assert counts.num_gap_turns == oracle.gap


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_shuffled_and_repeated_chunks_give_the_signal_back(sizes, random):
    starts = np.concatenate([[0], np.cumsum(sizes)])
    parts = [chunk(int(s), n) for s, n in zip(starts, sizes, strict=False)]
    arrivals = parts + random.sample(parts, k=len(parts) // 2)
    random.shuffle(arrivals)
    slicer = Slicer()
    for part in arrivals:
        slicer.push_audio(part)
    turns = []
    while (turn := slicer.ready()) is not None:
        turns.append(turn)
    assert [t.index for t in turns] == list(range(sum(sizes) // IN_SAMPLES_PER_TURN))
    heard = np.concatenate([t.audio for t in turns]) if turns else np.zeros(0, np.float32)
    np.testing.assert_array_equal(heard, chunk(0, sum(sizes)).samples[: len(heard)])
    assert slicer.counts.num_missing_samples == slicer.counts.num_late_samples == 0
    assert slicer.counts.num_duplicate_samples == sum(len(p.samples) for p in arrivals) - sum(sizes)


def test_a_turn_is_ready_only_when_whole():
    slicer = Slicer()
    slicer.push_audio(chunk(0, IN_SAMPLES_PER_TURN - 1))
    assert slicer.ready() is None
    slicer.push_audio(chunk(IN_SAMPLES_PER_TURN - 1, 1))
    assert slicer.ready() is not None


def test_lost_samples_are_zeros_and_counted():
    slicer = Slicer()
    slicer.push_audio(chunk(0, 1_000))
    turn = slicer.cut()
    assert turn.num_missing_samples == IN_SAMPLES_PER_TURN - 1_000
    assert not turn.audio[1_000:].any()
    assert turn.audio[:1_000].all()


def test_the_first_arrival_wins_where_chunks_overlap():
    slicer = Slicer()
    slicer.push_audio(chunk(0, 2_000))
    slicer.push_audio(chunk(1_000, 2_200, seed=3))
    heard = slicer.cut().audio
    np.testing.assert_array_equal(heard[:2_000], chunk(0, 2_000).samples)
    np.testing.assert_array_equal(heard[2_000:], chunk(2_000, 1_200, seed=3).samples)


def test_a_stall_beyond_the_backlog_becomes_one_gap_turn():
    slicer = Slicer()
    for second in range(8):  # 40 turns at once, of which 25 are made up
        slicer.push_audio(chunk(second * 16_000, 16_000))
    turns = []
    while (turn := slicer.ready()) is not None:
        turns.append(turn)
    assert turns[0].gap_turns == 15
    assert turns[0].index == 14
    assert [t.index for t in turns[1:]] == list(range(15, 40))
    assert slicer.counts.num_gap_turns == 15
    np.testing.assert_array_equal(turns[-1].audio, chunk(39 * IN_SAMPLES_PER_TURN, IN_SAMPLES_PER_TURN).samples)


def test_events_of_turns_in_a_gap_are_kept():
    slicer = Slicer()
    slicer.push_text(text("early"))
    for second in range(8):
        slicer.push_audio(chunk(second * 16_000, 16_000))
    assert slicer.cut().events == (text("early"),)


def test_a_broken_clock_is_refused_and_takes_no_memory():
    slicer = Slicer()
    slicer.push_audio(chunk(10**12, 3_200))
    slicer.push_frame(frame(1e15))
    slicer.push_frame(frame(float("nan")))
    slicer.push_frame(frame(-1.0))
    assert slicer.counts.num_refused_samples == 3_200
    assert slicer.counts.num_refused_frames == 3
    assert slicer.num_ready_turns == 0


def test_samples_that_are_no_numbers_are_silence_and_loud_ones_are_clipped():
    slicer = Slicer()
    samples = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    samples[:4] = [np.nan, np.inf, 5.0, -5.0]
    slicer.push_audio(PcmChunk(start_sample=0, samples=samples))
    assert slicer.cut().audio[:4].tolist() == [0.0, 0.0, 32767 / 32768, -1.0]


def test_no_camera_no_frames():
    assert Slicer().cut().frames == ()


@pytest.mark.parametrize(
    ("taken_ms", "shown_ms"),
    [
        ([0, 100], [0, 100]),  # 10 fps
        ([150], [150, 150]),  # a lone frame is repeated
        ([0, 33, 66, 99, 133, 166], [99, 166]),  # 30 fps
        ([50], [50, 50]),  # 5 fps
    ],
)
def test_a_pair_is_the_latest_frame_of_each_slot(taken_ms, shown_ms):
    slicer = Slicer()
    for time_ms in reversed(taken_ms):
        slicer.push_frame(frame(time_ms))
    assert times(slicer.cut()) == shown_ms
    assert slicer.counts.num_skipped_frames == len(taken_ms) - len(set(shown_ms))


def test_a_frame_stands_in_for_a_second_and_no_longer():
    slicer = Slicer()
    slicer.push_frame(frame(0))
    assert [times(slicer.cut()) for _ in range(6)] == [[0, 0]] * 5 + [[]]


def test_a_late_frame_is_shown_later_unless_a_newer_one_was():
    slicer = Slicer()
    slicer.cut()
    slicer.push_frame(frame(150))
    assert times(slicer.cut()) == [150, 150]
    slicer.push_frame(frame(120))
    assert times(slicer.cut()) == [150, 150]
    assert slicer.counts.num_late_frames == 2


def test_a_frame_of_the_same_time_is_a_duplicate():
    slicer = Slicer()
    slicer.push_frame(frame(20, shade=1))
    slicer.push_frame(frame(20, shade=2))
    assert slicer.cut().frames[0].pixels[0, 0, 0] == 1
    assert slicer.counts.num_duplicate_frames == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4_000), max_size=200))
def test_frames_are_bounded_fresh_and_never_go_back(arrivals):
    limits = SlicerLimits(max_frames=8)
    slicer = Slicer(limits=limits)
    shown: list[float] = []
    for i, time_ms in enumerate(arrivals):
        slicer.push_frame(frame(time_ms))
        if i % 5 == 0:
            turn = slicer.cut()
            end_ms = (turn.index + 1) * 200
            assert all(end_ms - 1_200 <= t < end_ms for t in times(turn))
            shown += times(turn)
    assert shown == sorted(shown)


def test_text_enters_the_turn_in_whose_time_it_arrives():
    slicer = Slicer()
    slicer.push_text(text("a"))
    slicer.push_audio(chunk(0, 7_000))
    slicer.push_text(text("b"))
    slicer.push_text(text("c"), time_ms=250)
    slicer.push_text(text("d"))
    events = [[e.text for e in slicer.cut().events] for _ in range(3)]
    assert events == [["a"], ["c"], ["b", "d"]]


def test_text_for_a_turn_that_is_cut_enters_the_next():
    slicer = Slicer()
    slicer.cut()
    slicer.push_text(text("a"), time_ms=10)
    assert slicer.cut().events == (text("a"),)


def test_a_flood_of_text_is_refused_with_a_remedy():
    slicer = Slicer(limits=SlicerLimits(max_events=2, max_event_chars=10))
    slicer.push_text(text("a"))
    slicer.push_text(text("b"))
    with pytest.raises(CapacityError, match="2 text events wait"):
        slicer.push_text(text("c"))
    with pytest.raises(ValueError, match="split it"):
        slicer.push_text(text("x" * 11))
    assert slicer.counts.num_refused_events == 2
    assert slicer.cut().events == (text("a"), text("b"))


def test_long_texts_are_bounded_together():
    slicer = Slicer(limits=SlicerLimits(max_event_chars=10, max_waiting_chars=25))
    slicer.push_text(text("x" * 10))
    slicer.push_text(text("x" * 10))
    with pytest.raises(CapacityError, match="2 text events wait"):
        slicer.push_text(text("x" * 10))
    slicer.cut()
    slicer.push_text(text("x" * 10))
