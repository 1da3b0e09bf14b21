"""A conversation as one Matroska file: both voices, the pictures that the model saw, and captions of both sides.

The first sound track is the conversation as it was in the room, the user left and the model right; the other two hold
one voice each, for transcribing and measuring. Media time is the file's time.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.video.frame import VideoFrame as AvFrame
from numpy.typing import NDArray
from PIL import Image

from microturn.errors import MediaError
from microturn.media.mixing import ConversationWriter
from microturn.timeline.summary import TurnSummary
from microturn.timeline.words import Word, heard_words, said_words, utterances
from microturn.turns.background import Speaker
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Role
from microturn.turns.timing import MAX_FPS, OUT_HZ, TURN_MS, turn_start_ms
from microturn.turns.video import VideoFrame

_BIT_RATES = {1: 32_000, 2: 64_000}
_MAX_CAPTION_CHARS = 72
_TYPED_FOR_MS = 3_000
_MILLISECOND = Fraction(1, 1000)
_PICTURE_CODECS = {"libx264": {"preset": "veryfast", "crf": "26", "threads": "1"}, "mpeg4": {"qscale": "5"}}
"""The first that this libav was built with is used."""
_HEADER = b"[Script Info]\n[V4+ Styles]\nFormat: Name\nStyle: Default\n[Events]\nFormat: Layer, Text\n"
"""What the encoder wants before it is opened; the lines are written as they are."""
_MARKUP = str.maketrans({"\n": " ", "\r": " ", "<": "‹", ">": "›", "{": "(", "}": ")", "\\": "/"})
"""What players of subtitles would take for their own signs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caption:
    """A line under the picture."""

    start_ms: int
    end_ms: int
    text: str


def captions(turns: Sequence[TurnSummary], names: tuple[str, str]) -> list[Caption]:
    """What was spoken and typed, in order of time, in pieces that can be read.

    Args:
        names: Of the user and of the model.
    """
    lines = [*_spoken(heard_words(turns), Speaker.USER, names[0]), *_spoken(said_words(turns), Speaker.MODEL, names[1])]
    for turn in turns:
        for event in turn.events:
            if event.role is Role.USER:
                end_ms = turn.start_ms + _TYPED_FOR_MS
                lines.append(Caption(start_ms=turn.start_ms, end_ms=end_ms, text=f"{names[0]}, typed: {event.text}"))
    return sorted(lines, key=lambda line: line.start_ms)


def _spoken(words: Sequence[Word], speaker: Speaker, name: str) -> Generator[Caption]:
    parts: list[list[Word]] = []
    for utterance in utterances(words, speaker):
        within = [w for w in words if not w.is_withdrawn and utterance.start_ms - 1 <= w.time_ms < utterance.end_ms]
        part: list[Word] = []
        for word in within:
            if part and sum(len(each.text) + 1 for each in part) + len(word.text) > _MAX_CAPTION_CHARS:
                parts.append(part)
                part = []
            part.append(word)
        parts.append(part)
    for part in filter(None, parts):
        text = " ".join(word.text for word in part)
        # What is heard was spoken a little before it was written down, and a line should be read in peace.
        yield Caption(
            start_ms=round(part[0].time_ms), end_ms=round(part[-1].time_ms) + 2 * TURN_MS, text=f"{name}: {text}"
        )


