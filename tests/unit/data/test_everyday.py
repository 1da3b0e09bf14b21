"""Everyday phrases: many, of words that people use, and never one that evaluation asks for."""

import re
from collections import Counter

import numpy as np
import pytest

from microturn.data import everyday
from microturn.data.phrases import is_heldout
from microturn.data.scenarios import every_seconds, in_seconds


@pytest.fixture(scope="module")
def drawn() -> list[str]:
    rng = np.random.default_rng(1)
    return [everyday.phrase(rng) for _ in range(5000)]


def test_they_are_many_and_no_few_are_said_over_and_over(drawn: list[str]) -> None:
    assert len(set(drawn)) > 3000
    assert max(drawn.count(phrase) for phrase in set(drawn)) < 25
    assert len({word for phrase in drawn for word in phrase.split()}) > 800


def test_they_are_plain_words(drawn: list[str]) -> None:
    assert all(re.fullmatch(r"[a-z']+( [a-z']+)*", phrase) for phrase in drawn)
    assert max(len(phrase.split()) for phrase in drawn) <= 9


def test_none_is_held_out(drawn: list[str]) -> None:
    heldout = set(every_seconds.THINGS.heldout) | {f"{noun} is done" for noun in in_seconds.NOUNS.heldout}
    assert not set(drawn) & heldout
    assert all(is_heldout(phrase) for phrase in heldout)
    assert not any(map(is_heldout, drawn))


def test_a_pattern_counts_what_it_stands_for() -> None:
    assert everyday.num_phrases("well [done|said|]") == 3
    assert everyday.num_phrases("[a|the] <limb>") == 2 * len(everyday.WORDS["limb"])
    assert everyday.num_phrases("[<limb>|<limb>s|none]") == 2 * len(everyday.WORDS["limb"]) + 1


def test_every_word_is_drawn_as_often_as_any_other() -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(everyday.word(rng) for _ in range(40_000))
    assert set(drawn) == {word for words in everyday.WORDS.values() for word in words if not is_heldout(word)}
    assert drawn["soup"] < 2 * drawn["whistle"], "in four lists, and in one"
