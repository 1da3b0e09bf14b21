"""When the user speaks and when a turn of the user's is over: the state machine around voice activity and end of turn.

The thresholds are pipecat's defaults for this pair of models: speech begins after 200 ms of it, ends after 200 ms of
silence; then the end-of-turn model is asked, and if it says that the turn goes on, three seconds of silence end it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from microturn.turns.timing import IN_HZ

WINDOW_SAMPLES = 512
"""What silero-vad takes at 16 kHz."""
WINDOW_MS = WINDOW_SAMPLES * 1000 / IN_HZ
CONFIDENCE = 0.7
BEGINS_AFTER_MS, ENDS_AFTER_MS = 200.0, 200.0
GIVES_UP_AFTER_MS = 3_000.0
"""Silence that ends a turn whatever the end-of-turn model thinks."""
BEFORE_MS = 500.0
"""So much sound from before speech was noticed belongs to it."""


class VoiceActivity(Protocol):
    """A model of voice activity, with a memory of its own."""

    def confidence(self, window: NDArray[np.float32]) -> float:
        """How sure it is that the next window, (512,) at 16 kHz, holds speech, 0 to 1."""
        ...


class Heard(Enum):
    """What a window brought."""

    BEGAN = auto()
    """The user has begun to speak, and is to be listened to."""
    ENDED = auto()
    """The user's turn is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """An event, and what the user has said by then."""

    heard: Heard
    samples: NDArray[np.float32]
    """The turn so far, (num_samples,) at 16 kHz."""


class Listener:
    """Windows in, events out."""

    def __init__(self, activity: VoiceActivity, is_complete: Callable[[NDArray[np.float32]], bool]) -> None:
        self._activity = activity
        self._is_complete = is_complete
        self._turn: list[NDArray[np.float32]] = []
        self._is_speech = self._is_in_turn = self._was_asked = False
        self._changing_ms = self._silence_ms = 0.0

    def hear(self, window: NDArray[np.float32]) -> Turn | None:
        """The next window, (512,)."""
        self._turn.append(window)
        is_voice = self._activity.confidence(window) >= CONFIDENCE
        self._changing_ms = self._changing_ms + WINDOW_MS if is_voice != self._is_speech else 0.0
        self._silence_ms = 0.0 if is_voice else self._silence_ms + WINDOW_MS
        if not self._is_in_turn:
            self._turn = self._turn[-round(BEFORE_MS / WINDOW_MS) :]
        if is_voice and not self._is_speech and self._changing_ms >= BEGINS_AFTER_MS:
            return self._begin()
        if self._is_speech and not is_voice and self._changing_ms >= ENDS_AFTER_MS:
            self._is_speech, self._changing_ms = False, 0.0
            self._was_asked = False
        return self._end_perhaps()

    def _begin(self) -> Turn | None:
        self._is_speech, self._changing_ms = True, 0.0
        if self._is_in_turn:
            return None  # it goes on
        self._is_in_turn = True
        return Turn(heard=Heard.BEGAN, samples=np.concatenate(self._turn))

    def _end_perhaps(self) -> Turn | None:
        if not self._is_in_turn or self._is_speech:
            return None
        if self._was_asked and self._silence_ms < GIVES_UP_AFTER_MS:
            return None
        samples = np.concatenate(self._turn)
        if not self._was_asked:
            self._was_asked = True
            if not self._is_complete(samples):
                return None
        self._turn, self._is_in_turn = [], False
        return Turn(heard=Heard.ENDED, samples=samples)
