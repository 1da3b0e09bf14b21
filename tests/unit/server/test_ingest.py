"""The user's sound: held while it runs ahead, passed at once when it comes late, never more than the bound."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec
from microturn.server.ingest import AudioIngest, FrameIngest
from microturn.server.limits import Limits, MessageRate
from microturn.testing.clock import ManualClock
from microturn.turns.timing import IN_HZ

CODEC = AudioCodec(encoding="audio/pcm", rate_hz=16_000)


def wire_sound(ms: float) -> str:
    return base64.b64encode(bytes(2 * round(IN_HZ * ms / 1000))).decode()


def passed_ms(ingest: AudioIngest, clock: ManualClock) -> float:
    return sum(len(chunk.samples) for chunk in iter(lambda: ingest.take(clock.now_ns()), None)) * 1000 / IN_HZ


def test_real_time_sound_passes_at_once_for_hours_even_on_a_fast_clock() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    for _ in range(5_000):
        clock.advance_ms(39.9)  # 2.5 parts in a thousand fast: hours of an ordinary clock's drift
        ingest.accept(wire_sound(40))
        assert passed_ms(ingest, clock) == 40


def test_a_file_sent_in_one_go_is_paced() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    ingest.accept(wire_sound(4_000))
    assert passed_ms(ingest, clock) == 400
    wait_ms = ingest.wait_ms()
    assert wait_ms is not None
    clock.advance_ms(wait_ms + 0.01)
    assert passed_ms(ingest, clock) == 200
    clock.advance_ms(1_000)
    assert 1_000 <= passed_ms(ingest, clock) <= 1_200


def test_after_a_stall_everything_passes_at_once() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    ingest.accept(wire_sound(200))
    assert passed_ms(ingest, clock) == 200
    clock.advance_ms(3_200)
    for _ in range(16):
        ingest.accept(wire_sound(200))
    assert passed_ms(ingest, clock) == 3_200
    assert ingest.wait_ms() is None


def test_too_far_ahead_is_refused_whole() -> None:
    ingest = AudioIngest(CODEC, Limits(max_audio_lead_ms=1_000))
    ingest.accept(wire_sound(900))
    with pytest.raises(ProtocolError, match="pace") as refused:
        ingest.accept(wire_sound(200))
    assert refused.value.code == "audio_too_fast"
    assert ingest.media_ms == 900


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.integers(0, 700), max_size=30), st.sampled_from([8_000, 16_000, 24_000]))
def test_chunks_join_without_gap_or_overlap(sizes: list[int], rate_hz: int) -> None:
    ingest, clock = AudioIngest(AudioCodec(encoding="audio/pcm", rate_hz=rate_hz), Limits()), ManualClock()
    expected = 0
    for size in sizes:
        ingest.accept(base64.b64encode(bytes(2 * size)).decode())
        clock.advance_ms(100)
        for chunk in iter(lambda: ingest.take(clock.now_ns()), None):
            assert chunk.start_sample == expected
            expected = chunk.end_sample
    assert abs(expected - sum(sizes) * IN_HZ / rate_hz) <= 2


def test_muted_sound_is_silence_and_takes_its_time() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    ingest.is_muted = True
    ingest.accept(base64.b64encode(np.full(3_200, 20_000, dtype="<i2").tobytes()).decode())
    chunk = ingest.take(clock.now_ns())
    assert chunk is not None
    assert len(chunk.samples) == 3_200
    assert not chunk.samples.any()


def test_frames_come_ten_a_second_at_most() -> None:
    frames, clock = FrameIngest(Limits()), ManualClock()
    admitted = sum(frames.admits(clock.advance_ms(20)) for _ in range(100))
    assert 20 <= admitted <= 25
    assert frames.num_dropped == 100 - admitted


def test_message_rate_lets_bursts_through_and_floods_not() -> None:
    rate, clock = MessageRate(per_s=50, burst=100), ManualClock()
    assert all(rate.admits(clock.now_ns()) for _ in range(100))
    assert not rate.admits(clock.now_ns())
    assert all(rate.admits(clock.advance_ms(20)) for _ in range(1_000))
