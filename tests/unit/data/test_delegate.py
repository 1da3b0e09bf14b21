"""The delegation scenario: what is asked, when the result is told, and that nothing is said over the user."""

import numpy as np
import pytest

from microturn.data.corpus import MuteVoice
from microturn.data.episode import Episode
from microturn.data.phrases import Phrases
from microturn.data.scenarios import SCENARIOS, delegate
from microturn.data.stage import Cast, Stage
from microturn.turns.background import Act, ActKind, ActReader, ReportKind, parse_report
from microturn.turns.timing import TURN_MS, turn_start_ms

SEEDS = range(40)


def play(seed: int) -> Episode:
    voice = MuteVoice()
    cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train", sentences=("hello there you",))
    stage = Stage(np.random.default_rng(seed), cast)
    end_ms = SCENARIOS["delegate"].play(stage, 400.0)
    return stage.render("delegate", seed, end_ms + 1_000, lambda samples, _: samples)


def acts(episode: Episode) -> list[tuple[int, Act]]:
    reader = ActReader()
    found = [(output.index, act) for output in episode.outputs for act in reader.read(output.pieces)]
    assert reader.num_malformed == 0
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_acts_read_back_and_come_after_the_words_that_ask_for_them(seed: int) -> None:
    episode = play(seed)
    found = acts(episode)
    assert found[0][1].kind is ActKind.ASK
    heard = ""
    for output in episode.outputs:
        heard += output.hear
        for _, act in [each for each in found if each[0] == output.index]:
            assert act.text in heard


@pytest.mark.parametrize("seed", SEEDS)
def test_results_of_known_jobs_are_said_in_their_words(seed: int) -> None:
    episode = play(seed)
    asked = {act.job: turn for turn, act in acts(episode) if act.kind is not ActKind.CANCEL}
    cancelled = {act.job for _, act in acts(episode) if act.kind is ActKind.CANCEL}
    for turn in episode.inputs:
        for report in map(parse_report, (event.text for event in turn.events)):
            assert report.job in asked
            assert report.job not in cancelled
            if report.kind is not ReportKind.NOTE:
                said_after = "".join(output.say for output in episode.outputs[turn.index + 1 :])
                assert report.text in said_after


@pytest.mark.parametrize("seed", SEEDS)
def test_no_result_begins_over_the_user(seed: int) -> None:
    episode = play(seed)
    speaking = [output.is_speaking for output in episode.outputs]
    begins = [k for k, now in enumerate(speaking) if now and (k == 0 or not speaking[k - 1])]
    for turn in begins:
        # A reply begins at the earliest in the turn that holds the end of what was said, plus the lag.
        overlapped = [w for w in episode.heard if w.start_ms + TURN_MS < turn_start_ms(turn) < w.end_ms - TURN_MS]
        assert not overlapped


def test_every_kind_of_course_is_played() -> None:
    episodes = [play(seed) for seed in range(120)]
    kinds = {act.kind for episode in episodes for _, act in acts(episode)}
    reports = {parse_report(e.text).kind for episode in episodes for turn in episode.inputs for e in turn.events}
    assert kinds == set(ActKind)
    assert reports == set(ReportKind)
    assert any(len({act.job for _, act in acts(episode)}) == 2 for episode in episodes)


@pytest.mark.parametrize(
    "bank", [v for v in vars(delegate).values() if isinstance(v, Phrases) and v is not delegate.FILLERS]
)
def test_evaluation_never_sees_a_phrasing_of_training(bank: Phrases) -> None:
    assert not set(bank.train) & set(bank.heldout)
