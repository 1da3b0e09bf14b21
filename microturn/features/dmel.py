"""dMel: how a model hears. 50 ms of sound become one token: 80 mel bands, each in one of 16 bins.

The definition is Inkling's (``transformers.models.inkling``): 100 ms Hann window, causal, Slaney mels of
the magnitude spectrum, log10, the nearest of 16 centres. Bins agree with the reference but for values within
rounding of the middle between two centres.

The streaming form equals the whole form bit for bit, in any batch: every call, whatever its length, is a
stack of blocks of one fixed shape, so that each token's sums are taken in the same order.

Dimensions: B sessions, S samples of a turn, L samples of the tail, T tokens, M mel bands, N blocks,
F samples of a frame.
"""

import numpy as np
from numpy.typing import NDArray

from microturn.features.filterbank import slaney_filterbank
from microturn.turns.timing import AUDIO_TOKEN_MS, AUDIO_TOKENS_PER_TURN, IN_HZ, IN_SAMPLES_PER_TURN

NUM_BANDS = 80
NUM_BINS = 16
MIN_LOG10 = -7.0
MAX_LOG10 = 2.0

HOP_SAMPLES = IN_HZ * AUDIO_TOKEN_MS // 1000
WINDOW_SAMPLES = 2 * HOP_SAMPLES
TAIL_SAMPLES = WINDOW_SAMPLES - HOP_SAMPLES
"""Samples of the past that the next token's window still covers: the whole state of a stream."""

_MIN_POWER = np.float32(1e-10)
_MIN_MEL = np.float32(1e-10)
_CENTRES = np.linspace(MIN_LOG10, MAX_LOG10, NUM_BINS).astype(np.float32)
_MIDPOINTS = (_CENTRES[:-1] + _CENTRES[1:]) / 2
_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)
_FILTERS = np.ascontiguousarray(slaney_filterbank(sample_rate_hz=IN_HZ, num_fft=WINDOW_SAMPLES, num_bands=NUM_BANDS).T)


def dmel(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A whole recording's tokens: (num_samples,) at 16 kHz -> (num_tokens, 80) bins in [0, 16).

    A last token that is not full is completed with zeros: ``num_tokens = ceil(num_samples / 800)``.
    """
    if samples.ndim != 1:
        raise ValueError(f"dmel takes mono samples (num_samples,), not {samples.shape}: mix the channels down first")
    num_tokens = -(-len(samples) // HOP_SAMPLES)
    num_turns = -(-num_tokens // AUDIO_TOKENS_PER_TURN)
    padded_1S = np.zeros((1, num_turns * IN_SAMPLES_PER_TURN), np.float32)
    padded_1S[0, : len(samples)] = samples
    bins_1TM, _ = dmel_step(padded_1S, silent_tail(1))
    return bins_1TM[0, :num_tokens]


def dmel_step(
    samples_BS: NDArray[np.float32], tail_BL: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One or more micro-turns of several sessions: (B, 3200 n) samples and the sessions' (B, 800) tails.

    Returns (B, 4 n, 80) bins in [0, 16) and the tails for the next call. Pure: neither argument is changed.
    """
    num_rows, num_samples = samples_BS.shape
    if num_samples % IN_SAMPLES_PER_TURN or tail_BL.shape != (num_rows, TAIL_SAMPLES):
        raise ValueError(
            f"dmel_step takes whole micro-turns (B, {IN_SAMPLES_PER_TURN} n) and tails (B, {TAIL_SAMPLES}), "
            f"not {samples_BS.shape} and {tail_BL.shape}: slice with microturn.turns.slicer.Slicer"
        )
    sound_BS = np.concatenate([tail_BL, samples_BS], axis=1, dtype=np.float32)
    if num_samples == 0:
        return np.zeros((num_rows, 0, NUM_BANDS), np.uint8), sound_BS
    frames_BTF = np.lib.stride_tricks.sliding_window_view(sound_BS, WINDOW_SAMPLES, axis=1)[:, ::HOP_SAMPLES]
    frames_NTF = frames_BTF.reshape(-1, AUDIO_TOKENS_PER_TURN, WINDOW_SAMPLES)
    bins_NTM = np.searchsorted(_MIDPOINTS, _log_mel(frames_NTF)).astype(np.uint8)
    return bins_NTM.reshape(num_rows, -1, NUM_BANDS), sound_BS[:, -TAIL_SAMPLES:].copy()


def silent_tail(num_rows: int) -> NDArray[np.float32]:
    """The tails of sessions that have heard nothing yet: (num_rows, 800) zeros."""
    return np.zeros((num_rows, TAIL_SAMPLES), np.float32)


def _log_mel(frames_NTF: NDArray[np.float32]) -> NDArray[np.float32]:
    spectrum = np.fft.rfft(frames_NTF * _WINDOW)
    power = spectrum.real**2 + spectrum.imag**2
    mel_NTM = np.sqrt(np.maximum(power, _MIN_POWER)) @ _FILTERS
    return np.log10(np.maximum(mel_NTM, _MIN_MEL))
