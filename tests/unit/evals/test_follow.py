"""Right words, right time, nothing else."""

from dataclasses import replace

import pytest
from hand_made import episode, expect, reply, words

from microturn.data.episode import Stop, Variant
from microturn.evals.follow import follow

COUNT = episode(
    heard=words(("count", 200, 500), ("to", 500, 600), ("three", 600, 900)),
    said=words(("one", 1030, 1300), ("two", 2030, 2300), ("three", 3030, 3300)),
    expectations=[expect("one", 5), expect("two", 10), expect("three", 15)],
)
RIGHT = {5: " one", 10: " two", 15: " three"}
SOUND = [range(5, 7), range(10, 12), range(15, 17)]


def test_the_expected_words_in_their_windows_are_right() -> None:
    followed = follow(COUNT, reply(RIGHT, SOUND))
    assert followed.is_right
    assert (followed.num_met, followed.num_demanded, followed.problems) == (3, 3, ())


@pytest.mark.parametrize(("turn", "is_right"), [(8, True), (13, True), (7, False), (14, False)])
def test_a_word_may_be_500_ms_early_and_700_ms_late(turn: int, is_right: bool) -> None:
    outputs = reply({5: " one", turn: " two", 15: " three"}, [range(5, 6), range(turn, turn + 1), range(15, 17)])
    assert follow(COUNT, outputs).is_right == is_right


@pytest.mark.parametrize(
    ("says", "sound", "problem"),
    [
        ({5: " one", 15: " three"}, [SOUND[0], SOUND[2]], "'two' did not begin"),
        ({**RIGHT, 20: " four"}, [*SOUND, range(20, 22)], "'four' at 4.0 s was not asked for"),
        ({**RIGHT, 10: " seven"}, SOUND, "'two' did not begin"),
        ({5: " two", 10: " one", 15: " three"}, SOUND, "'one' did not begin"),
        (RIGHT, [SOUND[0], SOUND[2]], "'two' did not begin"),
        (RIGHT, [*SOUND, range(30, 32)], "'(sound)' at 6.0 s"),
        ({}, [], "'one' did not begin"),
    ],
    ids=["missing", "extra", "wrong", "order", "without sound", "sound without words", "silent"],
)
def test_anything_else_is_wrong(says: dict[int, str], sound: list[range], problem: str) -> None:
    followed = follow(COUNT, reply(says, sound))
    assert not followed.is_right
    assert any(problem in line for line in followed.problems)


def test_what_the_reference_says_beside_the_expected_words_is_allowed_but_not_demanded() -> None:
    asked = episode(
        heard=words(("breathe", 300, 800)),
        said=words(("okay", 1030, 1300), ("breathe", 5030, 5500)),
        expectations=[expect("breathe", 25)],
    )
    assert follow(asked, reply({5: " okay", 25: " breathe"}, [range(5, 7), range(25, 27)])).is_right
    assert follow(asked, reply({25: " breathe"}, [range(25, 27)])).is_right
    assert not follow(asked, reply({15: " okay", 25: " breathe"}, [range(15, 17), range(25, 27)])).is_right


def test_another_right_way_to_go_on_is_as_good_and_silence_is_none() -> None:
    from_four = Variant(from_ms=3000, expectations=[expect("four", 15), expect("five", 20)])
    resumed = replace(COUNT, variants=[from_four])
    four = reply({5: " one", 10: " two", 15: " four", 20: " five"}, [*SOUND, range(20, 22)])
    assert follow(resumed, four).is_right
    assert follow(resumed, reply(RIGHT, SOUND)).is_right
    assert not follow(COUNT, four).is_right
    assert not follow(resumed, reply({5: " one", 10: " two"}, SOUND[:2])).is_right
    assert not follow(resumed, reply({**RIGHT, 20: " five"}, [*SOUND, range(20, 22)])).is_right


def test_words_at_the_moment_of_stopping_are_neither_demanded_nor_forbidden() -> None:
    stopped = episode(
        heard=words(("count", 200, 900), ("stop", 2800, 3100)),
        said=words(("one", 1030, 1300), ("two", 2030, 2300), ("three", 3030, 3300)),
        expectations=[expect("one", 5), expect("two", 10), expect("three", 15)],
        stops=[Stop(word_end_ms=3100, quiet_until_ms=6000)],
    )
    assert follow(stopped, reply(RIGHT, SOUND)).is_right
    assert follow(stopped, reply({5: " one", 10: " two"}, SOUND[:2])).is_right
    assert not follow(stopped, reply({**RIGHT, 20: " four"}, [*SOUND, range(20, 22)])).is_right


def test_the_rest_of_a_word_that_the_reference_was_cut_in_is_not_demanded() -> None:
    cut = episode(
        heard=words(("stop", 1000, 1400)),
        said=words(("twenty", 1030, 1300)),
        expectations=[expect("twenty one", 5)],
    )
    assert follow(cut, reply({5: " twenty"}, [range(5, 7)])).is_right
    assert follow(cut, reply({5: " twenty", 6: " one"}, [range(5, 9)])).is_right


def test_after_a_time_only_later_words_count() -> None:
    followed = follow(COUNT, reply({5: " nine", 10: " two", 15: " three"}, SOUND))
    assert not followed.is_right
    assert followed.after(1500).is_right
