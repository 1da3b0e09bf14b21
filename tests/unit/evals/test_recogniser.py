import numpy as np
import pytest

from microturn.evals.recogniser import resample


def test_resampling_keeps_a_tone_and_its_place() -> None:
    time = np.arange(2400) / 24_000
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    expected = np.sin(2 * np.pi * 1000 * np.arange(1600) / 16_000)
    np.testing.assert_allclose(resample(tone, 24_000, 16_000), expected, atol=1e-3)
    np.testing.assert_allclose(resample(expected.astype(np.float32), 16_000, 24_000), tone, atol=1e-3)


@pytest.mark.parametrize("num_samples", [0, 1, 7, 24_001])
def test_resampling_any_length(num_samples: int) -> None:
    out = resample(np.zeros(num_samples, np.float32), 24_000, 16_000)
    assert out.shape == (round(num_samples * 2 / 3),)
    assert out.dtype == np.float32
