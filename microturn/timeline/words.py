"""Words on the axis of time, out of the text that micro-turns carry."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from microturn.timeline.summary import TurnSummary
from microturn.turns.background import Speaker, Utterance
from microturn.turns.timing import PLAYOUT_OFFSET_MS, TEXT_LEAD_MS, TURN_MS, turn_start_ms

_UTTERANCE_GAP_MS = 1_000
"""Words further apart than this belong to different utterances."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word and when it was heard or sounded."""

    time_ms: float
    turn: int
    """Index of the micro-turn whose output carries it (its beginning, if it runs over several)."""
    text: str
    is_withdrawn: bool = False
    """A ``clear`` took it back before it sounded."""


def heard_words(turns: Sequence[TurnSummary]) -> list[Word]:
    """The user's words, each in the micro-turn in which the model wrote it down."""
    return _words((turn.index, turn.start_ms, turn.hear) for turn in turns)


def said_words(turns: Sequence[TurnSummary]) -> list[Word]:
    """The model's words, each at the time of its sound.

    Text runs ahead of its sound by ``TEXT_LEAD_MS``, except in an utterance's first turn, where both start together.
    """
    placed: list[tuple[int, int, str]] = []
    clears_ms: list[tuple[int, int]] = []
    was_speaking = False
    for turn in turns:
        sounds_ms = turn_start_ms(turn.index + 1) + PLAYOUT_OFFSET_MS
        leads = turn.is_speaking and was_speaking
        placed.append((turn.index, sounds_ms + (TEXT_LEAD_MS if leads else 0), turn.say))
        was_speaking = turn.is_speaking
        if turn.is_clear:
            clears_ms.append((turn.index, turn_start_ms(turn.index + 1)))
            was_speaking = False
    words = _words(placed)
    return [
        replace(word, is_withdrawn=True)
        if any(word.turn < clear and word.time_ms >= at_ms for clear, at_ms in clears_ms)
        else word
        for word in words
    ]


def utterances(words: Iterable[Word], speaker: Speaker) -> list[Utterance]:
    """Words joined into stretches without a long pause; words that were withdrawn are left out."""
    runs: list[list[Word]] = []
    for word in words:
        if word.is_withdrawn:
            continue
        if runs and word.time_ms - (runs[-1][-1].time_ms + TURN_MS) < _UTTERANCE_GAP_MS:
            runs[-1].append(word)
        else:
            runs.append([word])
    return [
        Utterance(
            speaker=speaker,
            text=" ".join(word.text for word in run),
            start_ms=round(run[0].time_ms),
            end_ms=round(run[-1].time_ms) + TURN_MS,
        )
        for run in runs
    ]


def _words(placed: Iterable[tuple[int, float, str]]) -> list[Word]:
    """Splits (turn, time, text) at spaces; what does not start with a space goes on with the word before it."""
    words: list[Word] = []
    is_open = False
    for turn, time_ms, text in placed:
        parts = re.findall(r"\S+", text)
        for number, part in enumerate(parts):
            if number == 0 and is_open and not text[0].isspace():
                words[-1] = replace(words[-1], text=words[-1].text + part)
            else:
                words.append(Word(time_ms=time_ms + number * TURN_MS / len(parts), turn=turn, text=part))
        if text:
            is_open = bool(parts) and not text[-1].isspace()
    return words
