"""The memory suite: what counts as recalled, and half an hour that fits between a fact and its question."""

import pytest
from mute import play_mute

from microturn.data.episode import Moment
from microturn.evals.exchange import reference
from microturn.evals.playbook import Playbook
from microturn.evals.spoken import TimedWord
from microturn.evals.subject import Silent
from microturn.evals.suites.memory import LATER, LATER_TURNS, MemorySuite, is_answered, later
from microturn.turns.timing import TURN_MS


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return Playbook(play_mute)


def said(text: str) -> list[TimedWord]:
    return [TimedWord(text=word, start_ms=1_000) for word in text.split()]


def asks_for(answer: str) -> Moment:
    return Moment(label=answer, from_ms=0, to_ms=4_000)


def test_the_reference_recalls_all_and_the_controls_nothing(playbook: Playbook) -> None:
    suite = MemorySuite()
    cases = suite.draw(playbook, 10)
    found = suite.summarise([suite.judge(reference(case)) for case in cases])
    assert {metric.value for metric in found.values()} == {1.0}
    controls = suite.controls([reference(case) for case in cases], Silent())
    assert controls["silent"]["recall"] == 0.0
    assert controls["always-talking"]["recall"] == 0.0
    assert controls["shuffled"]["recall"] == 0.0


@pytest.mark.parametrize(
    ("words", "answer", "is_right"),
    [
        ("banana", "banana", True),
        ("your word was banana", "banana", True),
        ("banana tiger", "banana", False),
        ("", "banana", False),
        ("three", "three", True),
        ("one one one", "one", False),
        ("thirteen seconds ago", "twelve seconds ago", True),
        ("twelve", "twelve seconds ago", False),
        ("twenty seconds ago", "twelve seconds ago", False),
    ],
)
def test_what_counts_as_recalled(words: str, answer: str, is_right: bool) -> None:
    assert is_answered(said(words), asks_for(answer)) == is_right


def test_half_an_hour_lies_between_the_fact_and_the_question(playbook: Playbook) -> None:
    (case,) = [case for case in MemorySuite().draw(playbook, 10) if case.kind == LATER]
    assert len(case.episode.inputs) > LATER_TURNS
    question = case.episode.moments[0]
    assert question.from_ms > LATER_TURNS * TURN_MS
    assert [turn.index for turn in case.episode.inputs] == list(range(len(case.episode.inputs)))


def test_what_is_put_between_moves_what_follows_and_nothing_else(playbook: Playbook) -> None:
    (case,) = playbook.cases("remember", 1)
    (filler,) = playbook.cases("not-for-me", 1)
    between = filler.episode.inputs
    moved = later(case.episode, between)
    assert moved.heard[0] == case.episode.heard[0]
    assert moved.heard[-1].end_ms == case.episode.heard[-1].end_ms + len(between) * TURN_MS
    before = "".join(output.say for output in case.episode.outputs)
    assert "".join(output.say for output in moved.outputs) == before
