"""Scenarios of memory: what is asked for was told before, and the answer is what was told."""

import pytest
from mute_plays import mute_stage, play_on

from microturn.data.corpus import UnfilmedStage
from microturn.data.episode import Episode, Moment
from microturn.data.scenarios.remember import FACTS, WORDS
from microturn.data.stage import Stage
from microturn.evals.answers import numbers
from microturn.evals.spoken import TimedWord

SEEDS = range(20)


def new_stage(seed: int) -> Stage:
    return mute_stage(seed, kind=UnfilmedStage)


def play(name: str, seed: int) -> Episode:
    return play_on(new_stage(seed), name, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_were_told_before_the_question(seed: int) -> None:
    episode = play("remember", seed)
    assert episode.moments
    for question in episode.moments:
        told = " ".join(word.text for word in episode.heard if word.end_ms < question.from_ms)
        typed = " ".join(event.text for turn in episode.inputs for event in turn.events)
        placed = question.label.replace("your", "my")  # "in my coat" is told back as "in your coat"
        assert placed in told or question.label in typed
        said = " ".join(word.text for word in episode.said if word.start_ms > question.from_ms)
        assert said.startswith(question.label)


@pytest.mark.parametrize("kind", FACTS)
def test_a_question_does_not_hold_its_answer(kind: str) -> None:
    for seed in range(10):
        fact = FACTS[kind](new_stage(seed))
        assert fact.answer.replace("your", "my") in fact.told
        assert fact.answer not in fact.question


def asked_about(episode: Episode, question: Moment) -> tuple[str, float]:
    """The word that a question is about, and when the question begins."""
    asked_ms = max(quiet.from_ms for quiet in episode.quiets if quiet.from_ms < question.from_ms)
    asked = [w.text for w in episode.heard if asked_ms <= w.start_ms < question.from_ms]
    return next(text for text in reversed(asked) if text in WORDS.train), asked_ms


@pytest.mark.parametrize("seed", SEEDS)
def test_times_are_counted_as_they_happened(seed: int) -> None:
    episode = play("how-often", seed)
    (question,) = episode.moments
    word, asked_ms = asked_about(episode, question)
    before = [w for w in episode.heard if w.start_ms < asked_ms and w.text == word]
    ((number, _),) = numbers([TimedWord(text=text, start_ms=0) for text in question.label.split()])
    assert len(before) == number


@pytest.mark.parametrize("seed", SEEDS)
def test_seconds_are_counted_to_the_answer(seed: int) -> None:
    episode = play("how-long-ago", seed)
    (question,) = episode.moments
    word, _ = asked_about(episode, question)
    said_ms = next(w.end_ms for w in episode.heard if w.text == word)
    ((number, _), *_) = numbers([TimedWord(text=text, start_ms=0) for text in question.label.split()])
    assert abs(number * 1000 - (question.from_ms - said_ms)) <= 1_200


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_shown_is_asked_for_once_it_is_gone(seed: int) -> None:
    episode = play("remember-shown", seed)
    (question,) = episode.moments
    assert " ".join(word.text for word in episode.said).endswith(question.label)
