"""What is heard, altered anew each time that it is read: one rendered voice becomes many, in many places.

Only whole bins and bands are moved, on the packed dMel, so that it costs nothing beside a training step. Nothing moves
in time but for the masks, so that every target stays where it is.

Dimensions: N audio tokens, M mel bands.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from microturn.features.dmel import NUM_BANDS, NUM_BINS
from microturn.features.filterbank import band_centres_hz
from microturn.turns.timing import IN_HZ

SILENCE_BIN = 2
"""The bin of digital silence: it has no level that could be raised."""
_CENTRES_HZ_M = band_centres_hz(sample_rate_hz=IN_HZ, num_bands=NUM_BANDS)


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Chances and extents, each drawn once an episode but for the masks."""

    warp_chance: float = 0.7
    """Of another length of the vocal tract (Jaitly & Hinton 2013); the pitch moves with it."""
    warp: float = 0.15
    """Greatest share by which frequencies move, up or down."""
    tone_chance: float = 0.7
    """Of another level and another microphone: a smooth curve over the bands."""
    level_bins: float = 1.0
    """Greatest change of level, in bins of 12 dB."""
    tone_bins: float = 0.6
    """Standard deviation of the curve's five supports, in bins."""
    noise_chance: float = 0.2
    """Of steady noise."""
    noise_bins: tuple[float, float] = (4.0, 7.5)
    """Its level; speech is loudest in the bins 9 to 12."""
    masked_tokens: int = 80
    """Length of the stretches that may have a band mask and a time mask each (Park et al. 2019)."""
    mask_chance: float = 0.4
    """Of each mask, in each stretch."""
    mask_bands: int = 16
    """Greatest width of a band mask."""
    mask_tokens: int = 2
    """Greatest length of a time mask."""


def alter(dmel_NM: NDArray[np.uint8], config: AugmentConfig, rng: Generator) -> NDArray[np.uint8]:
    """An episode's dMel as another voice, microphone and room would have made it. (N, 80) bins in [0, 16), a copy."""
    bins_NM = dmel_NM
    if rng.random() < config.warp_chance:
        bins_NM = bins_NM[:, _warped_bands(1.0 + rng.uniform(-config.warp, config.warp))]
    bins_NM = bins_NM.astype(np.int16)
    if rng.random() < config.tone_chance:
        level = rng.uniform(-config.level_bins, config.level_bins)
        shift_M = np.rint(level + _curve(config.tone_bins, rng)).astype(np.int16)
        bins_NM = np.where(bins_NM > SILENCE_BIN, np.maximum(bins_NM + shift_M, SILENCE_BIN), bins_NM)
    if rng.random() < config.noise_chance:
        noise_M = rng.uniform(*config.noise_bins) + _curve(1.0, rng)
        noise_NM = np.rint(noise_M + rng.normal(0.0, 0.35, bins_NM.shape)).astype(np.int16)
        bins_NM = np.maximum(bins_NM, noise_NM)
    _mask(bins_NM, config, rng)
    return np.clip(bins_NM, 0, NUM_BINS - 1).astype(np.uint8)


def _warped_bands(factor: float) -> NDArray[np.intp]:
    """For each band, the one whose sound moves there when frequencies are multiplied by ``factor``."""
    return np.abs(_CENTRES_HZ_M[:, None] / factor - _CENTRES_HZ_M[None]).argmin(1)


def _curve(deviation: float, rng: Generator) -> NDArray[np.float64]:
    """A smooth curve over the bands: (M,)."""
    supports = np.linspace(0, NUM_BANDS - 1, 5)
    return np.interp(np.arange(NUM_BANDS), supports, rng.normal(0.0, deviation, len(supports)))


def _mask(bins_NM: NDArray[np.int16], config: AugmentConfig, rng: Generator) -> None:
    """Silence bands for a stretch, and everything for a moment. In place."""
    for start in range(0, len(bins_NM), config.masked_tokens):
        stretch_NM = bins_NM[start : start + config.masked_tokens]
        if rng.random() < config.mask_chance:
            width = int(rng.integers(1, config.mask_bands + 1))
            first = int(rng.integers(0, NUM_BANDS - width + 1))
            stretch_NM[:, first : first + width] = SILENCE_BIN
        if rng.random() < config.mask_chance:
            first = int(rng.integers(0, len(stretch_NM)))
            stretch_NM[first : first + int(rng.integers(1, config.mask_tokens + 1))] = SILENCE_BIN
