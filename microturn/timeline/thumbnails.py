"""A handful of small pictures of a session, evenly spread, however long it runs."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from microturn.turns.timing import TURN_MS
from microturn.turns.video import VideoFrame

MAX_THUMBNAILS = 480
"""Kept at once; past it every other one goes, and they come half as often from then on."""
_SIZE = (192, 144)
"""Largest width and height, in pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Thumbnail:
    """A small picture and the media time at which it was taken."""

    time_ms: float
    jpeg: bytes

    @property
    def data_uri(self) -> str:
        """As an address that holds the picture itself."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


class ThumbnailStrip:
    """Picks frames of a session as they pass by; its size is bounded."""

    def __init__(self) -> None:
        self.thumbnails: list[Thumbnail] = []
        self._step_ms = float(TURN_MS)
        self._due_ms = 0.0

    def add(self, frame: VideoFrame) -> None:
        """Take in a frame, or let it pass if the last one was taken just before."""
        if frame.time_ms < self._due_ms:
            return
        self.thumbnails.append(Thumbnail(time_ms=frame.time_ms, jpeg=_jpeg(frame)))
        if len(self.thumbnails) > MAX_THUMBNAILS:
            self.thumbnails = self.thumbnails[::2]
            self._step_ms *= 2
        self._due_ms = self.thumbnails[-1].time_ms + self._step_ms


def _jpeg(frame: VideoFrame) -> bytes:
    image = Image.fromarray(frame.pixels)
    image.thumbnail(_SIZE)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=72)
    return buffer.getvalue()
