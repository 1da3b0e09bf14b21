"""The model's own voice in the microphone: what it says comes back to it, quieter and a little later.

The loop is closed: what comes back is what this model said in this very session, not what it should have said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from microturn.data.acoustics import resample
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN, OUT_HZ, OUT_SAMPLES_PER_TURN

_REACH_TURNS = 3
"""An output is still heard so many turns later: it is played in the next one, and comes back after the delay."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Echo:
    """What a loudspeaker, a room and a canceller leave of the model's voice."""

    level_db: float
    """Against the voice itself."""
    delay_ms: float
    """From when it is played until it is in the microphone; less than a micro-turn."""


class EchoedSession(Sequence[MicroTurnInput]):
    """A session whose inputs carry the echo of what has been answered so far. Tell it each answer in turn."""

    def __init__(self, inputs: Sequence[MicroTurnInput], echo: Echo) -> None:
        self._inputs = inputs
        self._echo = echo
        self._answers: list[MicroTurnOutput] = []

    def __len__(self) -> int:
        return len(self._inputs)

    @overload
    def __getitem__(self, index: int) -> MicroTurnInput: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MicroTurnInput]: ...
    def __getitem__(self, index: int | slice) -> MicroTurnInput | Sequence[MicroTurnInput]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        turn = self._inputs[index]
        heard = turn.audio + self._coming_back(index)
        return replace(turn, audio=np.clip(heard, -1.0, 1.0).astype(np.float32))

    def answered(self, output: MicroTurnOutput) -> None:
        """The next micro-turn's output."""
        self._answers.append(output)

    @property
    def is_closed(self) -> bool:
        """Whether anything was told: who plays a session beforehand never hears itself."""
        return bool(self._answers)

    def _coming_back(self, index: int) -> NDArray[np.float32]:
        """What is heard of the answers in one micro-turn: (3200,)."""
        first = max(0, index - _REACH_TURNS)
        said = [_sound(output) for output in self._answers[first:index]]
        if not any(sound.any() for sound in said):
            return np.zeros(IN_SAMPLES_PER_TURN, np.float32)
        # Output k is played during turn k + 1: turn ``index`` begins one turn after the last of them began.
        loud = resample(np.concatenate(said), OUT_HZ, IN_HZ) * np.float32(10 ** (self._echo.level_db / 20))
        late = round(self._echo.delay_ms * IN_HZ / 1000)
        start = (len(said) - 1) * IN_SAMPLES_PER_TURN - late
        window = np.pad(loud, (max(0, -start), IN_SAMPLES_PER_TURN))
        start = max(0, start)
        return window[start : start + IN_SAMPLES_PER_TURN].astype(np.float32)


def _sound(output: MicroTurnOutput) -> NDArray[np.float32]:
    return output.audio if output.audio is not None else np.zeros(OUT_SAMPLES_PER_TURN, np.float32)
