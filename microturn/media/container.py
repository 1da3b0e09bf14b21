"""Opening a media container, and saying clearly what is wrong with one that cannot be used."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from microturn.errors import MediaError

_NOT_RECORDINGS = frozenset({"tty", "image2", "concat", "hls"})
"""Formats that libav offers for text, for stills, and for files that only name other files."""

_PLAYS = "play it, or convert it with: ffmpeg -i FILE out.wav"


@dataclass(kw_only=True, slots=True)
class DamageCount:
    """What of a recording could not be decoded."""

    num_packets: int = 0


@contextmanager
def opened(path: Path) -> Generator[InputContainer]:
    """The container of an existing file; closed at the end.

    Raises:
        MediaError: absent, a folder, empty, forbidden, or in no format that is known.
    """
    if not path.exists():
        raise MediaError(f"{path} does not exist: check the name and the folder")
    if not path.is_file():
        raise MediaError(f"{path} is a folder, not a recording: name one file in it")
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty (0 bytes): record or copy it again")
        # An absolute path cannot be taken for an address, and no format may reach for the network.
        container = av.open(str(path.resolve()), options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        reason = error.strerror or type(error).__name__
        raise MediaError(
            f"{path} cannot be read as sound or video ({reason}): it is damaged, cut short or no recording; {_PLAYS}"
        ) from error
    with container:
        names = container.format.name.split(",")
        if not _NOT_RECORDINGS.isdisjoint(names) or names[0].endswith("_pipe"):
            raise MediaError(
                f"{path} is read as {container.format.name}, which is no recording: name a file of sound or video"
            )
        yield container


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The container's first stream of sound."""
    return container.streams.audio[0] if container.streams.audio else None


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The container's first moving picture. The cover of an album is none."""
    for stream in container.streams.video:
        if not stream.disposition & type(stream.disposition).attached_pic:
            return stream
    return None


def declared_bytes_missing(path: Path) -> int:
    """Bytes by which a RIFF file falls short of what its header declares; 0 for other files.

    libav shortens the duration of such a file silently. Recorders that cannot seek declare 0 or about 2 or 4 GiB, and
    mean that they did not know.
    """
    with path.open("rb") as file:
        header = file.read(12)
    if header[:4] != b"RIFF" or header[8:] != b"WAVE":
        return 0
    declared = int.from_bytes(header[4:8], "little") + 8
    return 0 if declared >= 0x7FFF_0000 else max(0, declared - path.stat().st_size)
