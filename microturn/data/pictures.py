"""Frames in a shard: JPEG, as a live client sends them, a tenth of the size; a frame that repeats is kept once.

Dimensions: K micro-turns with video, H height, W width, C colours, N bytes.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from microturn.features.patches import FRAMES_PER_PATCH, NANO_HEIGHT, NANO_WIDTH

QUALITY = 88
"""Of the JPEG: its artefacts stay below a camera's noise."""
NO_FRAMES: NDArray[np.uint8] = np.zeros((0, FRAMES_PER_PATCH, NANO_HEIGHT, NANO_WIDTH, 3), np.uint8)


def to_arrays(frames_K2HWC: NDArray[np.uint8]) -> dict[str, NDArray]:
    """``jpeg``: the distinct frames, one after the other; ``jpeg_bytes``: their lengths; ``frame``: which each is."""
    distinct: dict[bytes, int] = {}
    order = [distinct.setdefault(frame.tobytes(), len(distinct)) for pair in frames_K2HWC for frame in pair]
    shape = frames_K2HWC.shape[2:]
    files = [_encoded(np.frombuffer(raw, np.uint8).reshape(shape)) for raw in distinct]
    return {
        "jpeg": np.frombuffer(b"".join(files), np.uint8),
        "jpeg_bytes": np.array([len(file) for file in files], np.uint32),
        "frame": np.array(order, np.uint32),
    }


def from_arrays(arrays: dict[str, NDArray]) -> NDArray[np.uint8]:
    """(K, 2, H, W, C). Raises an error of Pillow's or ValueError if the bytes are damaged."""
    if "frame" not in arrays or not len(arrays["frame"]):
        return NO_FRAMES
    ends = np.cumsum(arrays["jpeg_bytes"])
    starts = ends - arrays["jpeg_bytes"]
    distinct = np.stack([_decoded(arrays["jpeg"][a:b]) for a, b in zip(starts, ends, strict=True)])
    return distinct[arrays["frame"]].reshape(-1, FRAMES_PER_PATCH, *distinct.shape[1:])


def _encoded(pixels_HWC: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels_HWC).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _decoded(file_N: NDArray[np.uint8]) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(file_N.tobytes())) as image:
        return np.asarray(image)
