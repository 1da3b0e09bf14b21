"""Changes the sample rate of a stream, piece by piece, exactly as if it came whole.

A polyphase windowed-sinc filter for rates in the ratio of small integers (24, 16 and 8 kHz here). It is causal: output
lags by half the filter's length, three milliseconds at most, and no sample waits for the next piece.
"""

from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_TAPS = 48
"""Filter length in samples of the lower rate."""
_KAISER_BETA = 8.0
"""About 80 dB of stop band."""
_PASS_SHARE = 0.92
"""Cut-off as a share of the lower rate's Nyquist frequency: room for the filter's slope."""


class StreamingResampler:
    """Resamples mono sound; keeps the filter's memory between pieces.

    Args:
        from_hz: Rate of what is pushed.
        to_hz: Rate of what comes out.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"cannot resample {from_hz} Hz to {to_hz} Hz: rates are positive")
        divisor = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // divisor, from_hz // divisor
        self._phases = _polyphase_filter(self._up, self._down)
        self._memory = np.zeros(self._phases.shape[1] - 1, dtype=np.float32)
        self._next_position = 0
        """Position of the next output sample on the upsampled axis, relative to the first sample of the next piece."""

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resampled sound (about num_samples * to_hz / from_hz,) of the next piece (num_samples,)."""
        if self._up == self._down:
            return samples
        known = np.concatenate([self._memory, samples])
        positions = np.arange(self._next_position, len(samples) * self._up, self._down)
        self._next_position = self._next_position + len(positions) * self._down - len(samples) * self._up
        self._memory = known[len(known) - len(self._memory) :]
        if not len(positions):
            return np.zeros(0, dtype=np.float32)
        windows = sliding_window_view(known, self._phases.shape[1])[positions // self._up]
        return np.einsum("nt,nt->n", windows, self._phases[positions % self._up]).astype(np.float32)


def _polyphase_filter(up: int, down: int) -> NDArray[np.float32]:
    """Filter taps by phase, (up, taps), oldest sample first, each phase with unit gain at rest."""
    taps_per_phase = -(-_TAPS * max(up, down) // up)
    num_taps = up * taps_per_phase
    cutoff = _PASS_SHARE / max(up, down)
    time = np.arange(num_taps) - (num_taps - 1) / 2
    taps = np.sinc(time * cutoff) * np.kaiser(num_taps, _KAISER_BETA)
    phases = taps.reshape(taps_per_phase, up).T[:, ::-1]
    return (phases / phases.sum(axis=1, keepdims=True)).astype(np.float32)
