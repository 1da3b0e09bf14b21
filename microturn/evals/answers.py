"""What a reply says and whether it answers: a deterministic judge, and the reply as utterances.

The words of an answer that carry its meaning are looked for, each in any of the ways in which people say it. An
answer that names another colour, thing or direction as well is no answer, and neither is one that tells of another
event: of a ball that leaves where one appears.
"""

import re
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
        *("now", "i", "you", "can", "that", "this", "and", "goes", "go", "went", "its"),
    )
)
"""Words that carry no meaning of their own; ``on`` does beside a light."""
_THERE, _COLOURED = "there", "coloured"
"""States that tell of an event where no verb does: "the ball is here", "the ball is red"."""
_SAME = (
    "there here theres heres back see sees seen visible",
    "appears appear appeared comes come came enters entered arrives arrived shows show showed shown",
    "leaves leave leaving left gone away disappears disappear disappeared vanishes vanished removed",
    "moves moved moving move shifts shifted slides slid",
    "turns turned turning becomes become became becoming changes changed changing",
    "stays stay stayed remains remained",
    "off out dark",
    "on bright lit",
    "up raised raises raise lifts lifted lift",
    "down lowered lowers lower",
    "hand hands arm arms",
    "person somebody someone man woman people",
    "light lights",
    "gray grey",
    "phone telephone",
    "car bus van",
)
_CANON = {word: group.split()[0] for group in _SAME for word in group.split()}
_COLOUR = "|".join(COLOURS)
_PHRASES = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), meaning)
    for pattern, meaning in (
        (rf"(?:light|dark|bright) (?={_COLOUR})", ""),
        (r"(?:the|my|your|its|to|moves|moved|moving|slides|slid|goes|went) left|left (?:side|of)", "sideways"),
        (r"(?:nobody|no one)(?: (?:is|was))?(?: (?:left|here|there))?", "person leaves"),
        (r"(?:there|here) (?:is|are|was) (?:no|not)|there isnt|theres no|see no", "leaves"),
        (r"(?:no longer|not|isnt|cannot|cant|dont)(?: \w+)? (?:here|there|see|visible|in view)", "leaves"),
        (r"out of (?:view|sight)|(?:takes?|taken|took) (?:away|the)", "leaves"),
        (r"(?:holds?|held) up (?=(?:a|an|the) (?!hand|arm))", "appears "),
        (r"(?:turn|show)(?:s|ed)? up|(?:comes|came|moves|moved) into view", "appears"),
        (r"in(?:to)? view", _THERE),
        (r"chang(?:es|ed|ing)(?: its)? (?:place|position)", "moves"),
        (rf"(?:goes|went|gone) (?={_COLOUR})|(?:takes?|took|taken) (?:another|a new) colour", "turns "),
        (rf"(?:is|was|its)(?: (?:now|all))? (?={_COLOUR})", f"{_COLOURED} "),
    )
)
"""What several words mean together."""
_NOT = frozenset(("not", "never", "didnt", "doesnt", "hasnt", "isnt", "wont"))
_VERBS = frozenset({"appears", "leaves", "moves", "turns", "stays"})
_DIRECTIONS = frozenset({"up", "down", "on", "off"})
_STATES = {_THERE: "appears", _COLOURED: "turns"}
_ACTORS = frozenset({"person", "hand", "light", *NAMES})
_RIVALS = (frozenset(COLOURS), frozenset(NAMES), frozenset({"up", "down"}), frozenset({"on", "off"}))
_NUMBERS = {tuple(spoken(n).split()): n for n in range(GREATEST_NUMBER + 1)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """Words said in one go."""

    text: str
    start_ms: float
    """When the user begins to hear it, in media time."""


def judge(said: str, answer: str) -> int:
    """RIGHT if everything that the answer means is said, PARTLY if some of it, WRONG if none or a rival of it.

    An answer that tells of no event, "a red ball", is right in a sentence about any.
    """
    wanted, found = _meaning(answer), _meaning(said)
    for rivals in _RIVALS:
        if wanted & rivals and found & rivals - wanted:
            return WRONG
    if not wanted:  # an answer of idle words alone is looked for as it is
        return RIGHT if normal_words(answer) == normal_words(said) else WRONG
    if _is_another_event(wanted, found):
        return WRONG
    if _as_verbs(wanted) <= _as_verbs(found):
        return RIGHT
    return PARTLY if wanted & found - _STATES.keys() else WRONG


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


def _is_another_event(wanted: frozenset[str], found: frozenset[str]) -> bool:
    """Whether what is said tells of an event, and not, or not only, of the one that is wanted."""
    meant, told = (_as_verbs(meaning) & (_VERBS | _DIRECTIONS) for meaning in (wanted, found))
    if not meant or not told:
        return False
    if not wanted & found & _ACTORS and wanted & _ACTORS and found & _ACTORS:
        return True
    if meant & _DIRECTIONS:  # with whatever verb: a hand comes up, a light turns off
        return not meant & told and bool(found & _VERBS)
    if meant & told:
        manner = {"moves"} if meant & {"appears", "leaves"} else set[str]()
        return bool(found & _VERBS - meant - manner)
    if "moves" in meant:
        return not told <= _DIRECTIONS
    is_of_the_colour = "turns" in meant and bool(wanted & found & frozenset(COLOURS))
    return not (is_of_the_colour and found.isdisjoint(_VERBS))


def _as_verbs(meaning: frozenset[str]) -> frozenset[str]:
    return frozenset(_STATES.get(word, word) for word in meaning)


def _meaning(text: str) -> frozenset[str]:
    phrased = " ".join(normal_words(text))
    for pattern, means in _PHRASES:
        phrased = pattern.sub(means, phrased)
    words = phrased.split()
    meaning: set[str] = set()
    is_denied = False
    for word in words:
        means = _CANON.get(word, word)
        if means in _VERBS and is_denied:
            means, is_denied = "stays", False
        is_denied |= word in _NOT
        if word not in _IDLE:
            meaning.add(means)
    if "light" in meaning:
        if "on" in words:
            meaning.add("on")
        if "leaves" in meaning and meaning & _ACTORS == {"light"}:  # one that is gone is off
            meaning = meaning - {"leaves"} | {"off"}
    elif "out" in words and meaning & _ACTORS:
        meaning = meaning - {"off"} | {"leaves"}
    if meaning & _VERBS:
        meaning -= _STATES.keys()
    return frozenset(meaning)
