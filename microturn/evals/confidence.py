"""95 % confidence intervals: Wilson's for rates, seeded bootstrap over examples for ratios and medians."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

_Z95 = 1.959964
_NUM_RESAMPLES = 1_000


def wilson(rate: float, count: int) -> Interval:
    """The interval of a rate seen over ``count`` examples (Wilson, 1927), honest at 0 and 1 too.

    Raises:
        ValueError: there is no example, or the rate is outside [0, 1].
    """
    if count < 1 or not 0 <= rate <= 1:
        raise ValueError(f"a rate of {rate} over {count} examples has no interval: give a rate in [0, 1], count >= 1")
    centre = rate + _Z95**2 / (2 * count)
    half = _Z95 * math.sqrt(rate * (1 - rate) / count + _Z95**2 / (4 * count**2))
    scale = 1 + _Z95**2 / count
    # At 0 and 1 the bound is the rate itself, but for rounding.
    return min(rate, max(0.0, (centre - half) / scale)), max(rate, min(1.0, (centre + half) / scale))


def of_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """The interval of a sum over a sum, one pair an example: a word error rate, with its examples resampled."""
    index = _resamples(len(numerators))
    top = np.asarray(numerators, np.float64)[index].sum(axis=1)
    bottom = np.asarray(denominators, np.float64)[index].sum(axis=1)
    return _percentiles(top / np.maximum(bottom, 1e-9))


def of_median(values: Sequence[float]) -> Interval:
    """The interval of a median."""
    return _percentiles(np.median(np.asarray(values, np.float64)[_resamples(len(values))], axis=1))


def of_percentile(values: Sequence[float], percent: float) -> Interval:
    """The interval of a percentile; independent draws are assumed."""
    return _percentiles(np.percentile(np.asarray(values, np.float64)[_resamples(len(values))], percent, axis=1))


def _resamples(count: int) -> NDArray[np.int64]:
    """(resamples, count) indices; the same at every run."""
    if count < 1:
        raise ValueError("no example: an interval needs at least one")
    return np.random.default_rng(0).integers(count, size=(_NUM_RESAMPLES, count))


def _percentiles(values: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
