"""Any recording as the model takes it in: 16 kHz mono sound and pictures, in order of time, streamed from the file.

    recording = open_recording(Path("talk.mp4"))
    for medium in recording.media():        # PcmChunk | VideoFrame
        ...

Time 0 is where the earlier of the recording's sound and pictures starts, so that the two keep their distance. The
file is read through once before anything is decoded: only then is it certain that it is whole, and how long it is.
Sound and pictures are then read through two handles of their own, so that no interleaving, however bad, needs memory.
"""

import heapq
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from microturn.errors import MediaError
from microturn.media.container import DamageCount, declared_bytes_missing, opened, picture_stream, sound_stream
from microturn.media.pictures import read_pictures
from microturn.media.sound import read_sound
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_HZ
from microturn.turns.video import VideoFrame

_CUT_SHORT_MS = 500
"""A file that ends this much before the duration it declares has been cut short."""
_DECLARES_DURATION = frozenset({"mp4", "matroska", "webm", "flac", "wav", "avi"})
"""Formats whose header states a duration; others' is an estimate of libav, of no use as a promise."""
_PROBE_PACKETS = 64
"""So many packets may fail to decode before a stream counts as unreadable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A file that has been read through and found whole."""

    path: Path
    duration_ms: float
    """From time 0 to the end of the last packet."""
    has_sound: bool
    has_pictures: bool
    format_name: str
    """As libav calls it, for messages."""
    origin_s: float
    """The container's time at which the recording starts."""
    damage: DamageCount = field(default_factory=DamageCount)
    """Counted while ``media`` runs."""

    def media(self) -> Iterator[PcmChunk | VideoFrame]:
        """Sound and pictures: a frame always precedes the sound of its own time.

        Sound runs without holes from 0 to the end: what the file does not hold (a late start, a pause of the recorder,
        a recording without sound) is silence. Memory stays flat however long the file is.

        Raises:
            MediaError: the file went away, or its channels cannot be mixed down.
        """
        sound = read_sound(self.path, origin_s=self.origin_s, end_ms=self.duration_ms, damage=self.damage)
        pictures = read_pictures(self.path, origin_s=self.origin_s, damage=self.damage)
        with closing(sound), closing(pictures):
            yield from heapq.merge(pictures, sound, key=_complete_ms)


def open_recording(path: Path) -> Recording:
    """Read a file through, without decoding it, and describe it.

    Raises:
        MediaError: absent, a folder, empty, no recording, cut short, without sound and pictures, or not decodable.
    """
    with opened(path) as container:
        sound, pictures = sound_stream(container), picture_stream(container)
        streams = [stream for stream in (sound, pictures) if stream is not None]
        if not streams:
            raise MediaError(
                f"{path} ({container.format.name}) holds neither sound nor pictures: name a recording that does"
            )
        origin_s = min(float((stream.start_time or 0) * (stream.time_base or 0)) for stream in streams)
        end_s, ends_s = _read_through(path, container, streams)
        _require_whole(path, container, end_s)
        duration_ms = (max(ends_s) - origin_s) * 1000
        format_name = container.format.name
        kinds = [stream.type for stream in streams]  # a stream may not be touched once its container is closed
    for kind in kinds:
        _require_decodable(path, kind)
    return Recording(
        path=path,
        duration_ms=max(0.0, duration_ms),
        has_sound=sound is not None,
        has_pictures=pictures is not None,
        format_name=format_name,
        origin_s=origin_s,
    )


def _complete_ms(medium: PcmChunk | VideoFrame) -> float:
    """When all of it has come: a frame at once, sound at its last sample."""
    return medium.time_ms if isinstance(medium, VideoFrame) else medium.end_sample * 1000 / IN_HZ


def _read_through(
    path: Path, container: InputContainer, streams: list[AudioStream | VideoStream]
) -> tuple[float, list[float]]:
    """The end of the last packet of all, and of each stream that matters, in the container's seconds."""
    ends_s: dict[int, float] = {}
    try:
        for packet in container.demux():
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None and packet.size:
                end_s = float((stamp + (packet.duration or 0)) * packet.time_base)
                index = packet.stream.index
                ends_s[index] = max(ends_s.get(index, end_s), end_s)
    except FFmpegError as error:
        raise MediaError(
            f"{path} breaks off after {max(ends_s.values(), default=0.0):.1f} s ({error.strerror}): copy it again"
        ) from error
    if not ends_s:
        raise MediaError(f"{path} has a header and nothing after it: record or copy it again")
    return max(ends_s.values()), [ends_s.get(stream.index, 0.0) for stream in streams]


def _require_whole(path: Path, container: InputContainer, end_s: float) -> None:
    num_missing_bytes = declared_bytes_missing(path)
    declared_s = (container.duration or 0) / av.time_base
    is_promise = not _DECLARES_DURATION.isdisjoint(container.format.name.split(","))
    start_s = max(0.0, (container.start_time or 0) / av.time_base)
    missing_s = declared_s - (end_s - start_s) if is_promise else 0.0
    if num_missing_bytes or missing_s * 1000 > _CUT_SHORT_MS:
        lack = f"{num_missing_bytes} bytes" if num_missing_bytes else f"{missing_s:.1f} of {declared_s:.1f} s"
        raise MediaError(
            f"{path} was cut short: {lack} are missing at its end. Copy it again, or keep what is there with: "
            f"ffmpeg -i {path.name} -c copy whole{path.suffix}"
        )


def _require_decodable(path: Path, kind: str) -> None:
    """At least one frame of the stream comes out of its decoder."""
    with opened(path) as container:
        stream = sound_stream(container) if kind == "audio" else picture_stream(container)
        assert stream is not None, "the stream was there a moment ago"
        codec = stream.codec_context.name if stream.codec_context else "an unknown codec"
        try:
            for packet in islice(container.demux(stream), _PROBE_PACKETS):
                try:
                    if packet.decode():
                        return
                except FFmpegError:
                    continue
        except FFmpegError:
            pass  # reported below like a stream whose every packet is damaged
    raise MediaError(
        f"{path} has {kind} in {codec} of which nothing can be decoded: it is damaged, encrypted or of a kind unknown "
        "here; convert it with: ffmpeg -i FILE out.mp4"
    )
