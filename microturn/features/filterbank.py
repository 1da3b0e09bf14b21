"""The Slaney mel filterbank that both the ears (dMel) and the voice (mel) of a model share."""

import numpy as np
from numpy.typing import NDArray

_BREAK_HZ = 1000.0
_HZ_PER_MEL_BELOW = 200.0 / 3.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL_BELOW
_MELS_PER_NEPER_ABOVE = 27.0 / np.log(6.4)


def slaney_filterbank(*, sample_rate_hz: int, num_fft: int, num_bands: int) -> NDArray[np.float32]:
    """Triangles of equal area, evenly spaced on Slaney's mel scale from 0 Hz to half the sample rate.

    Returns (num_bands, num_fft // 2 + 1), to be multiplied onto a magnitude spectrum. Source: M. Slaney,
    Auditory Toolbox (1998): linear below 1 kHz, logarithmic above.
    """
    edges_hz = _edges_hz(sample_rate_hz, num_bands)
    bins_hz = np.linspace(0.0, sample_rate_hz / 2, num_fft // 2 + 1)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - low) / (centre - low)
    falling = (high - bins_hz) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (high - low))).astype(np.float32)


def band_centres_hz(*, sample_rate_hz: int, num_bands: int) -> NDArray[np.float64]:
    """Where the bands of ``slaney_filterbank`` are centred: (num_bands,)."""
    return _edges_hz(sample_rate_hz, num_bands)[1:-1]


def _edges_hz(sample_rate_hz: int, num_bands: int) -> NDArray[np.float64]:
    return _hz_of_mel(np.linspace(0.0, _mel_of_hz(sample_rate_hz / 2), num_bands + 2))


def _mel_of_hz(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _HZ_PER_MEL_BELOW
    return float(_BREAK_MEL + np.log(hz / _BREAK_HZ) * _MELS_PER_NEPER_ABOVE)


def _hz_of_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ * np.exp((mel - _BREAK_MEL) / _MELS_PER_NEPER_ABOVE)
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL_BELOW, above)
