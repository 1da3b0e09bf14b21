"""What a reply says and when: the words of a list of outputs, with their times, and the stretches of sound.

A turn speaks if it carries mel, or samples beyond what merely rings on from the turn before: a vocoder lags a little
behind its mel, and lets the rest out in a turn of its own.

Times are *reply time* (output k is the stretch [200k, 200(k+1)) ms) unless a name says *playback*: output k is played
during micro-turn k+1, so playback time is reply time plus one micro-turn. A live engine adds its constant playout
offset (``PLAYOUT_OFFSET_MS``), which is no part of any figure here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microturn.evals.wer import normal_words
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import OUT_HZ, TEXT_LEAD_MS, TURN_MS, turn_of_ms, turn_start_ms

_WORD = re.compile(r"\S+")


LONGEST_RING_MS = 100
"""Sound without mel that ends this early in its turn is no speech of that turn."""
_AUDIBLE = 1e-3
"""Samples below this are silence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedWord:
    """A word and the reply time at which it begins."""

    text: str
    start_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """A stretch of consecutive speaking turns."""

    first_turn: int
    end_turn: int
    """One past the last."""

    @property
    def playback_start_ms(self) -> int:
        """When the user begins to hear it."""
        return turn_start_ms(self.first_turn) + TURN_MS

    @property
    def playback_end_ms(self) -> int:
        """When the user has heard it."""
        return turn_start_ms(self.end_turn) + TURN_MS


def speaks(output: MicroTurnOutput) -> bool:
    """Whether a turn holds speech, rather than silence or the ring of the turn before."""
    return output.mel is not None or _audible_ms(output) > LONGEST_RING_MS


def ring_ms(outputs: Sequence[MicroTurnOutput], turn: int) -> float:
    """How long speech that ended before a turn still rings in it."""
    return 0.0 if turn >= len(outputs) or speaks(outputs[turn]) else _audible_ms(outputs[turn])


def sounds(outputs: Sequence[MicroTurnOutput]) -> list[Sound]:
    """The stretches of sound of a reply, in order."""
    found: list[Sound] = []
    first: int | None = None
    for k in range(len(outputs) + 1):
        is_speaking = k < len(outputs) and speaks(outputs[k])
        if is_speaking and first is None:
            first = k
        elif not is_speaking and first is not None:
            found.append(Sound(first_turn=first, end_turn=k))
            first = None
    return found


def texts_by_turn(texts: Sequence[str]) -> list[tuple[str, int]]:
    """The words of a running text that comes in pieces, each with the turn in which it begins.

    A piece without a leading space goes on with the word before it.
    """
    whole = "".join(texts)
    turns = [turn for turn, text in enumerate(texts) for _ in text]
    return [(match[0], turns[match.start()]) for match in _WORD.finditer(whole)]


def spoken_words(outputs: Sequence[MicroTurnOutput]) -> list[TimedWord]:
    """The words that a reply really speaks, with the times at which they begin.

    A word begins ``TEXT_LEAD_MS`` after the start of the turn that carries its text; the word that opens a stretch of
    sound begins with the stretch. A word counts only if there is sound in the turn in which it begins: text whose
    sound was broken off before it came, or never came, is not spoken.
    """
    words: list[TimedWord] = []
    opened: set[int] = set()
    for text, turn in texts_by_turn([output.say for output in outputs]):
        start_ms = turn_start_ms(turn) + TEXT_LEAD_MS
        is_first_turn = speaks(outputs[turn]) and not (turn and speaks(outputs[turn - 1]))
        if is_first_turn and turn not in opened:
            opened.add(turn)
            start_ms = turn_start_ms(turn)
        sound_turn = turn if is_first_turn else turn_of_ms(start_ms)
        if sound_turn < len(outputs) and speaks(outputs[sound_turn]):
            words += [TimedWord(text=part, start_ms=start_ms) for part in normal_words(text)]
    return words


def wordless_sounds(outputs: Sequence[MicroTurnOutput], words: Sequence[TimedWord]) -> list[TimedWord]:
    """Stretches of sound in which no word begins, as words of their own: speech that nobody announced."""
    starts = [turn_of_ms(word.start_ms) for word in words]
    return [
        TimedWord(text="(sound)", start_ms=turn_start_ms(sound.first_turn))
        for sound in sounds(outputs)
        if not any(sound.first_turn <= turn < sound.end_turn for turn in starts)
    ]


def _audible_ms(output: MicroTurnOutput) -> float:
    """Length of a turn's samples up to the last audible one."""
    if output.audio is None:
        return 0.0
    audible = np.flatnonzero(np.abs(output.audio) > _AUDIBLE)
    return (int(audible[-1]) + 1) * 1000 / OUT_HZ if len(audible) else 0.0
