"""Scenarios of spoken cues: every cue is answered, at once, and nothing else is."""

import pytest
from mute_plays import mute_stage, play_on

from microturn.data.episode import Episode
from microturn.data.scenarios.correct_me import FOREIGN, VERBS
from microturn.data.scenarios.cued import STATEMENTS, occurrences, run_ends
from microturn.data.scenarios.harmless import asks_nothing
from microturn.data.scenarios.spoken_cue import CUE_WORDS, EXCLAMATIONS, KINDS, choose_cue
from microturn.evals.answers import numbers
from microturn.evals.spoken import spoken_words
from microturn.turns.timing import HEAR_LAG_MS

SEEDS = range(20)


def play(name: str, seed: int, part: str = "train") -> Episode:
    return play_on(mute_stage(seed, part, ("we saw a big one",)), name, seed)


@pytest.mark.parametrize("name", ["spoken-cue", "count-fillers", "correct-me"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_cue_is_answered_as_soon_as_it_was_heard(name: str, seed: int) -> None:
    episode = play(name, seed)
    assert episode.moments
    for cue in episode.moments:
        first = cue.label.split()[0]
        starts = [word.start_ms for word in episode.said if word.text == first and word.start_ms >= cue.from_ms]
        assert starts
        assert starts[0] - cue.from_ms <= HEAR_LAG_MS + 1_200  # the answer to a cue just before may still be going on


def test_cues_are_answered_over_the_users_speech() -> None:
    episodes = [play(name, seed) for name in ("spoken-cue", "correct-me") for seed in SEEDS]
    over = [w for e in episodes for w in e.said if any(u.start_ms < w.start_ms < u.end_ms for u in e.heard)]
    assert len(over) > len(episodes) / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_fillers_are_counted_from_one(seed: int) -> None:
    episode = play("count-fillers", seed)
    counted = [number for number, _ in numbers(spoken_words(episode.outputs))]
    assert counted == list(range(1, len(episode.moments) + 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cue_after_the_stop_is_not_answered(seed: int) -> None:
    episode = play("spoken-cue", seed, "heldout")
    for stop in episode.stops:
        assert any(word.start_ms > stop.word_end_ms for word in episode.heard)
        assert not any(word.start_ms > stop.word_end_ms for word in episode.said)


def test_both_courses_and_all_lessons_are_played() -> None:
    episodes = [play("correct-me", seed, "heldout") for seed in range(60)]
    assert {bool(episode.stops) for episode in episodes} == {True, False}
    said = {word.text for episode in episodes for word in episode.said}
    assert said & set(VERBS.values())
    assert said & set(FOREIGN.values())


def test_talk_that_holds_no_cue_holds_none() -> None:
    kinds = {word for members in KINDS.values() for member in members for word in member.split()} | {"one"}
    for sentence in (*STATEMENTS.train, *STATEMENTS.heldout):
        assert kinds.isdisjoint(sentence.split()), sentence
        assert set(VERBS).isdisjoint(sentence.split())


def test_no_exclamation_is_a_cue() -> None:
    assert not set(CUE_WORDS.heldout) & set(EXCLAMATIONS.heldout)


def test_no_cue_asks_for_anything_when_it_falls_by_itself() -> None:
    assert all(asks_nothing(cue) for cue in (*CUE_WORDS.train, *CUE_WORDS.heldout))
    stage = mute_stage(0, sentences=("hello goodbye continue",))
    assert all(asks_nothing(choose_cue(stage)) for _ in range(600))


def test_a_cue_of_two_words_ends_with_its_second() -> None:
    assert occurrences(["we", "want", "ice", "cream", "and", "ice", "and", "cream"], ["ice", "cream"]) == [3]


def test_a_number_of_two_words_is_one_number() -> None:
    members = frozenset({"twenty", "one", "three"})
    assert run_ends(["i", "have", "twenty", "one", "cats", "and", "three", "dogs"], members) == [3, 6]
