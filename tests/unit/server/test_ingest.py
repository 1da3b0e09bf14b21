"""The user's sound: held while it runs ahead, passed at once when it comes late, never more than the bound."""

import asyncio
import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec
from microturn.server.ingest import AudioIngest, FrameIngest
from microturn.server.limits import Limits, MessageRate
from microturn.server.resample import StreamingResampler
from microturn.testing.clock import ManualClock
from microturn.turns.timing import IN_HZ, TURN_MS

CODEC = AudioCodec(encoding="audio/pcm", rate_hz=16_000)


def wire_sound(ms: float) -> str:
    return base64.b64encode(bytes(2 * round(IN_HZ * ms / 1000))).decode()


async def take_in(ingest: AudioIngest, audio_base64: str) -> None:
    await ingest.accept(audio_base64, lambda samples: None)


def passed_ms(ingest: AudioIngest, clock: ManualClock) -> float:
    return sum(len(chunk.samples) for chunk in iter(lambda: ingest.take(clock.now_ns()), None)) * 1000 / IN_HZ


async def test_real_time_sound_passes_at_once_for_hours_even_on_a_fast_clock() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    for _ in range(5_000):
        clock.advance_ms(39.9)  # 2.5 parts in a thousand fast: hours of an ordinary clock's drift
        await take_in(ingest, wire_sound(40))
        assert passed_ms(ingest, clock) == 40


async def test_a_file_sent_in_one_go_is_paced() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    await take_in(ingest, wire_sound(4_000))
    assert passed_ms(ingest, clock) == 400
    wait_ms = ingest.wait_ms()
    assert wait_ms is not None
    clock.advance_ms(wait_ms + 0.01)
    assert passed_ms(ingest, clock) == 200
    clock.advance_ms(1_000)
    assert 1_000 <= passed_ms(ingest, clock) <= 1_200


async def test_after_a_stall_everything_passes_at_once() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    await take_in(ingest, wire_sound(200))
    assert passed_ms(ingest, clock) == 200
    clock.advance_ms(3_200)
    for _ in range(16):
        await take_in(ingest, wire_sound(200))
    assert passed_ms(ingest, clock) == 3_200
    assert ingest.wait_ms() is None


async def test_too_far_ahead_is_refused_whole() -> None:
    ingest = AudioIngest(CODEC, Limits(max_audio_lead_ms=1_000))
    await take_in(ingest, wire_sound(900))
    with pytest.raises(ProtocolError, match="pace") as refused:
        await take_in(ingest, wire_sound(200))
    assert refused.value.code == "audio_too_fast"
    assert ingest.media_ms == 900


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.integers(0, 700), max_size=30), st.sampled_from([8_000, 16_000, 24_000]))
async def test_chunks_join_without_gap_or_overlap(sizes: list[int], rate_hz: int) -> None:
    ingest, clock = AudioIngest(AudioCodec(encoding="audio/pcm", rate_hz=rate_hz), Limits()), ManualClock()
    expected = 0
    for size in sizes:
        await take_in(ingest, base64.b64encode(bytes(2 * size)).decode())
        clock.advance_ms(100)
        for chunk in iter(lambda: ingest.take(clock.now_ns()), None):
            assert chunk.start_sample == expected
            expected = chunk.end_sample
    assert abs(expected - sum(sizes) * IN_HZ / rate_hz) <= 2


async def test_muted_sound_is_silence_and_takes_its_time() -> None:
    ingest, clock = AudioIngest(CODEC, Limits()), ManualClock()
    ingest.is_muted = True
    await take_in(ingest, base64.b64encode(np.full(3_200, 20_000, dtype="<i2").tobytes()).decode())
    chunk = ingest.take(clock.now_ns())
    assert chunk is not None
    assert len(chunk.samples) == 3_200
    assert not chunk.samples.any()


async def test_a_long_message_is_taken_in_piece_by_piece_and_sounds_as_if_it_came_whole() -> None:
    """One message of nine seconds once held every session up while it was resampled."""
    codec = AudioCodec(encoding="audio/pcm", rate_hz=24_000)
    sound = (np.sin(np.arange(9 * 24_000) / 9) * 0.5).astype(np.float32)
    ingest, seen_ms, heard = AudioIngest(codec, Limits()), [0.0], list[NDArray[np.float32]]()

    async def others() -> None:
        while True:
            seen_ms.append(ingest.media_ms)
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    await ingest.accept(base64.b64encode(codec.encode(sound)).decode(), heard.append)
    seen_ms.append(ingest.media_ms)
    other.cancel()
    assert seen_ms[-1] == 9_000
    assert max(np.diff(seen_ms)) <= TURN_MS  # no more than that between two turns of the event loop
    as_sent = codec.decode(codec.encode(sound))
    np.testing.assert_array_equal(np.concatenate(heard), as_sent)
    clock, taken = ManualClock(), list[NDArray[np.float32]]()
    while ingest.held_ms:
        clock.advance_ms(1_000)
        taken += [chunk.samples for chunk in iter(lambda: ingest.take(clock.now_ns()), None)]
    whole = StreamingResampler(24_000, IN_HZ).push(as_sent)
    np.testing.assert_allclose(np.concatenate(taken), whole, atol=1e-6)


async def test_a_long_message_that_is_wrong_at_its_end_leaves_nothing_behind() -> None:
    ingest = AudioIngest(CODEC, Limits())
    with pytest.raises(ProtocolError, match="base64"):
        await take_in(ingest, wire_sound(4_000)[:-4] + "!!!!")
    assert ingest.media_ms == 0


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
