"""Mel of our own speech: the one definition that the renderer, the flow head and the vocoder share.

24 kHz, Hann window and FFT of 1024 samples, hop 300, left-padded so that frame t covers no sample at or past
300 (t + 1); magnitude spectrum, 80 Slaney mels from 0 to 12 kHz, natural log clamped at 1e-4. A micro-turn
holds 16 frames, a patch 4.

Dimensions: B clips, S samples, T frames, M mel bands.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from microturn.errors import CheckpointError
from microturn.features.filterbank import slaney_filterbank
from microturn.turns.timing import MEL_HOP_SAMPLES, OUT_HZ

_Array = TypeVar("_Array", NDArray[np.float32], Tensor)

NUM_BANDS = 80
WINDOW_SAMPLES = 1024
LEFT_PAD_SAMPLES = WINDOW_SAMPLES - MEL_HOP_SAMPLES
MIN_MEL = 1e-4

SILENT_LOG_MEL = float(np.log(MIN_MEL))
"""The value of every band of a silent frame."""

_FILTERS = slaney_filterbank(sample_rate_hz=OUT_HZ, num_fft=WINDOW_SAMPLES, num_bands=NUM_BANDS).T
_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)


def mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Natural-log mel of a recording: (num_samples,) at 24 kHz -> (num_frames, 80).

    A last frame that is not full is completed with zeros: ``num_frames = ceil(num_samples / 300)``.
    """
    if samples.ndim != 1:
        raise ValueError(f"mel takes mono samples (num_samples,), not {samples.shape}: mix the channels down first")
    num_frames = -(-len(samples) // MEL_HOP_SAMPLES)
    if num_frames == 0:
        return np.zeros((0, NUM_BANDS), np.float32)
    padded = np.zeros(LEFT_PAD_SAMPLES + num_frames * MEL_HOP_SAMPLES, np.float32)
    padded[LEFT_PAD_SAMPLES : LEFT_PAD_SAMPLES + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::MEL_HOP_SAMPLES]
    magnitude = np.abs(np.fft.rfft(frames * _WINDOW))
    return np.log(np.maximum(magnitude @ _FILTERS, np.float32(MIN_MEL)))


def mel_of_tensor(samples_BS: Tensor, past_BS: Tensor | None = None) -> Tensor:
    """The same for a batch of tensors, with gradients: (B, S) -> (B, T, 80), on the samples' device.

    ``past_BS`` is the (B, 724) samples before, silence if None.
    """
    num_rows, num_samples = samples_BS.shape
    right_pad = -num_samples % MEL_HOP_SAMPLES
    if past_BS is None:
        past_BS = samples_BS.new_zeros(num_rows, LEFT_PAD_SAMPLES)
    padded_BS = torch.cat([past_BS, samples_BS, samples_BS.new_zeros(num_rows, right_pad)], dim=1)
    window, filters = _constants(samples_BS.device)
    frames_BTF = padded_BS.unfold(1, WINDOW_SAMPLES, MEL_HOP_SAMPLES)
    spectrum = torch.view_as_real(torch.fft.rfft(frames_BTF * window))
    # The floor lies far below MIN_MEL; it keeps the square root's gradient finite in silence.
    magnitude = spectrum.square().sum(-1).clamp_min(1e-14).sqrt()
    return (magnitude @ filters).clamp_min(MIN_MEL).log()


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(_WINDOW).to(device), torch.from_numpy(np.ascontiguousarray(_FILTERS)).to(device)


@dataclass(frozen=True, kw_only=True, slots=True)
class MelStatistics:
    """Per-band mean and deviation of one voice's log mel, kept in the checkpoint.

    The model works on normalised values, the vocoder and ``MicroTurnOutput`` on plain ones.
    """

    mean: tuple[float, ...]
    """(80,) natural-log mel."""
    deviation: tuple[float, ...]
    """(80,) natural-log mel, positive."""

    def __post_init__(self) -> None:
        if len(self.mean) != NUM_BANDS or len(self.deviation) != NUM_BANDS or min(self.deviation) <= 0:
            raise ValueError(
                f"mel statistics are {NUM_BANDS} means and as many positive deviations, not {len(self.mean)} "
                f"and {len(self.deviation)}: take them from the checkpoint or from MelStatistics.measure"
            )

    @classmethod
    def measure(cls, mel_TM: NDArray[np.float32]) -> "MelStatistics":
        """The statistics of (T, 80) frames of speech."""
        return cls(
            mean=tuple(mel_TM.mean(axis=0, dtype=np.float64).tolist()),
            deviation=tuple(np.maximum(mel_TM.std(axis=0, dtype=np.float64), 1e-3).tolist()),
        )

    @classmethod
    def from_json(cls, record: dict[str, list[float]]) -> "MelStatistics":
        """The inverse of :meth:`to_json`."""
        return cls(mean=tuple(record["mean"]), deviation=tuple(record["deviation"]))

    @classmethod
    def load(cls, path: Path) -> "MelStatistics":
        """Read ``mel.json``. Raises CheckpointError if it is absent or broken."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} holds no mel statistics ({error}): restore it from the checkpoint's source"
            ) from error

    def to_json(self) -> dict[str, list[float]]:
        """A record for ``json.dumps``."""
        return {"mean": list(self.mean), "deviation": list(self.deviation)}

    def normalise(self, mel_TM: _Array) -> _Array:
        """(..., 80) plain log mel to zero mean and unit deviation, as the kind of array it came in."""
        mean, deviation = self._like(mel_TM)
        return (mel_TM - mean) / deviation

    def denormalise(self, mel_TM: _Array) -> _Array:
        """The inverse of :meth:`normalise`."""
        mean, deviation = self._like(mel_TM)
        return mel_TM * deviation + mean

    def _like(self, values: _Array) -> tuple[_Array, _Array]:
        if isinstance(values, Tensor):
            return values.new_tensor(self.mean), values.new_tensor(self.deviation)
        return np.asarray(self.mean, np.float32), np.asarray(self.deviation, np.float32)
