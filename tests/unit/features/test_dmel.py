import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microturn.features.dmel import NUM_BINS, dmel, dmel_step, silent_tail

TURN = 3200


def sound(num_samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Tones, noise and stretches of digital silence, at levels from -80 dB to full scale."""
    rng = np.random.default_rng(seed)
    time = np.arange(num_samples) / 16_000
    tone = np.sin(2 * np.pi * (200 + 900 * time) * time)
    level = 10 ** rng.uniform(-4, 0, num_samples // 1000 + 1).repeat(1000)[:num_samples]
    silent = rng.random(num_samples // 1000 + 1).repeat(1000)[:num_samples] < 0.2
    return ((0.5 * tone + 0.2 * rng.standard_normal(num_samples)) * level * ~silent).astype(np.float32)


def reference(samples: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Inkling's own bins, and its log10 mel."""
    from transformers.models.inkling.feature_extraction_inkling import InklingFeatureExtractor

    extractor = InklingFeatureExtractor()
    log_mel = extractor([samples], sampling_rate=16_000, return_tensors="pt")["input_features"][0]
    # As InklingProcessor quantises (its class needs an image processor and a tokenizer to be built).
    centres = torch.linspace(-7.0, 2.0, NUM_BINS, dtype=torch.float64).to(torch.float32)
    bins = (log_mel.clamp(-7.0, 2.0).unsqueeze(-1) - centres).abs().argmin(-1)
    return bins.numpy(), log_mel.numpy()


@pytest.mark.parametrize("num_samples", [1, 799, 800, 3200, 16_001, 160_000])
def test_bins_are_inklings(num_samples: int) -> None:
    samples = sound(num_samples, seed=num_samples)
    ours = dmel(samples)
    theirs, log_mel = reference(samples)
    assert ours.shape == theirs.shape
    differs = ours != theirs
    # Two correct single-precision transforms may round a value in the middle of two centres to either side.
    distance_to_middle = np.abs((log_mel + 7.0) / 0.6 - 0.5 - np.round((log_mel + 7.0) / 0.6 - 0.5)) * 0.6
    assert np.all(distance_to_middle[differs] < 1e-5)
    assert differs.mean() < 1e-3


def test_digital_silence_and_full_scale_stay_in_range() -> None:
    assert np.unique(dmel(np.zeros(TURN, np.float32))).size <= 2
    loud = dmel(np.ones(TURN, np.float32) * 1000)
    assert loud.dtype == np.uint8
    assert loud.max() == NUM_BINS - 1


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_streaming_in_a_batch_with_strangers_equals_whole(num_turns: int, num_rows: int, seed: int) -> None:
    clips = np.stack([sound(num_turns * TURN, seed + row) for row in range(num_rows)])
    tails = silent_tail(num_rows)
    steps: list[NDArray[np.uint8]] = []
    for turn in range(num_turns):
        bins, tails = dmel_step(clips[:, turn * TURN : (turn + 1) * TURN], tails)
        steps.append(bins)
    streamed = np.concatenate(steps, axis=1)
    for row in range(num_rows):
        assert np.array_equal(streamed[row], dmel(clips[row]))


def test_a_step_leaves_its_arguments_alone() -> None:
    samples, tail = sound(TURN)[None], sound(800, seed=1)[None]
    kept = samples.copy(), tail.copy()
    _, after = dmel_step(samples, tail)
    after[:] = 0
    assert np.array_equal(samples, kept[0])
    assert np.array_equal(tail, kept[1])


def test_is_causal() -> None:
    samples = sound(4 * TURN)
    changed = samples.copy()
    changed[2 * TURN :] = 0.5
    assert np.array_equal(dmel(samples)[:8], dmel(changed)[:8])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="mono"):
        dmel(np.zeros((2, TURN), np.float32))
    with pytest.raises(ValueError, match="whole micro-turns"):
        dmel_step(np.zeros((1, 100), np.float32), silent_tail(1))
