"""Short things that people ask to be told: what to do, what is ready, what not to forget; tens of thousands of them.

A bank of some dozens is learnt by heart and then said in the place of what was asked for; pieces of written sentences
are heard afresh each time but sound like nobody's reminder. These are made of everyday words in everyday order. None
is one that a bank holds out. Words and patterns are in ``everyday.toml``.
"""

import math
import re
import tomllib
from importlib import resources

import numpy as np
from numpy.random import Generator

from microturn.data.draw import pick
from microturn.data.phrases import CHOICE, is_heldout, one_of

_BANK = tomllib.loads(resources.files("microturn.data").joinpath("everyday.toml").read_text(encoding="utf-8"))
WORDS = {name: tuple(" ".join(word.split()) for word in text.split(",")) for name, text in _BANK["words"].items()}
"""What stands in a pattern's ``<places>``."""
PATTERNS = tuple(pattern.strip() for pattern in _BANK["patterns"]["phrases"].strip().splitlines())
_ALL_WORDS = tuple(sorted({word for words in WORDS.values() for word in words}))
_PLACE = re.compile(r"<(\w+)>")
_EVENNESS = 0.3
"""A pattern is drawn as often as this power of how many phrases it stands for: at 0 "well done" would be said as
often as all that can be carried together, at 1 hardly ever."""


def phrase(rng: Generator) -> str:
    """A short everyday phrase of one to eight words, plain lower case, none that a bank holds out."""
    while True:
        pattern = one_of(PATTERNS[rng.choice(len(PATTERNS), p=_CHANCES / _CHANCES.sum())], rng)
        said = _PLACE.sub(lambda place: pick(WORDS[place[1]], rng), pattern)
        if not is_heldout(said):
            return said


def word(rng: Generator) -> str:
    """What stands in a pattern's place, mostly one word: of all that can stand anywhere, each as often as any other.

    None that a bank holds out.
    """
    while True:
        said = pick(_ALL_WORDS, rng)
        if not is_heldout(said):
            return said


def num_phrases(pattern: str) -> int:
    """For how many phrases a pattern stands, counting twice what it makes in two ways."""
    choices = [sum(map(num_phrases, choice.split("|"))) for choice in CHOICE.findall(pattern)]
    return math.prod(choices) * math.prod(len(WORDS[name]) for name in _PLACE.findall(CHOICE.sub("", pattern)))


_CHANCES = np.array([num_phrases(pattern) ** _EVENNESS for pattern in PATTERNS])
