"""Phrases from WordNet: only what can be spoken as it stands, and nothing that evaluations ask for."""

from pathlib import Path

import pytest

from microturn.data import wordnet
from microturn.data.scenarios.every_seconds import THINGS

NOUNS = """  1 This software and database is being provided to you, the LICENSEE, by
00001740 03 n 01 tea 0 001 @ 00002 n 0000 | a hot drink; "Tea is ready!"; "don't spill the tea"; "tea at 5 o'clock"
00001741 03 n 01 breath 0 001 @ 00002 n 0000 | air; "he was told to take a deep breath"; "breath"
00001742 03 n 01 word 0 000 | a unit of language; "the words 'so' and 'so'"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.noun").write_bytes(NOUNS.encode("latin-1"))
    return tmp_path


def test_examples_are_plain_words_in_lower_case(folder: Path) -> None:
    assert wordnet.is_installed(folder)
    assert wordnet.examples(folder) == ("don't spill the tea", "tea is ready")


def test_nothing_that_evaluations_ask_to_be_said_is_among_them() -> None:
    assert "take a deep breath" in THINGS.heldout
    for phrase in wordnet.examples():
        assert not any(f" {thing} " in f" {phrase} " for thing in THINGS.heldout)


def test_where_it_is_not_installed_there_are_none(tmp_path: Path) -> None:
    assert not wordnet.is_installed(tmp_path)
    assert wordnet.examples(tmp_path) == ()
