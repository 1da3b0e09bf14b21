"""What the relay says, laid on the session's time to the sample, and cut where the user speaks up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microturn.data.acoustics import resample
from microturn.data.voices import SpokenWord, Utterance
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import (
    OUT_HZ,
    OUT_SAMPLES_PER_TURN,
    TEXT_LEAD_MS,
    TURN_MS,
    out_samples,
    turn_of_ms,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    """A word in reply time, and the first turn of its utterance."""

    word: SpokenWord
    first_turn: int


class ReplyTrack:
    """The reply of a session of so many micro-turns. Times that come in are those at which the user hears it."""

    def __init__(self, num_turns: int) -> None:
        self._num_turns = num_turns
        self._samples: NDArray[np.float32] = np.zeros(num_turns * OUT_SAMPLES_PER_TURN, np.float32)
        self._spans: list[tuple[int, int]] = []
        self._words: list[_Placed] = []
        self._clears: set[int] = set()

    @property
    def end_ms(self) -> float:
        """When the last sound has been heard."""
        return self._spans[-1][1] * 1000 / OUT_HZ + TURN_MS if self._spans else 0.0

    def say(self, utterance: Utterance, at_ms: float) -> None:
        """Puts speech where it begins to be heard at a time, or once what is being said has ended."""
        start_ms = max(at_ms, self.end_ms) - TURN_MS  # in reply time
        samples = utterance.samples
        if utterance.sample_rate != OUT_HZ:
            samples = resample(samples, utterance.sample_rate, OUT_HZ)
        start = max(0, out_samples(start_ms))
        samples = samples[: max(0, len(self._samples) - start)]
        if not len(samples):
            return
        self._samples[start : start + len(samples)] = samples
        self._spans.append((start, start + len(samples)))
        for word in utterance.words:
            moved = SpokenWord(text=word.text, start_ms=word.start_ms + start_ms, end_ms=word.end_ms + start_ms)
            self._words.append(_Placed(word=moved, first_turn=start // OUT_SAMPLES_PER_TURN))

    def cut(self, at_ms: float) -> None:
        """Nothing of what would be heard from a time on is said."""
        at = max(0, out_samples(at_ms - TURN_MS))
        if not any(end > at for _, end in self._spans):
            return
        self._clears.add(min(at // OUT_SAMPLES_PER_TURN, self._num_turns - 1))
        self._samples[at:] = 0.0
        self._spans = [(start, min(end, at)) for start, end in self._spans if start < at]
        self._words = [placed for placed in self._words if placed.word.start_ms < at_ms - TURN_MS]

    def words_after(self, at_ms: float) -> str:
        """What the user heard from a time on."""
        return " ".join(p.word.text for p in self._words if p.word.start_ms + TURN_MS >= at_ms)

    def outputs(self, hears: Sequence[tuple[int, str]]) -> list[MicroTurnOutput]:
        """The reply as micro-turns; ``hears`` are transcripts with the turns in which they came."""
        says, heard = [""] * self._num_turns, [""] * self._num_turns
        for placed in self._words:
            turn = max(placed.first_turn, turn_of_ms(placed.word.start_ms - TEXT_LEAD_MS))
            says[min(turn, self._num_turns - 1)] += f" {placed.word.text}"
        for turn, text in hears:
            heard[min(turn, self._num_turns - 1)] += f" {text}"
        speaking = {
            turn
            for start, end in self._spans
            for turn in range(start // OUT_SAMPLES_PER_TURN, -(-end // OUT_SAMPLES_PER_TURN))
        }
        return [
            MicroTurnOutput(
                index=k,
                hear=heard[k],
                is_clear=k in self._clears,
                say=says[k],
                audio=self._samples[k * OUT_SAMPLES_PER_TURN : (k + 1) * OUT_SAMPLES_PER_TURN]
                if k in speaking
                else None,
            )
            for k in range(self._num_turns)
        ]
