"""Permission asked by voice: the question is the background's, the answer a yes or a no, whatever the words."""

import numpy as np
import pytest

from microturn.background.permissions import spoken_decision
from microturn.background.weaving import permission
from microturn.data.corpus import MuteVoice
from microturn.data.episode import Episode
from microturn.data.phrases import Phrases
from microturn.data.scenarios import SCENARIOS
from microturn.data.scenarios import permission as bank
from microturn.data.stage import Cast, Stage
from microturn.evals.wer import normal_words
from microturn.turns.background import ActKind, ActReader, ReportKind, parse_report

SEEDS = range(24)


def play(seed: int, part: str = "train") -> Episode:
    voice = MuteVoice()
    cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part=part, sentences=("hello there you",))
    stage = Stage(np.random.default_rng(seed), cast)
    end_ms = SCENARIOS["permission"].play(stage, 400.0)
    return stage.render("permission", seed, end_ms + 1_000, lambda samples, _: samples)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_user_is_asked_and_their_word_is_passed_on_before_the_result_is_told(seed: int) -> None:
    episode = play(seed)
    reader = ActReader()
    acts = [(output.index, act) for output in episode.outputs for act in reader.read(output.pieces)]
    assert [act.kind for _, act in acts] == [ActKind.ASK, ActKind.AMEND]
    assert spoken_decision(acts[1][1].text) is not None
    reports = [(turn.index, parse_report(event.text)) for turn in episode.inputs for event in turn.events]
    (asks_turn, asks), (result_turn, result) = reports
    assert asks.kind is ReportKind.SAY
    assert acts[0][0] < asks_turn < acts[1][0] < result_turn
    said = [" ".join(normal_words("".join(o.say for o in episode.outputs[turn:]))) for turn in (asks_turn, result_turn)]
    assert said[0].startswith(" ".join(normal_words(asks.text)))
    assert " ".join(normal_words(result.text)) in said[1]


def test_it_is_asked_in_the_words_in_which_the_background_asks() -> None:
    asked = permission(1, "home_lamp")
    (report, *_) = [parse_report(event.text) for turn in play(0).inputs for event in turn.events]
    assert normal_words(report.text)[:3] == normal_words(asked.text)[:3]
    assert report.kind is asked.kind


@pytest.mark.parametrize("phrases", [bank.YES, bank.NO, bank.ERRANDS, bank.TOOLS])
def test_what_is_held_out_is_never_trained(phrases: Phrases) -> None:
    assert not set(phrases.train) & set(phrases.heldout)


def test_both_answers_are_given() -> None:
    answers = {act.text for seed in SEEDS for o in play(seed).outputs for act in ActReader().read(o.pieces)}
    assert {"yes", "no"} <= answers
