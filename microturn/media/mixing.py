"""A conversation as it sounded in the room: what the user said on the left, what the model answered on the right."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from microturn.media.writing import WavWriter, pcm16
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import (
    IN_HZ,
    OUT_HZ,
    OUT_SAMPLES_PER_TURN,
    PLAYOUT_OFFSET_MS,
    out_samples,
    turn_start_ms,
)

_FADE_SAMPLES = out_samples(5)
"""Speech that is cut off fades over this long: a click would be the only thing heard of a good interruption."""


def playback_start_ms(index: int) -> int:
    """The media time at which the answer to micro-turn ``index`` starts to sound."""
    return turn_start_ms(index + 1) + PLAYOUT_OFFSET_MS


class ReplyTrack:
    """The model's speech on the axis of media time, at ``OUT_HZ``.

    An output with ``is_clear`` drops what would sound from the end of its own turn on: the earliest that a listener's
    player can know of it.
    """

    def __init__(self) -> None:
        self._pending = np.zeros(0, np.int16)
        self._start = 0
        """Position of the first pending sample; everything before is taken."""

    def add(self, output: MicroTurnOutput) -> None:
        """Take in the next output."""
        if output.is_clear:
            self._cut_off(out_samples(turn_start_ms(output.index + 1)))
        if output.audio is not None:
            start = out_samples(playback_start_ms(output.index)) - self._start
            self._grow_to(start + OUT_SAMPLES_PER_TURN)
            self._pending[start : start + OUT_SAMPLES_PER_TURN] = pcm16(output.audio)

    def take_until(self, end: int) -> NDArray[np.int16]:
        """Samples from where the last call ended to the position ``end``, silence where nothing sounds."""
        num_samples = end - self._start
        self._grow_to(num_samples)
        taken, self._pending = self._pending[:num_samples], self._pending[num_samples:]
        self._start = end
        return taken

    @property
    def end(self) -> int:
        """Position one past the last sample that is known."""
        return self._start + len(self._pending)

    def _cut_off(self, position: int) -> None:
        offset = position - self._start
        fading = self._pending[offset : offset + _FADE_SAMPLES]
        fading[:] = (fading * np.linspace(1.0, 0.0, len(fading), dtype=np.float32)).astype(np.int16)
        self._pending = self._pending[: offset + len(fading)]

    def _grow_to(self, num_samples: int) -> None:
        if num_samples > len(self._pending):
            self._pending = np.concatenate([self._pending, np.zeros(num_samples - len(self._pending), np.int16)])


class UserTrack:
    """What the model heard, resampled to ``OUT_HZ``; as it was heard, lost samples and all."""

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=OUT_HZ)
        self._pending = np.zeros(0, np.int16)

    def add(self, audio: NDArray[np.float32]) -> None:
        """Take in a turn's sound at ``IN_HZ``."""
        frame = AudioFrame.from_ndarray(pcm16(audio)[None], format="s16", layout="mono")
        frame.sample_rate = IN_HZ
        self._append(self._resampler.resample(frame))

    def finish(self) -> None:
        """Let out what the resampler's filter still holds."""
        self._append(self._resampler.resample(None))

    def take(self, num_samples: int) -> NDArray[np.int16]:
        """The next samples; silence after the last one."""
        taken, self._pending = self._pending[:num_samples], self._pending[num_samples:]
        return np.concatenate([taken, np.zeros(num_samples - len(taken), np.int16)])

    def __len__(self) -> int:
        return len(self._pending)

    def _append(self, frames: list[AudioFrame]) -> None:
        parts = [frame.to_ndarray().reshape(-1).astype(np.int16, copy=False) for frame in frames]
        self._pending = np.concatenate([self._pending, *parts])


class Track(Protocol):
    """Takes sound at ``OUT_HZ``, such as a ``WavWriter``."""

    def write(self, *channels: NDArray[np.int16]) -> None:
        """Append samples: one array (num_samples,) for each channel, all of one length."""
        ...


class ConversationWriter:
    """Writes both sides of a conversation as it goes on: memory stays flat.

    Both files share the recording's own time: the reply starts with the silence before its first word.

    Args:
        reply: Mono at ``OUT_HZ``: the model alone.
        mix: Stereo at ``OUT_HZ``: the user on the left, the model on the right.
    """

    def __init__(self, reply: Track, mix: Track) -> None:
        self._reply, self._mix = reply, mix
        self._user_track = UserTrack()
        self._reply_track = ReplyTrack()
        self._position = 0

    @classmethod
    @contextmanager
    def writing(cls, reply_path: Path, mix_path: Path) -> Generator["ConversationWriter"]:
        """Writes to two files; they are whole when the block has ended without raising."""
        with (
            WavWriter(reply_path, rate_hz=OUT_HZ) as reply,
            WavWriter(mix_path, rate_hz=OUT_HZ, num_channels=2) as mix,
        ):
            writer = cls(reply, mix)
            yield writer
            writer.finish()

    def add(self, turn: MicroTurnInput, output: MicroTurnOutput) -> None:
        """Take in the next micro-turn, and write what can no longer change."""
        for _ in range(max(0, turn.gap_turns - 1)):
            self._user_track.add(np.zeros_like(turn.audio))
        self._user_track.add(turn.audio)
        self._reply_track.add(output)
        # A later `clear` takes effect at the end of its own turn, so everything up to the end of this one stands.
        self._write(min(out_samples(turn_start_ms(turn.index + 1)), self._position + len(self._user_track)))

    def finish(self) -> None:
        """Write the rest, up to the end of whichever side is longer."""
        self._user_track.finish()
        self._write(max(self._position + len(self._user_track), self._reply_track.end))

    def _write(self, end: int) -> None:
        user = self._user_track.take(end - self._position)
        reply = self._reply_track.take_until(end)
        self._position = end
        self._reply.write(reply)
        self._mix.write(user, reply)
