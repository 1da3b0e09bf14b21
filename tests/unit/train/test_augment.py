"""Heard sound is altered as another voice and another room would alter it, never in time, never the packed original."""

from dataclasses import replace

import numpy as np
import pytest

from microturn.features.dmel import dmel
from microturn.train.augment import SILENCE_BIN, AugmentConfig, alter

NOTHING = AugmentConfig(warp_chance=0, tone_chance=0, noise_chance=0, mask_chance=0)


def tone(hz: float, gain: float = 0.1) -> np.ndarray:
    seconds = np.arange(16_000) / 16_000
    return dmel((gain * np.sin(2 * np.pi * hz * seconds)).astype(np.float32))


def test_without_chances_nothing_changes_and_the_original_never_does() -> None:
    heard = tone(700.0)
    before = heard.copy()
    np.testing.assert_array_equal(alter(heard, NOTHING, np.random.default_rng(0)), heard)
    for seed in range(8):
        altered = alter(heard, AugmentConfig(), np.random.default_rng(seed))
        assert altered.shape == heard.shape
        assert altered.dtype == np.uint8
        assert altered.max() < 16
    np.testing.assert_array_equal(heard, before)


@pytest.mark.parametrize("seed", range(6))
def test_a_warp_moves_a_tone_to_where_a_tone_of_that_frequency_is(seed: int) -> None:
    config = replace(NOTHING, warp_chance=1)
    rng = np.random.default_rng(seed)
    rng.random()
    factor = 1.0 + rng.uniform(-config.warp, config.warp)
    warped = alter(tone(1500.0), config, np.random.default_rng(seed))
    expected = tone(1500.0 * factor)
    assert abs(int(warped[8].argmax()) - int(expected[8].argmax())) <= 1


def test_a_level_moves_every_sound_but_digital_silence() -> None:
    config = replace(NOTHING, tone_chance=1, tone_bins=0, level_bins=1.0)
    heard = np.concatenate([tone(700.0), np.full((20, 80), SILENCE_BIN, np.uint8)])
    shifts = set()
    for seed in range(20):
        altered = alter(heard, config, np.random.default_rng(seed)).astype(int)
        assert (altered[-20:] == SILENCE_BIN).all()
        shifts.add(int(altered[8].max()) - int(heard[8].max()))
    assert shifts == {-1, 0, 1}


def test_noise_covers_the_quiet_and_leaves_the_loud() -> None:
    config = replace(NOTHING, noise_chance=1)
    heard = tone(700.0, gain=0.9)
    altered = alter(heard, config, np.random.default_rng(0))
    assert (altered >= heard).all()
    assert altered[8].min() > heard[8].min()
    assert altered[8].max() == heard[8].max()


def test_masks_silence_some_bands_and_some_moments_only() -> None:
    heard = np.full((400, 80), 9, np.uint8)
    altered = alter(heard, replace(NOTHING, mask_chance=1), np.random.default_rng(3))
    silent = altered == SILENCE_BIN
    assert ((altered == 9) | silent).all()
    assert 0.02 < silent.mean() < 0.4
    assert 5 <= silent.all(1).sum() <= 10
