"""What a scenario yields: micro-turns to train on, and what a listener may expect of whoever answers them.

Two clocks appear. *Media time* is the user's. *Reply time* counts the model's output: output k is the stretch
[200k, 200(k+1)) ms of the reply, and is played one micro-turn later in media time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from microturn.data.visual import PatchLabels
from microturn.data.voices import SpokenWord
from microturn.features.phones import Phone
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import TURN_MS

UTTERANCE_PAUSE_MS = 500
"""Whoever is silent for less than this between two words has not finished yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """Words that the reply should begin to say within a window of reply time."""

    text: str
    from_ms: float
    to_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Quiet:
    """A window of reply time in which the model should not speak."""

    from_ms: float
    to_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """The user asked the model to stop, and it was speaking or about to."""

    word_end_ms: float
    """Media time at which the stopping word ends."""
    quiet_until_ms: float
    """Reply time until which nothing more should come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """Something to speak of: what is seen to happen, a movement, one of its repetitions, a cue that falls."""

    label: str
    """What the reference reply says of it."""
    from_ms: float
    """Media time from which it is plain to see, or at which its last word ends."""
    to_ms: float
    """Media time at which it is over, or an answer is of no use any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Another right way to go on: it stands for all expectations from a reply time on."""

    from_ms: float
    expectations: Sequence[Expectation]


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One played scenario."""

    scenario: str
    seed: int
    part: str
    """``train`` or ``heldout``: which voices, phrasings and noises it drew from."""
    voice: str
    """The user's voice."""
    inputs: Sequence[MicroTurnInput]
    outputs: Sequence[MicroTurnOutput]
    heard: Sequence[SpokenWord]
    """The user's words, in media time."""
    sounds: Sequence[Phone] = field(default=())
    """The phones of those words, in media time; where nobody knows them, phones that are in no list."""
    said: Sequence[SpokenWord]
    """The words of the reference reply, in reply time."""
    expectations: Sequence[Expectation] = field(default=())
    quiets: Sequence[Quiet] = field(default=())
    variants: Sequence[Variant] = field(default=())
    stops: Sequence[Stop] = field(default=())
    moments: Sequence[Moment] = field(default=())
    labels: Sequence[PatchLabels] = field(default=())
    """What is to be seen, patch by patch, in the newer frame of each micro-turn with video; empty if nobody knows."""

    @property
    def duration_ms(self) -> int:
        """Length in media time."""

        return len(self.inputs) * TURN_MS

    @property
    def utterances(self) -> Sequence[tuple[float, float]]:
        """From when to when somebody speaks, in media time: stretches of words, their short pauses included."""
        spans: list[tuple[float, float]] = []
        for word in sorted(self.heard, key=lambda word: word.start_ms):
            if spans and word.start_ms - spans[-1][1] < UTTERANCE_PAUSE_MS:
                spans[-1] = (spans[-1][0], max(spans[-1][1], word.end_ms))
            else:
                spans.append((word.start_ms, word.end_ms))
        return spans
