"""How a model sees: frames cut into 40x40 patches, two frames (oldest first) to a patch.

The definition is Inkling's (``transformers.models.inkling``): rows as many as the height needs, columns one more than
the width's whole patches (so a width of whole patches ends in an empty column), what lies outside the frame filled
with -1 before values are rescaled and normalised, patches in reading order.

Dimensions: H height, W width, C colours, V values of a row of pixels, P patches, R rows and K columns of patches, S
side of a patch.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PATCH_PIXELS = 40
FRAMES_PER_PATCH = 2

NANO_WIDTH = 160
NANO_HEIGHT = 120
"""The size that nano's frames are brought to: 15 patches."""

_OUTSIDE = -1.0
# The mean and deviation of CLIP's training images, per colour.
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
_WHITE = 255.0


def num_patches(height: int, width: int) -> int:
    """How many patches, and so tokens, a pair of frames of this size gives."""
    num_rows, num_columns = _grid(height, width)
    return num_rows * num_columns


def pair_patches(older_HWC: NDArray[np.uint8], newer_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Two RGB frames of one size -> (P, 2, 40, 40, 3), normalised. A still is given twice."""
    if older_HWC.shape != newer_HWC.shape:
        raise ValueError(
            f"a pair of frames has one size, not {older_HWC.shape} and {newer_HWC.shape}: letterbox both first"
        )
    return np.stack([frame_patches(older_HWC), frame_patches(newer_HWC)], axis=1)


def frame_patches(pixels_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One RGB frame -> (P, 40, 40, 3), normalised."""
    if pixels_HWC.ndim != 3 or pixels_HWC.shape[2] != 3 or not pixels_HWC.size:
        raise ValueError(f"a frame is (height, width, 3) RGB, not {pixels_HWC.shape}: convert it first")
    height, width, _ = pixels_HWC.shape
    num_rows, num_columns = _grid(height, width)
    side = PATCH_PIXELS
    mean_V, deviation_V, outside_V = _colours_of_a_row(num_columns * side)
    num_inside = 3 * width
    # Whole rows at once: numpy is slow where the last dimension is as short as that of colours.
    rows_HV = np.empty((num_rows * side, 3 * num_columns * side), np.float32)
    inside_HV = rows_HV[:height, :num_inside]
    np.subtract(pixels_HWC.reshape(height, num_inside), mean_V[:num_inside], out=inside_HV, dtype=np.float32)
    np.divide(inside_HV, deviation_V[:num_inside], out=inside_HV)
    rows_HV[:height, num_inside:] = outside_V[num_inside:]
    rows_HV[height:] = outside_V
    patches_RKSSC = rows_HV.reshape(num_rows, side, num_columns, side, 3).swapaxes(1, 2)
    return patches_RKSSC.reshape(-1, side, side, 3)


def letterbox(
    pixels_HWC: NDArray[np.uint8], *, width: int = NANO_WIDTH, height: int = NANO_HEIGHT
) -> NDArray[np.uint8]:
    """A frame scaled to fit a size, its shape kept, in the middle of black: (height, width, 3)."""
    if pixels_HWC.shape[:2] == (height, width):
        return pixels_HWC
    old_height, old_width, _ = pixels_HWC.shape
    scale = min(width / old_width, height / old_height)
    new_width = min(width, max(1, round(old_width * scale)))
    new_height = min(height, max(1, round(old_height * scale)))
    picture = Image.fromarray(pixels_HWC).resize((new_width, new_height), Image.Resampling.BILINEAR)
    left, top = (width - new_width) // 2, (height - new_height) // 2
    boxed_HWC = np.zeros((height, width, 3), np.uint8)
    boxed_HWC[top : top + new_height, left : left + new_width] = np.asarray(picture)
    return boxed_HWC


def _grid(height: int, width: int) -> tuple[int, int]:
    return -(-height // PATCH_PIXELS), width // PATCH_PIXELS + 1


@cache
def _colours_of_a_row(num_pixels: int) -> tuple[NDArray[np.float32], ...]:
    """Of each value of a row of pixels: mean and deviation, in levels, and what it is outside the frame; (V,) each."""
    white = np.float32(_WHITE)
    mean_V, deviation_V = np.tile(_MEAN * white, num_pixels), np.tile(_DEVIATION * white, num_pixels)
    return mean_V, deviation_V, (np.float32(_OUTSIDE) - mean_V) / deviation_V
