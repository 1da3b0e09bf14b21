"""The pictures of a recording: decoded, upright, square in their pixels, of bounded size, at most ten a second."""

import math
from collections.abc import Generator
from pathlib import Path

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame as DecodedFrame
from numpy.typing import NDArray

from microturn.errors import MediaError
from microturn.media.container import DamageCount, opened, picture_stream
from microturn.turns.timing import MAX_FPS
from microturn.turns.video import VideoFrame

MAX_SIDE_PIXELS = 1_280
"""Larger pictures are scaled down: the model sees far smaller ones, and a few seconds of 8K would fill the memory."""
_SLOT_MS = 1000 / MAX_FPS


def read_pictures(path: Path, *, origin_s: float, damage: DamageCount) -> Generator[VideoFrame]:
    """RGB frames in order of time: the first in each tenth of a second. Packets that do not decode are counted.

    Raises:
        MediaError: the file went away while it was read.
    """
    with opened(path) as container:
        stream = picture_stream(container)
        if stream is None:
            return
        stream.codec_context.thread_count = 1  # the other cores are the model's
        pixel_aspect = float(stream.sample_aspect_ratio or 1) or 1.0
        step_ms = 1000 / float(stream.average_rate or MAX_FPS)
        time_ms, slot = -step_ms, -1
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    damage.num_packets += 1
                    continue
                for frame in frames:
                    time_ms = time_ms + step_ms if frame.pts is None else (frame.time - origin_s) * 1000
                    if math.floor(time_ms / _SLOT_MS) > slot:
                        slot = math.floor(time_ms / _SLOT_MS)
                        yield VideoFrame(time_ms=time_ms, pixels=_upright(frame, pixel_aspect))
        except FFmpegError as error:
            raise MediaError(
                f"{path} can no longer be read ({error.strerror}): check the disk, then run again"
            ) from error


def _upright(frame: DecodedFrame, pixel_aspect: float) -> NDArray[np.uint8]:
    """(height, width, 3) as a player shows it."""
    width, height = frame.width * pixel_aspect, float(frame.height)
    scale = min(1.0, MAX_SIDE_PIXELS / max(width, height))
    pixels = frame.to_ndarray(
        width=max(1, round(width * scale)), height=max(1, round(height * scale)), format="rgb24"
    ).astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(pixels, k=round(frame.rotation / 90) % 4))
