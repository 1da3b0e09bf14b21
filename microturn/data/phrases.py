"""Banks of phrasings, split so that evaluation never sees training's, and the words that people put about a request.

A model that has met a request in fourteen wordings alone knows those fourteen. Courtesies and hesitations before and
after make each of them hundreds, at no cost, and none of them is one that evaluation asks in. A phrasing may be a
pattern: ``[say|tell me] it [|again]`` stands for four.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from numpy.random import Generator

from microturn.data.draw import pick

_BEFORE_ANYTHING = """
hey, okay, so, well, now, um, uh, alright, hi, hello, listen, right, oh, and, then, okay so, um so, hi there, well then,
hey you, alright then, oh and, uh now, good, next
"""
_BEFORE_A_VERB = """
please, can you, could you, would you, will you, i want you to, i would like you to, just, i need you to, go ahead and,
can you please, could you please, would you please, you should, i would love you to, try to, be so kind and, you can,
i wish you would, do, maybe you could
"""
_AFTER = "please, now, for me, thanks, thank you, okay, will you, if you can, would you, right now"
_VERBS = """
    ask begin call carry change check continue copy count correct describe do find forget give go hold interrupt
    jump keep let listen look make mention name put read remember remind repeat resume say show skip slow speed
    start stop switch take talk tell translate try type use wait warn watch write
"""
HESITATIONS, COURTESIES, CLOSINGS = (
    tuple(words.replace("\n", " ").strip().split(", ")) for words in (_BEFORE_ANYTHING, _BEFORE_A_VERB, _AFTER)
)
"""Said before anything at all; before a verb; after a request that does not end with what is to be said."""
VERBS = frozenset(_VERBS.split())
"""What a courtesy may stand before, where a phrasing begins with it."""
FRAMED_CHANCE = 0.6
COURTESY_CHANCE, HESITATION_CHANCE, CLOSING_CHANCE = 0.6, 0.4, 0.25
"""Of each, in a phrasing that gets any."""


_HELDOUT: set[str] = set()
"""The shapes of every bank's held-out phrasings."""
_PLACE = re.compile(r"\{\w+\}")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
"""An innermost choice of a pattern; its group holds what may be chosen, ``|`` between."""


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """A bank of phrasings and patterns of them, those of the two parts apart."""

    train: Sequence[str]
    heldout: Sequence[str]

    def __post_init__(self) -> None:
        hold_out(self.heldout)

    def choose(self, part: str, rng: Generator) -> str:
        """One of a part's phrasings; in training none that this bank or another holds out, but for what training's own
        list spells out: "stop" is "stop" in both parts.
        """
        if part != "train":
            return one_of(pick(self.heldout, rng), rng)
        while True:
            pattern = pick(self.train, rng)
            phrase = one_of(pattern, rng)
            if phrase == pattern or not is_heldout(phrase):
                return phrase


def hold_out(phrases: Iterable[str]) -> None:
    """Keep phrases that evaluation puts together from its banks out of everything that training draws."""
    _HELDOUT.update(shape(phrase) for phrase in phrases)


def shape(phrase: str) -> str:
    """A phrasing whatever it has in its places."""
    return _PLACE.sub("{}", phrase)


def is_heldout(phrase: str) -> bool:
    """Whether any bank holds a phrasing out, with values of its own in its places."""
    return shape(phrase) in _HELDOUT


def one_of(pattern: str, rng: Generator) -> str:
    """One phrasing that a pattern stands for."""
    while found := CHOICE.search(pattern):
        pattern = pattern[: found.start()] + pick(found[1].split("|"), rng) + pattern[found.end() :]
    return " ".join(pattern.split())


class Requests(Phrases):
    """A bank of what is asked for, in training with other words about it each time."""

    def choose(self, part: str, rng: Generator) -> str:
        """One of a part's phrasings; in training, often with courtesies and hesitations, never as held out."""
        phrase = super().choose(part, rng)
        if part != "train" or rng.random() > FRAMED_CHANCE:
            return phrase
        framed = frame(phrase, rng)
        return phrase if is_heldout(framed) else framed


def frame(phrase: str, rng: Generator) -> str:
    """A request with words before and after it that change nothing in what it asks for."""
    framed, words = phrase, phrase.split()
    first, last = words[0], words[-1]
    if first in VERBS and rng.random() < COURTESY_CHANCE:
        framed = f"{pick(COURTESIES, rng)} {framed}"
    if rng.random() < HESITATION_CHANCE:
        framed = f"{pick(HESITATIONS, rng)} {framed}"
    if not last.endswith("}") and first in VERBS and rng.random() < CLOSING_CHANCE:
        framed = f"{framed} {pick(CLOSINGS, rng)}"
    return framed
