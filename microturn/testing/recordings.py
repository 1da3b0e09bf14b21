"""Real recordings made on the spot, in any container, so that no test needs a file from elsewhere."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

_SOUND_CODECS = {
    ".wav": "pcm_s16le",
    ".mp3": "libmp3lame",
    ".ogg": "libopus",
    ".flac": "flac",
    ".m4a": "aac",
    ".mp4": "aac",
    ".mov": "aac",
    ".ts": "aac",
    ".mkv": "libopus",
    ".webm": "libopus",
}
_PICTURE_CODECS = {".webm": "libvpx"}
_FAST = {"preset": "ultrafast", "deadline": "realtime", "cpu-used": "8", "threads": "1"}
"""Options of libx264 and libvpx; each ignores the other's."""
_SAMPLES_PER_FRAME = 960


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """A sound track."""

    samples: NDArray[np.float32]
    """(num_samples,) in [-1, 1]; every channel carries the same."""
    rate_hz: int = 48_000
    layout: str = "mono"
    start_ms: int = 0
    gaps_ms: Sequence[tuple[int, int]] = ()
    """Stretches that the recorder missed: (start, end) in the sound's own time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """A video track of plain grey frames, each a little brighter than the last."""

    num_frames: int
    fps: int = 25
    size: tuple[int, int] = (160, 120)
    """Width and height in pixels."""
    start_ms: int = 0


def tone(seconds: float, *, rate_hz: int = 48_000, pitch_hz: float = 440.0, level: float = 0.3) -> NDArray[np.float32]:
    """(num_samples,) of a steady tone."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)


def write_recording(path: Path, *, sound: Sound | None = None, pictures: Pictures | None = None) -> Path:
    """Write a recording; the container and its codecs follow from the name's suffix."""
    with av.open(str(path), "w") as container:
        # Every stream is declared before the first packet is written.
        sound_stream = picture_stream = None
        if sound is not None:
            codec = _SOUND_CODECS[path.suffix]
            sound_stream = cast(AudioStream, container.add_stream(codec, rate=sound.rate_hz, layout=sound.layout))
        if pictures is not None:
            codec = _PICTURE_CODECS.get(path.suffix, "libx264")
            picture_stream = cast(VideoStream, container.add_stream(codec, rate=pictures.fps, options=_FAST))
            picture_stream.width, picture_stream.height = pictures.size
            picture_stream.pix_fmt = "yuv420p"
        if sound is not None and sound_stream is not None:
            for frame in _sound_frames(sound):
                container.mux(sound_stream.encode(frame))
            container.mux(sound_stream.encode(None))
        if pictures is not None and picture_stream is not None:
            for frame in _picture_frames(pictures):
                container.mux(picture_stream.encode(frame))
            container.mux(picture_stream.encode(None))
    return path


def _sound_frames(sound: Sound) -> Generator[AudioFrame]:
    first = sound.start_ms * sound.rate_hz // 1000
    for start in range(0, len(sound.samples), _SAMPLES_PER_FRAME):
        start_ms = start * 1000 / sound.rate_hz
        if any(low <= start_ms < high for low, high in sound.gaps_ms):
            continue
        part = sound.samples[start : start + _SAMPLES_PER_FRAME]
        num_channels = AudioLayout(sound.layout).nb_channels
        frame = AudioFrame.from_ndarray(np.tile(part, (num_channels, 1)), format="fltp", layout=sound.layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.rate_hz, first + start, Fraction(1, sound.rate_hz)
        yield frame


def _picture_frames(pictures: Pictures) -> Generator[VideoFrame]:
    width, height = pictures.size
    first = pictures.start_ms * pictures.fps // 1000
    for index in range(pictures.num_frames):
        frame = VideoFrame.from_ndarray(np.full((height, width, 3), 40 + index * 2 % 160, np.uint8), format="rgb24")
        frame.pts, frame.time_base = first + index, Fraction(1, pictures.fps)
        yield frame
