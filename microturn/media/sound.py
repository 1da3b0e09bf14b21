"""The sound of a recording: decoded, mixed down, resampled, and laid on the recording's own time."""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from microturn.errors import MediaError
from microturn.media.container import DamageCount, opened, sound_stream
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN, in_samples

_PCM16_SCALE = np.float32(2**-15)
_RESYNC_MS = 60
"""Time stamps may stray from the count of samples by this much (rounding, a drifting clock) before either gives way."""
_MAX_GAP_MS = 3_600_000
"""A jump beyond an hour is a broken time stamp, not a pause of the recorder."""
_MAX_OVERLAP_MS = 1_000
"""Sound that steps back by less overlaps what was there; by more, the time stamps began anew."""


@dataclass(slots=True)
class _MonoTrack:
    """Sound on its way from decoded frames to samples (num_samples,) int16 at the input rate, without holes."""

    resampler: AudioResampler | None = None
    shape: tuple[str, str, int] | None = None
    num_samples: int = 0
    """Written so far: the position of the next sample."""
    skip_samples: int = 0
    """Of what comes next, already heard or before the recording's start."""
    due_ms: float | None = None
    """Where the next frame should start; None before the first."""
    shift_ms: float = 0.0
    """Added to time stamps since they last began anew."""
    parts: list[NDArray[np.int16]] = field(default_factory=list)

    def add(self, frame: AudioFrame, start_ms: float | None) -> None:
        """Take in a decoded frame that starts at a time of the recording; None: right after the last."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self.shape:
            self.finish()
            self.resampler, self.shape = _new_resampler(), shape
        due_ms = self._place(start_ms)
        self.due_ms = due_ms + frame.samples * 1000 / frame.sample_rate
        assert self.resampler is not None, "set with the first frame's shape"
        frame.pts = None  # positions are counted here
        self._write(self.resampler.resample(frame))

    def finish(self) -> None:
        """Write what the resampler still holds."""
        if self.resampler is not None:
            self._write(self.resampler.resample(None))
        self.resampler = self.shape = None

    def fill_to(self, end_sample: int) -> None:
        """Silence up to a position."""
        if end_sample > self.num_samples:
            self._append(np.zeros(end_sample - self.num_samples, np.int16))

    def take(self) -> Generator[PcmChunk]:
        """What has been written since the last call, in pieces of no more than a micro-turn."""
        position = self.num_samples - sum(len(part) for part in self.parts)
        parts, self.parts = self.parts, []
        for part in parts:
            for start in range(0, len(part), IN_SAMPLES_PER_TURN):
                samples = part[start : start + IN_SAMPLES_PER_TURN] * _PCM16_SCALE
                yield PcmChunk(start_sample=position, samples=samples)
                position += len(samples)

    def _place(self, stamp_ms: float | None) -> float:
        """Compare a frame's time stamp with the count of samples; leave a hole, overlap, or begin anew."""
        if self.due_ms is None:
            start_ms, self.due_ms = stamp_ms or 0.0, 0.0
        elif stamp_ms is None or abs(stamp_ms + self.shift_ms - self.due_ms) <= _RESYNC_MS:
            return self.due_ms
        else:
            start_ms = stamp_ms + self.shift_ms
        step_ms = start_ms - self.due_ms
        if step_ms > _MAX_GAP_MS or step_ms < -_MAX_OVERLAP_MS:
            self.shift_ms -= step_ms
            return self.due_ms
        if self.resampler is not None:
            self._write(self.resampler.resample(None))
            self.resampler = _new_resampler()
        self.fill_to(in_samples(max(0.0, start_ms)))
        self.skip_samples = self.num_samples - in_samples(start_ms)
        return start_ms

    def _write(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            samples: NDArray[np.int16] = frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)
            num_skipped = min(self.skip_samples, len(samples))
            self.skip_samples -= num_skipped
            self._append(samples[num_skipped:])

    def _append(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            self.parts.append(samples)
            self.num_samples += len(samples)


def _new_resampler() -> AudioResampler:
    return AudioResampler(format="s16", layout="mono", rate=IN_HZ)


def read_sound(path: Path, *, origin_s: float, end_ms: float, damage: DamageCount) -> Generator[PcmChunk]:
    """Sound at 16 kHz mono from time 0 to ``end_ms`` or its own end, without holes: what is not there is silence.

    Channels are averaged in 16 bits, so that nothing clips. A packet that does not decode is silence and is counted.

    Args:
        path: A recording; one without sound gives silence.
        origin_s: The container's time at which the recording starts.
        end_ms: Where silence ends that follows the sound.
        damage: Counts what did not decode.

    Raises:
        MediaError: channels that cannot be mixed down.
    """
    track = _MonoTrack()
    for frame in _decoded(path, damage):
        start_ms = None if frame.time is None else (frame.time - origin_s) * 1000
        try:
            track.add(frame, start_ms)
        except (FFmpegError, ValueError) as error:
            raise MediaError(
                f"{path} has sound of a kind that cannot be mixed down ({frame.layout.name}, {frame.sample_rate} Hz): "
                "write it with one or two channels first"
            ) from error
        yield from track.take()
    track.finish()
    yield from track.take()
    end_sample = in_samples(end_ms)
    while track.num_samples < end_sample:
        track.fill_to(min(end_sample, track.num_samples + IN_SAMPLES_PER_TURN))
        yield from track.take()


def _decoded(path: Path, damage: DamageCount) -> Generator[AudioFrame]:
    with opened(path) as container:
        stream = sound_stream(container)
        if stream is None:
            return
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    damage.num_packets += 1
                    continue
                yield from frames
        except FFmpegError as error:
            raise MediaError(
                f"{path} can no longer be read ({error.strerror}): check the disk, then run again"
            ) from error
