"""The delegation suite, on episodes played by mute voices: the reference is perfect, and no control scores."""

from dataclasses import replace

import pytest
from mute import play_mute

from microturn.evals.exchange import Case, Exchange, reference
from microturn.evals.playbook import Playbook
from microturn.evals.subject import Silent
from microturn.evals.suites.delegation import DelegationSuite, acts_of


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return DelegationSuite().draw(Playbook(play_mute), 24)


def scores(exchanges: list[Exchange]) -> dict[str, float | None]:
    suite = DelegationSuite()
    return {name: m.value for name, m in suite.summarise([suite.judge(e) for e in exchanges]).items()}


def test_the_reference_reply_is_perfect(cases: list[Case]) -> None:
    found = scores([reference(case) for case in cases])
    assert (found["request_accuracy"], found["result_spoken"], found["over_user"], found["success"]) == (1, 1, 0, 1)


def test_no_control_scores(cases: list[Case]) -> None:
    controls = DelegationSuite().controls([reference(case) for case in cases], Silent())
    assert controls["silent"] == {"request_accuracy": 0, "result_spoken": 0, "over_user": None}
    for control in ("always-talking", "shuffled"):
        assert (controls[control]["request_accuracy"] or 0) < 0.2
        assert (controls[control]["result_spoken"] or 0) < 0.2


def test_another_question_is_a_wrong_request(cases: list[Case]) -> None:
    case = cases[0]
    outputs = list(case.episode.outputs)
    turn = next(k for k, output in enumerate(outputs) if output.pieces)
    piece = outputs[turn].pieces[0]
    outputs[turn] = replace(outputs[turn], pieces=(replace(piece, text=piece.text.replace("ask ", "ask 9")),))
    assert acts_of(outputs)[0][1] != acts_of(case.episode.outputs)[0][1]
    verdict = DelegationSuite().judge(Exchange(case=case, outputs=outputs))
    assert not verdict.is_right
    assert verdict.figures["acts_right"] < verdict.figures["acts"]
