"""Aligned sentences: each is a row of chunks, and a chunk can be translated once it has been heard.

A template is written ``the {n} / is {a} | {el} {N} / es {A}``: English left of the bar, the target right of it, chunks
parted by slashes, as many on either side and in the same order. Slots are filled by the language's own words, which
agree with each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from microturn.data.phrases import Phrases
from microturn.data.stage import Stage

Slots = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A stretch of a sentence and its translation."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Noun:
    """A thing in both languages."""

    english: str
    english_plural: str
    target: str
    target_plural: str
    gender: str
    """``m``, ``f`` or ``n``."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """A target language and its world."""

    code: str
    """ISO 639-1."""
    english_name: str
    phrases: Phrases
    """Whole phrases, without slots."""
    templates: Phrases
    fill: Callable[[Stage], Slots]
    """Draws words for every slot."""
    contract: Callable[[str], str] = str
    """Joins words of the target that melt into each other."""


def choose_sentence(stage: Stage, language: Language) -> list[Chunk]:
    """A sentence of this part: a whole phrase, or a template with its slots filled."""
    if stage.chance(0.35):
        return chunks(stage.pick(language.phrases), {}, language)
    return chunks(stage.pick(language.templates), language.fill(stage), language)


def chunks(line: str, slots: Slots, language: Language) -> list[Chunk]:
    """A line of a bank as chunks. Raises ValueError if its two sides do not line up."""
    sources, targets = (side.format(**slots).split(" / ") for side in line.split(" | "))
    if len(sources) != len(targets):
        raise ValueError(f"{line!r} has {len(sources)} chunks in English and {len(targets)} in {language.english_name}")
    return [
        Chunk(source=source.strip(), target=language.contract(target.strip()))
        for source, target in zip(sources, targets, strict=True)
    ]


def english_article(word: str) -> str:
    """``a`` or ``an`` and the word."""
    return f"{'an' if word[0] in 'aeiou' and not word.startswith(('uni', 'eu', 'one')) else 'a'} {word}"


def pick_pair(stage: Stage, table: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """An English word and its translation."""
    return table[stage.whole(0, len(table) - 1)]
