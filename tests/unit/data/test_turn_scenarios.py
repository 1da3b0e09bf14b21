"""Scenarios of turn-taking and of changed minds: who speaks when, and what is done in the end."""

import pytest
from mute_plays import mute_stage, play_on

from microturn.data.episode import Episode
from microturn.data.scenarios import SCENARIOS
from microturn.data.scenarios.short_requests import FORMS, choose_request
from microturn.data.scenarios.take_turns import MARKERS
from microturn.evals.suites.turns import stretches_of

SEEDS = range(24)


def play(name: str, seed: int, part: str = "train") -> Episode:
    return play_on(mute_stage(seed, part), name, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_request_is_answered_and_no_pause_is_taken_for_its_end(seed: int) -> None:
    episode = play("take-turns", seed)
    for stretch in stretches_of(episode):
        answers = [w.start_ms for w in episode.said if stretch.start_ms <= w.start_ms < stretch.until_ms]
        assert bool(answers) == stretch.is_request
        if answers:
            assert 0 < answers[0] - stretch.end_ms <= 600


def test_there_are_pauses_false_starts_and_turns_that_ask_for_nothing() -> None:
    episodes = [play("take-turns", seed) for seed in SEEDS]
    stretches = [stretch for episode in episodes for stretch in stretches_of(episode)]
    assert sum(len(stretch.pauses) for stretch in stretches) > 10
    assert any(not stretch.is_request for stretch in stretches)
    heard = " / ".join(" ".join(word.text for word in episode.heard) for episode in episodes)
    assert any(marker in heard for marker in MARKERS.train)


@pytest.mark.parametrize("form", FORMS)
def test_a_request_has_one_answer_and_its_false_rest_another_value(form: str) -> None:
    for seed in range(10):
        asked = FORMS[form](mute_stage(seed))
        assert bool(asked.answer) != bool(asked.numbers)
        assert asked.false_rest != asked.rest or not asked.rest


def test_what_is_asked_for_can_be_required_to_have_a_pause_and_a_wrong_value() -> None:
    for seed in range(20):
        asked = choose_request(mute_stage(seed), is_divided=True, can_be_false=True)
        assert asked.rest
        assert asked.false_rest


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_meant_last_is_done_last(seed: int) -> None:
    episode = play("change-of-mind", seed, "heldout")
    last_word_ms = episode.heard[-1].end_ms
    after = [word.text for word in episode.said if word.start_ms > last_word_ms]
    assert after
    expected_after = [e for e in episode.expectations if e.from_ms + 500 > last_word_ms]
    assert " ".join(after) == " ".join(e.text for e in sorted(expected_after, key=lambda e: e.from_ms))


def test_a_change_in_mid_count_ends_the_count() -> None:
    for seed in range(60):
        episode = play("change-of-mind", seed)
        first_said_ms = episode.said[0].start_ms
        changed = [w for w in episode.heard if w.start_ms > first_said_ms]
        if changed and "count" in " ".join(w.text for w in episode.heard[:6]):
            meant_ms = next(w.end_ms for w in changed if w.text == "from")
            assert not [w for w in episode.said if meant_ms + 200 < w.start_ms < changed[-1].end_ms]
            return
    pytest.fail("no change in mid-count was played")


@pytest.mark.parametrize("name", ["spoken-cue", "take-turns", "change-of-mind", "remember", "how-often", "interpret"])
def test_a_play_that_outlasts_the_stage_is_cut_off_there(name: str) -> None:
    for seed in range(4):
        stage = mute_stage(seed)
        end_ms = SCENARIOS[name].play(stage, 52_000.0)
        episode = stage.render(name, seed, end_ms, lambda samples, _: samples)
        assert episode.duration_ms <= stage.max_ms
        assert all(word.end_ms < episode.duration_ms for word in episode.heard)
