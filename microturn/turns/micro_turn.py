"""The value that joins data, training, engine, server and evaluation: one micro-turn, as input and as output.

A session is a list of pairs. ``inputs[k]`` is what the model was given for media time [200k, 200(k+1)) ms;
``outputs[k]`` is what it answered, played one micro-turn later. Training data is a list of the very same pairs.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from microturn.turns.timing import (
    IN_SAMPLES_PER_TURN,
    MEL_FRAMES_PER_TURN,
    OUT_SAMPLES_PER_TURN,
    PATCHES_PER_TURN,
    TURN_MS,
)
from microturn.turns.video import VideoFrame

MEL_BANDS = 80


class Role(StrEnum):
    """Who a text event comes from."""

    USER = "user"  # typed by the user
    SYSTEM = "system"  # instructions, what was heard when the model was cut off, summaries
    TOOL = "tool"  # the background model: "1 note|say|done|error: …"


@dataclass(frozen=True, kw_only=True, slots=True)
class TextEvent:
    """Text that reaches the model at a moment, beside what it hears and sees."""

    role: Role
    text: str
    drop_before_turn: int | None = None
    """The text stands for all text of earlier turns than this one, which is forgotten once the event is read whole."""
    script: str | None = None
    """Words that the model says next, these and no others, once it has read the text: a disclosure, a fixed notice."""


def scripted(words: str) -> TextEvent:
    """The event that has the model say these words and no others."""
    return TextEvent(role=Role.TOOL, text=f"say: {words}", script=words)


class PieceKind(StrEnum):
    """What a piece of an output is for."""

    ACT = "act"  # for the background model: "ask 1: …", "amend 1: …", "cancel 1"
    TEXT = "text"  # for the user's eyes


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A stretch of text that is not spoken. Without ``is_end`` it goes on in the next turn's piece."""

    kind: PieceKind
    text: str
    is_end: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class MicroTurnInput:
    """What the model takes in during one micro-turn."""

    index: int
    """k: covers media time [200k, 200(k+1)) ms."""
    audio: NDArray[np.float32]
    """User audio, (3200,) in [-1, 1] at 16 kHz. Silence where nothing came."""
    frames: tuple[VideoFrame, ...] = ()
    """None (camera off) or exactly two frames, oldest first: one temporal patch pair."""
    events: tuple[TextEvent, ...] = ()
    """Text events, in order of arrival."""
    num_missing_samples: int = 0
    """How many of the samples were lost or late and stand as zeros."""
    gap_turns: int = 0
    """Micro-turns that this one stands for after a stall too long to make up; 0 for an ordinary turn."""

    @property
    def told(self) -> tuple[TextEvent, ...]:
        """The text that the model reads: the events, and before them word of a gap."""
        if not self.gap_turns:
            return self.events
        seconds = round(self.gap_turns * TURN_MS / 1000)
        return (TextEvent(role=Role.SYSTEM, text=f"nothing came for {seconds} seconds"), *self.events)

    def __post_init__(self) -> None:
        if self.audio.shape != (IN_SAMPLES_PER_TURN,):
            raise ValueError(
                f"a micro-turn's audio has shape ({IN_SAMPLES_PER_TURN},), not {self.audio.shape}: "
                "resample to 16 kHz mono and slice with microturn.turns.slicer.Slicer"
            )
        if len(self.frames) not in (0, 2):
            raise ValueError(f"a micro-turn takes no frame or two, not {len(self.frames)}: repeat a lone frame")


@dataclass(frozen=True, kw_only=True, slots=True)
class MicroTurnOutput:
    """What the model answers to one micro-turn. Everything empty: it stayed silent."""

    index: int
    """The index of the input that this answers."""
    hear: str = ""
    """Words of the user, as the model transcribed them: appended to the running transcript."""
    pieces: tuple[Piece, ...] = ()
    """Requests to the background model and visible text."""
    is_clear: bool = False
    """Drop speech that has not been played yet."""
    say: str = ""
    """Words that the speech will utter, ahead of their sound: appended to the running captions."""
    mel: NDArray[np.float32] | None = field(default=None)
    """Speech as natural-log mel, (16, 80), un-normalised; None when silent."""
    phones: tuple[int, ...] = ()
    """The phone that each patch of ``mel`` ends on, four; see ``microturn.features.phones``. Empty: unknown."""
    audio: NDArray[np.float32] | None = field(default=None)
    """The same speech as samples, (4800,) in [-1, 1] at 24 kHz, once it has been through the vocoder."""

    def __post_init__(self) -> None:
        if self.mel is not None and self.mel.shape != (MEL_FRAMES_PER_TURN, MEL_BANDS):
            raise ValueError(f"a micro-turn's mel has shape ({MEL_FRAMES_PER_TURN}, {MEL_BANDS}), not {self.mel.shape}")
        if len(self.phones) not in (0, PATCHES_PER_TURN):
            raise ValueError(f"a micro-turn has {PATCHES_PER_TURN} phones or none, not {len(self.phones)}")
        if self.audio is not None and self.audio.shape != (OUT_SAMPLES_PER_TURN,):
            raise ValueError(f"a micro-turn's speech has shape ({OUT_SAMPLES_PER_TURN},), not {self.audio.shape}")

    @property
    def is_speaking(self) -> bool:
        """Whether sound goes out in this turn."""
        return self.mel is not None or self.audio is not None

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all goes out in this turn."""
        return not (self.hear or self.pieces or self.is_clear or self.say or self.is_speaking)
