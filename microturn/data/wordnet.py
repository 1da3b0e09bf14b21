"""Phrases that people say and write: the examples in WordNet's definitions (Miller 1995), 43,000 of them.

Who learns from templates learns to guess, and who learns from words in no order learns that nothing foretells the next
one. Between them lies language. WordNet is free for any use, and Debian packages it.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from microturn.data.scenarios.every_seconds import THINGS

FOLDER = Path("/usr/share/wordnet")
"""Where Debian's wordnet-base lies."""
NUM_WORDS = (2, 12)
_EXAMPLE = re.compile(r'"([^"]+)"')
_MARKS = re.compile(r"[.,!?;:]")
_PLAIN = re.compile(r"[a-z]+('[a-z]+)?( [a-z]+('[a-z]+)?)+")


def is_installed(folder: Path = FOLDER) -> bool:
    """Whether ``examples`` will find any."""
    return any(folder.glob("data.*"))


@functools.cache
def examples(folder: Path = FOLDER) -> tuple[str, ...]:
    """Phrases of 2 to 12 plain words, sorted, without what evaluations ask to be said; none if it is not installed."""
    return tuple(sorted({phrase for phrase in _plain(folder) if not _is_heldout(phrase)}))


def _plain(folder: Path) -> Iterator[str]:
    """The examples as they are spoken: lower case, no marks."""
    for path in sorted(folder.glob("data.*")):
        for line in path.read_text(encoding="latin-1").splitlines():
            _, _, gloss = line.partition(" | ")
            for example in _EXAMPLE.findall(gloss):
                phrase = " ".join(_MARKS.sub(" ", example.lower()).split())
                if _PLAIN.fullmatch(phrase) and NUM_WORDS[0] <= len(phrase.split()) <= NUM_WORDS[1]:
                    yield phrase


def _is_heldout(phrase: str) -> bool:
    return any(f" {thing} " in f" {phrase} " for thing in THINGS.heldout)
