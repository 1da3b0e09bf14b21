"""What a reply says and whether it answers: a deterministic judge, and the reply as utterances.

The words of an answer that carry its meaning are looked for, each in any of the ways in which people say it. An
answer that names another colour, thing or number as well is no answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from microturn.data.numbers import spoken
from microturn.data.visual.palette import COLOURS
from microturn.data.visual.things import NAMES
from microturn.evals.spoken import TimedWord, speaks, spoken_words
from microturn.evals.wer import normal_words
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS, turn_of_ms

RIGHT, PARTLY, WRONG = 2, 1, 0
GREATEST_NUMBER = 199
LONGEST_PAUSE_MS = 1_500
"""Words further apart are not one utterance, even if sound goes on between them."""

_IDLE = frozenset(
    (
        *("a", "an", "the", "it", "is", "are", "was", "has", "have", "had", "been", "be", "in", "on", "of", "to"),
        *("now", "there", "here", "i", "see", "that", "this", "and", "goes", "go", "went"),
    )
)
"""Words that carry no meaning of their own; ``on`` does beside a light."""
_SAME = (
    "appears appear appeared comes come came enters entered arrives arrived shows",
    "leaves leave left gone away disappears disappeared vanishes vanished",
    "moves moved moving move shifts shifted slides slid",
    "turns turned becomes became changes changed turning",
    "off out dark",
    "bright lit",
    "up raised raises raise lifts lifted",
    "down lowered lowers lower",
    "hand hands arm arms",
    "person somebody someone man woman people",
    "light lights",
    "gray grey",
    "phone telephone",
    "car bus van",
)
_CANON = {word: group.split()[0] for group in _SAME for word in group.split()}
_RIVALS = (frozenset(COLOURS), frozenset(NAMES), frozenset({"up", "down"}), frozenset({"on", "off"}))
_NUMBERS = {tuple(spoken(n).split()): n for n in range(GREATEST_NUMBER + 1)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """Words said in one go."""

    text: str
    start_ms: float
    """When the user begins to hear it, in media time."""


def judge(said: str, answer: str) -> int:
    """RIGHT if everything that the answer means is said, PARTLY if some of it, WRONG if none or a rival of it."""
    wanted, found = _meaning(answer), _meaning(said)
    for rivals in _RIVALS:
        if wanted & rivals and found & rivals - wanted:
            return WRONG
    if not wanted:  # an answer of idle words alone is looked for as it is
        return RIGHT if normal_words(answer) == normal_words(said) else WRONG
    if wanted <= found:
        return RIGHT
    return PARTLY if wanted & found else WRONG


def utterances(
    outputs: Sequence[MicroTurnOutput], from_ms: float = 0.0, to_ms: float = float("inf")
) -> list[Utterance]:
    """A reply in a window of playback time, in pieces: a silent turn or a long pause between two words parts them."""
    words = [w for w in spoken_words(outputs) if from_ms <= w.start_ms + TURN_MS < to_ms]
    groups: list[list[TimedWord]] = []
    for word in words:
        if groups and _goes_on(outputs, groups[-1][-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    return [Utterance(text=" ".join(w.text for w in group), start_ms=group[0].start_ms + TURN_MS) for group in groups]


def numbers(words: Sequence[TimedWord]) -> list[tuple[int, float]]:
    """The numbers that are said, each with the reply time at which it begins; the longest reading counts."""
    found: list[tuple[int, float]] = []
    place = 0
    while place < len(words):
        for length in (4, 3, 2, 1):
            number = _NUMBERS.get(tuple(word.text for word in words[place : place + length]))
            if number is not None and place + length <= len(words):
                found.append((number, words[place].start_ms))
                place += length
                break
        else:
            place += 1
    return found


def _goes_on(outputs: Sequence[MicroTurnOutput], before: TimedWord, word: TimedWord) -> bool:
    turns = range(turn_of_ms(before.start_ms), turn_of_ms(word.start_ms))
    return word.start_ms - before.start_ms <= LONGEST_PAUSE_MS and all(speaks(outputs[k]) for k in turns)


def _meaning(text: str) -> frozenset[str]:
    words = normal_words(text)
    meaning = {_CANON.get(word, word) for word in words if word not in _IDLE}
    if "light" in meaning and "on" in words:
        meaning.add("on")
    return frozenset(meaning)
