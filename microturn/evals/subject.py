"""Who is evaluated: anything that answers sessions of micro-turns. Here the protocol and the controls."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from microturn.turns.micro_turn import MEL_BANDS, MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import MEL_FRAMES_PER_TURN

Session = Sequence[MicroTurnInput]

BATCH_SESSIONS = 8
"""Sessions that a subject is given at once."""


class Subject(Protocol):
    """Somebody who can be talked to."""

    @property
    def name(self) -> str:
        """What results say was measured."""
        ...

    @property
    def is_sighted(self) -> bool:
        """Whether it is shown the pictures of a session, whatever it makes of them."""
        ...

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        """Answers whole sessions, each on its own and causally: one output for each input.

        Speech comes as samples (``audio``) where the subject has a voice, else as ``mel`` alone.
        """
        ...


@runtime_checkable
class Voiced(Protocol):
    """A subject whose vocoder can be borrowed: how intelligible would perfect mel be?"""

    def give_sound(self, outputs: Sequence[MicroTurnOutput]) -> list[MicroTurnOutput]:
        """A reply's outputs with samples made of their mel."""
        ...


class Silent:
    """A control: never says or writes anything."""

    name = "silent"
    is_sighted = True

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        return [[MicroTurnOutput(index=turn.index) for turn in session] for session in sessions]


class AlwaysTalking:
    """A control: says the same word in every micro-turn, and hears it too."""

    name = "always-talking"
    is_sighted = True

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        hum = np.zeros((MEL_FRAMES_PER_TURN, MEL_BANDS), np.float32)
        return [
            [MicroTurnOutput(index=turn.index, hear=" one", say=" one", mel=hum) for turn in session]
            for session in sessions
        ]
