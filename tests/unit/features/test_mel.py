import json

import numpy as np
import pytest
import torch

from microturn.features.filterbank import slaney_filterbank
from microturn.features.mel import SILENT_LOG_MEL, MelStatistics, mel, mel_of_tensor


def test_the_filterbank_is_slaneys() -> None:
    from transformers.audio_utils import mel_filter_bank

    for rate, num_fft in ((16_000, 1600), (24_000, 1024)):
        theirs = mel_filter_bank(num_fft // 2 + 1, 80, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney").T
        ours = slaney_filterbank(sample_rate_hz=rate, num_fft=num_fft, num_bands=80)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("num_samples", [0, 1, 300, 4800, 10_001])
def test_numpy_and_torch_agree(num_samples: int) -> None:
    samples = np.random.default_rng(0).standard_normal(num_samples).astype(np.float32) * 0.1
    whole = mel(samples)
    assert whole.shape == (-(-num_samples // 300), 80)
    assert whole.dtype == np.float32
    if num_samples:
        batch = mel_of_tensor(torch.from_numpy(samples)[None].repeat(2, 1))
        np.testing.assert_allclose(batch[1].numpy(), whole, atol=1e-4)


def test_a_frame_hears_nothing_that_comes_after_it() -> None:
    samples = np.zeros(3000, np.float32)
    samples[1500:] = 0.5
    frames = mel(samples)
    assert np.all(frames[:5] == np.float32(SILENT_LOG_MEL))
    assert np.all(frames[5:].max(axis=1) > -5)


def test_a_tone_lies_in_its_band() -> None:
    time = np.arange(9600) / 24_000
    frames = mel((0.3 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32))
    centres_hz = slaney_filterbank(sample_rate_hz=24_000, num_fft=1024, num_bands=80).argmax(1) * 24_000 / 1024
    assert abs(centres_hz[frames[20].argmax()] - 1000) < 60


def test_gradients_are_finite_in_silence() -> None:
    samples = torch.zeros(1, 4800, requires_grad=True)
    mel_of_tensor(samples).sum().backward()
    assert samples.grad is not None
    assert torch.isfinite(samples.grad).all()


def test_statistics_normalise_both_kinds_of_array_and_survive_json() -> None:
    frames = np.random.default_rng(0).normal(-5, 2, (500, 80)).astype(np.float32)
    statistics = MelStatistics.from_json(json.loads(json.dumps(MelStatistics.measure(frames).to_json())))
    normal = statistics.normalise(frames)
    np.testing.assert_allclose(normal.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(normal.std(0), 1, atol=1e-4)
    np.testing.assert_allclose(statistics.denormalise(normal), frames, atol=1e-4)
    np.testing.assert_allclose(statistics.normalise(torch.from_numpy(frames)).numpy(), normal, atol=1e-5)
    with pytest.raises(ValueError, match="80 means"):
        MelStatistics(mean=(0.0,), deviation=(1.0,))
