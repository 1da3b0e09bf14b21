"""The sound of a timeline: an outline to draw, and a compact copy to play in the page."""

import base64
import io
import wave
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from microturn.turns.timing import OUT_HZ

OUTLINE_STEP_MS = 5
"""Time that one value of an outline stands for."""

_BLOCK_SAMPLES = OUT_HZ * 10
"""Long sound is worked through in blocks of ten seconds."""
_BIT_RATE = 32_000
_OPUS_OPTIONS = {"application": "voip", "compression_level": "5"}
_SIDE_GAIN, _OTHER_GAIN = 0.85, 0.35
"""Each voice leans to its side, as across a table; on one ear alone it would be tiring in headphones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One side of a conversation on the axis of media time: sample 0 is time 0."""

    samples: NDArray[np.float32] | NDArray[np.int16]
    """(num_samples,), floats in [-1, 1] or 16-bit integers; a memory map will do."""
    rate_hz: int

    @property
    def duration_ms(self) -> float:
        """Length of the track."""
        return len(self.samples) * 1000 / self.rate_hz

    def part(self, start: int, end: int) -> NDArray[np.int16]:
        """16-bit samples between two positions, fewer at the end."""
        samples = self.samples[start:end]
        if samples.dtype == np.int16:
            return samples.astype(np.int16, copy=False)
        return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)


def outline(track: Track) -> NDArray[np.uint8]:
    """Peak of each ``OUTLINE_STEP_MS`` of sound, (num_steps,): 255 times the square root of the amplitude.

    The root keeps quiet speech visible in eight bits.
    """
    step = track.rate_hz * OUTLINE_STEP_MS // 1000
    parts: list[NDArray[np.uint8]] = []
    for start in range(0, len(track.samples), step * 4096):
        samples = np.abs(track.part(start, start + step * 4096).astype(np.int32))
        padded = np.pad(samples, (0, -len(samples) % step)).reshape(-1, step)
        parts.append(np.rint(255 * np.sqrt(padded.max(axis=1) / 32768)).clip(0, 255).astype(np.uint8))
    return np.concatenate(parts) if parts else np.zeros(0, np.uint8)


def embedded_sound(user: Track, reply: Track) -> tuple[str, str]:
    """Both sides as a compact stereo file: its media type and its bytes in base64.

    Opus in WebM, which every current browser plays; a WAV file where this libav was built without Opus.
    """
    try:
        return "audio/webm", _base64(_opus(user, reply))
    except (FFmpegError, ValueError):
        return "audio/wav", _base64(_wav(user, reply))


def _opus(user: Track, reply: Track) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=OUT_HZ, layout="stereo", options=_OPUS_OPTIONS)
        stream.codec_context.bit_rate = _BIT_RATE
        position = 0
        for left, right in _blocks(user, reply):
            interleaved = np.stack([left, right], axis=1).reshape(1, -1)
            frame = AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = OUT_HZ, position, Fraction(1, OUT_HZ)
            position += len(left)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _wav(user: Track, reply: Track) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(OUT_HZ)
        for left, right in _blocks(user, reply):
            file.writeframesraw(np.stack([left, right], axis=1).astype("<i2").tobytes())
    return buffer.getvalue()


def _blocks(user: Track, reply: Track) -> Generator[tuple[NDArray[np.int16], NDArray[np.int16]]]:
    """Left and right ear at ``OUT_HZ``, block by block, up to the end of the longer side."""
    sides = [_at_out_rate(user), _at_out_rate(reply)]
    num_samples = round(max(user.duration_ms, reply.duration_ms) * OUT_HZ / 1000)
    for start in range(0, num_samples, _BLOCK_SAMPLES):
        size = min(_BLOCK_SAMPLES, num_samples - start)
        left, right = (side.take(size).astype(np.float32) for side in sides)
        yield _mixed(left, right), _mixed(right, left)


def _mixed(near: NDArray[np.float32], far: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(_SIDE_GAIN * near + _OTHER_GAIN * far, -32768, 32767).astype(np.int16)


@dataclass(slots=True)
class _Reader:
    """Reads a track at ``OUT_HZ``, and silence after its end."""

    track: Track
    resampler: AudioResampler | None
    position: int = 0
    pending: NDArray[np.int16] | None = None

    def take(self, num_samples: int) -> NDArray[np.int16]:
        """The next samples."""
        held = np.zeros(0, np.int16) if self.pending is None else self.pending
        while len(held) < num_samples and (more := self._more()) is not None:
            held = np.concatenate([held, more])
        self.pending = held[num_samples:]
        return np.pad(held[:num_samples], (0, max(0, num_samples - len(held))))

    def _more(self) -> NDArray[np.int16] | None:
        if self.position >= len(self.track.samples):
            return None
        part = self.track.part(self.position, self.position + _BLOCK_SAMPLES)
        self.position += _BLOCK_SAMPLES
        if self.resampler is None:
            return part
        frame = AudioFrame.from_ndarray(part[None], format="s16", layout="mono")
        frame.sample_rate = self.track.rate_hz
        frames = self.resampler.resample(frame)
        if self.position >= len(self.track.samples):
            frames += self.resampler.resample(None)
        parts = [resampled.to_ndarray().reshape(-1).astype(np.int16, copy=False) for resampled in frames]
        return np.concatenate([np.zeros(0, np.int16), *parts])


def _at_out_rate(track: Track) -> _Reader:
    is_same = track.rate_hz == OUT_HZ
    return _Reader(track, None if is_same else AudioResampler(format="s16", layout="mono", rate=OUT_HZ))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
