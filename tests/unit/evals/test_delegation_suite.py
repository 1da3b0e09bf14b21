"""The delegation suite, on episodes played by mute voices: the reference is perfect, and no control scores."""

from dataclasses import replace

import numpy as np
import pytest
from mute import play_mute

from microturn.data.episode import UTTERANCE_PAUSE_MS, Episode
from microturn.data.voices import SpokenWord
from microturn.evals.exchange import Case, Exchange, reference
from microturn.evals.playbook import Playbook
from microturn.evals.subject import Silent
from microturn.evals.suites.delegation import DelegationSuite, acts_of, told_results
from microturn.evals.suites.silence import quiet_turns
from microturn.turns.background import Report, ReportKind
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind
from microturn.turns.timing import IN_SAMPLES_PER_TURN, MEL_FRAMES_PER_TURN


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


def test_an_act_that_is_written_twice_is_a_wrong_request(cases: list[Case]) -> None:
    case = cases[0]
    outputs = list(case.episode.outputs)
    turn, act = acts_of(outputs)[0]
    again = Piece(kind=PieceKind.ACT, text=str(act), is_end=True)
    outputs[turn] = replace(outputs[turn], pieces=(*outputs[turn].pieces, again))
    verdict = DelegationSuite().judge(Exchange(case=case, outputs=outputs))
    assert not verdict.is_right
    assert verdict.figures["acts_right"] == verdict.figures["acts"]


def test_speech_where_nothing_is_to_be_said_is_no_success(cases: list[Case]) -> None:
    case = next(case for case in cases if quiet_turns(case.episode))
    outputs = list(case.episode.outputs)
    turn = quiet_turns(case.episode)[0]
    outputs[turn] = replace(outputs[turn], mel=np.zeros((MEL_FRAMES_PER_TURN, 80), np.float32))
    verdict = DelegationSuite().judge(Exchange(case=case, outputs=outputs))
    assert verdict.problems == [f"spoke in turn {turn}, where nothing was to be said"]


def asked_with_a_pause(pause_ms: float) -> Episode:
    """Two words with a pause between them that begins at 600 ms; a result comes in the first micro-turn."""
    report = Report(kind=ReportKind.DONE, job=1, text="minus two")
    silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    return Episode(
        scenario="delegate",
        seed=0,
        part="heldout",
        voice="mute",
        inputs=[
            MicroTurnInput(index=k, audio=silence, events=() if k else (report.to_event(),), frames=())
            for k in range(12)
        ],
        outputs=[MicroTurnOutput(index=k) for k in range(12)],
        heard=[
            SpokenWord(text="well", start_ms=300, end_ms=600),
            SpokenWord(text="then", start_ms=600 + pause_ms, end_ms=900 + pause_ms),
        ],
        said=[],
    )


@pytest.mark.parametrize(("pause_ms", "is_over"), [(UTTERANCE_PAUSE_MS - 50, True), (UTTERANCE_PAUSE_MS + 50, False)])
def test_a_result_told_between_two_words_of_an_utterance_is_told_over_the_user(pause_ms: float, is_over: bool) -> None:
    """It used to count only within a word."""
    episode = asked_with_a_pause(pause_ms)
    mel = np.zeros((MEL_FRAMES_PER_TURN, 80), np.float32)
    said = {3: " minus", 4: " two"}  # heard from 800 ms on
    outputs = [MicroTurnOutput(index=k, say=said.get(k, ""), mel=mel if 3 <= k <= 5 else None) for k in range(12)]
    (told,) = told_results(episode, outputs)
    assert told.start_ms == 800
    assert told.is_over_user is is_over
