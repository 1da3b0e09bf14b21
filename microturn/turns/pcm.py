"""A stretch of sound and the media time at which it starts, counted in samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class PcmChunk:
    """Mono samples at the input rate (16 kHz)."""

    start_sample: int
    """Index of the first sample since the session began. Media time counts samples."""
    samples: NDArray[np.float32]
    """(num_samples,) in [-1, 1]."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 1:
            raise ValueError(f"a chunk is mono, (num_samples,), not {self.samples.shape}: mix the channels down first")
        if self.start_sample < 0:
            raise ValueError(f"a chunk starts at sample {self.start_sample}: media time begins at 0")

    @property
    def end_sample(self) -> int:
        """Index one past the last sample."""
        return self.start_sample + len(self.samples)
