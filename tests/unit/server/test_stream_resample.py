"""The resampler of the wire: pieces equal the whole; tones stay, what would alias goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.server.resample import StreamingResampler

RATES = [(24_000, 16_000), (8_000, 16_000), (24_000, 8_000), (24_000, 16_000), (16_000, 24_000)]


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.sampled_from(RATES), st.lists(st.integers(0, 900), max_size=12), st.integers(0, 2**32 - 1))
def test_pieces_equal_the_whole(rates: tuple[int, int], sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, sum(sizes)).astype(np.float32)
    whole = StreamingResampler(*rates).push(samples)
    stream = StreamingResampler(*rates)
    pieces = [stream.push(piece) for piece in np.split(samples, np.cumsum(sizes)[:-1])] if sizes else []
    np.testing.assert_allclose(np.concatenate([np.zeros(0), *pieces]), whole, atol=1e-6)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_second_stays_a_second(from_hz: int, to_hz: int) -> None:
    stream = StreamingResampler(from_hz, to_hz)
    assert sum(len(stream.push(np.zeros(from_hz // 50, dtype=np.float32))) for _ in range(50)) == to_hz


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@pytest.mark.parametrize("tone_hz", [100, 1_000, 3_000])
def test_a_tone_keeps_its_pitch_and_level(from_hz: int, to_hz: int, tone_hz: int) -> None:
    tone = np.sin(2 * np.pi * tone_hz * np.arange(from_hz) / from_hz).astype(np.float32)
    out = StreamingResampler(from_hz, to_hz).push(tone)[to_hz // 10 :]
    expected_level = np.sqrt(0.5)
    assert np.sqrt(np.mean(out**2)) == pytest.approx(expected_level, rel=0.01)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert spectrum.argmax() * to_hz / len(out) == pytest.approx(tone_hz, abs=2)


def test_what_would_alias_is_gone() -> None:
    tone = np.sin(2 * np.pi * 9_500 * np.arange(24_000) / 24_000).astype(np.float32)
    out = StreamingResampler(24_000, 16_000).push(tone)[1_600:]
    assert 20 * np.log10(np.abs(out).max()) < -60


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        StreamingResampler(0, 16_000)