class _SoundTrack:
    """One sound stream; takes samples at ``OUT_HZ`` as a ``WavWriter`` does."""

    def __init__(self, container: Any, title: str, num_channels: int) -> None:
        self._container = container
        self._layout = "stereo" if num_channels == 2 else "mono"
        self._stream = container.add_stream("libopus", rate=OUT_HZ, layout=self._layout)
        self._stream.codec_context.bit_rate = _BIT_RATES[num_channels]
        self._stream.metadata["title"] = title
        self._position = 0

    def write(self, *channels: NDArray[np.int16]) -> None:
        """Append samples: one array (num_samples,) for each channel."""
        if not len(channels[0]):
            return
        interleaved = np.stack(channels, axis=1).reshape(1, -1)
        frame = AudioFrame.from_ndarray(interleaved, format="s16", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = OUT_HZ, self._position, Fraction(1, OUT_HZ)
        self._position += len(channels[0])
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


class _Sides:
    """Takes the user's and the model's samples, for all three tracks."""

    def __init__(self, container: Any, names: tuple[str, str]) -> None:
        self._both = _SoundTrack(container, "conversation", 2)
        self._each = [_SoundTrack(container, name, 1) for name in names]

    def write(self, *channels: NDArray[np.int16]) -> None:
        """Append samples of both."""
        self._both.write(*channels)
        for track, samples in zip(self._each, channels, strict=True):
            track.write(samples)

    def finish(self) -> None:
        for track in (self._both, *self._each):
            track.finish()


class _Nowhere:
    """For the reply alone, which is one of the sides already."""

    def write(self, *channels: NDArray[np.int16]) -> None: ...


class _Pictures:
    """The video stream. Pictures of any size are fitted into the largest."""

    def __init__(self, container: Any, size: tuple[int, int]) -> None:
        self._container = container
        name = next(name for name in _PICTURE_CODECS if name in av.codecs_available)
        self._stream = container.add_stream(name, rate=MAX_FPS, options=_PICTURE_CODECS[name])
        self._stream.width, self._stream.height = (side + side % 2 for side in size)
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _MILLISECOND
        self._last_ms = -1

    def write(self, frame: VideoFrame) -> None:
        """Append a picture; one that is no later than the last is left out."""
        time_ms = round(frame.time_ms)
        if time_ms <= self._last_ms:
            return
        self._last_ms = time_ms
        canvas = Image.new("RGB", (self._stream.width, self._stream.height))
        picture = Image.fromarray(frame.pixels)
        picture.thumbnail(canvas.size)
        canvas.paste(picture, ((canvas.width - picture.width) // 2, (canvas.height - picture.height) // 2))
        out = AvFrame.from_ndarray(np.asarray(canvas), format="rgb24")
        out.pts, out.time_base = time_ms, _MILLISECOND
        self._container.mux(self._stream.encode(out))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))


class _Captions:
    """The subtitle stream."""

    def __init__(self, container: Any, lines: Sequence[Caption]) -> None:
        self._container = container
        self._stream = container.add_stream("subrip")
        self._stream.codec_context.time_base = _MILLISECOND
        self._stream.codec_context.subtitle_header = _HEADER
        self._lines = list(reversed(lines))

    def write_until(self, time_ms: float) -> None:
        """Write the lines that begin before a time."""
        while self._lines and self._lines[-1].start_ms < time_ms:
            line = self._lines.pop()
            packet = av.Packet(line.text.translate(_MARKUP).encode())
            packet.stream, packet.time_base = self._stream, _MILLISECOND
            packet.pts = packet.dts = line.start_ms
            packet.duration = line.end_ms - line.start_ms
            self._container.mux(packet)


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmPlan:
    """What must be known before the first packet is written."""

    summaries: list[TurnSummary]
    picture_size: tuple[int, int] | None
    """Width and height of the largest picture; None where nothing was seen."""

    @classmethod
    def of(cls, turns: Iterable[tuple[MicroTurnInput, TurnSummary]]) -> "FilmPlan":
        """Reads a conversation once; only its summaries stay in memory."""
        summaries: list[TurnSummary] = []
        sides: list[int] = []
        for turn, summary in turns:
            summaries.append(summary)
            for frame in turn.frames:
                sides = [max(pair) for pair in zip(sides or (0, 0), frame.pixels.shape[1::-1], strict=True)]
        return cls(summaries=summaries, picture_size=(sides[0], sides[1]) if sides else None)


def write_film(
    path: Path,
    plan: FilmPlan,
    turns: Iterable[tuple[MicroTurnInput, MicroTurnOutput]],
    *,
    title: str,
    begun: str = "",
    names: tuple[str, str] = ("user", "model"),
) -> None:
    """Write a conversation, reading it as it goes.

    Args:
        turns: Those of the plan, again.
        begun: Date and time, ISO 8601.
        names: Of the user and of the model, for tracks and captions.

    Raises:
        MediaError: the file cannot be written.
    """
    with _told(path), av.open(str(path), "w", format="matroska") as container:
        container.metadata["title"] = title
        if begun:
            container.metadata["creation_time"] = begun
        pictures = _Pictures(container, plan.picture_size) if plan.picture_size else None
        sides = _Sides(container, names)
        lines = _Captions(container, captions(plan.summaries, names))
        conversation = ConversationWriter(_Nowhere(), sides)
        for turn, output in turns:
            conversation.add(turn, output)
            if pictures is not None:
                for frame in turn.frames:
                    pictures.write(frame)
            lines.write_until(turn_start_ms(turn.index + 1))
        conversation.finish()
        lines.write_until(float("inf"))
        for track in (sides, pictures):
            if track is not None:
                track.finish()


@contextmanager
def _told(path: Path) -> Generator[None]:
    try:
        yield
    except (FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path} cannot be written ({reason}): make room, or choose another folder") from error
