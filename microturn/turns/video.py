"""A picture and the media time at which it was taken."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoFrame:
    """One frame of the camera or the screen."""

    time_ms: float
    """Media time."""
    pixels: NDArray[np.uint8]
    """(height, width, 3) RGB."""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(
                f"a frame is (height, width, 3) uint8 RGB, not {self.pixels.shape} {self.pixels.dtype}: convert it"
            )
