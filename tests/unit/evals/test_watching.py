"""What is said about what is seen: the judge, and the scores by their published definitions."""

import pytest
from hand_made import reply

from microturn.data.episode import Moment
from microturn.data.scenarios.tell_when import REPLIES, THINGS_CHANGES
from microturn.evals.answers import PARTLY, RIGHT, WRONG, judge, numbers, utterances
from microturn.evals.spoken import TimedWord
from microturn.evals.watching import last_count, matched, pauc, said_spans, temporal_iou


@pytest.mark.parametrize(
    ("said", "answer", "marks"),
    [
        ("a red ball", "a red ball", RIGHT),
        ("there is a ball now and it is red", "a red ball", RIGHT),
        ("the ball has disappeared", "the ball is gone", RIGHT),
        ("the light went out", "the light goes off", RIGHT),
        ("the lights are on", "the light is on", RIGHT),
        ("a ball", "a red ball", PARTLY),
        ("a blue ball", "a red ball", WRONG),
        ("a red ball and a cup", "a red ball", WRONG),
        ("the light is on", "the light is off", WRONG),
        ("hello", "the light is off", WRONG),
        ("", "a red ball", WRONG),
        ("there is a ball", "the ball is here", RIGHT),
        ("i can see the ball now", "the ball is here", RIGHT),
        ("a ball comes into view", "the ball is here", RIGHT),
        ("ball", "the ball is here", PARTLY),
        ("hello there", "the ball is here", WRONG),
        ("the ball is no longer there", "the ball is gone", RIGHT),
        ("there is no ball any more", "the ball is here", WRONG),
        ("the ball left", "the ball is gone", RIGHT),
        ("the ball moves out of view", "the ball is gone", RIGHT),
        ("the person walked out", "the person is gone", RIGHT),
        ("the person is gone", "the ball is gone", WRONG),
        ("the ball was moved", "the ball moves", RIGHT),
        ("the ball did not move", "the ball moves", WRONG),
        ("the ball became red", "the ball is red", RIGHT),
        ("the ball is red now", "the ball turns red", RIGHT),
        ("a red ball", "the ball is red", PARTLY),
        ("the red ball is gone", "the ball is red", WRONG),
        ("the red ball moves", "the red ball", RIGHT),
        ("the light is gone", "the light is off", RIGHT),
        ("i lift my arm", "a hand is up", RIGHT),
        ("a hand moves", "a hand is up", WRONG),
        ("the ball appears leaves moves", "the ball is here", WRONG),
    ],
)
def test_the_judge(said: str, answer: str, marks: int) -> None:
    assert judge(said, answer) == marks


OF_A_BALL = [REPLIES[change].format(n="ball", k="red") for change in THINGS_CHANGES]


@pytest.mark.parametrize("answer", OF_A_BALL)
def test_no_event_is_taken_for_another(answer: str) -> None:
    assert judge(answer, answer) == RIGHT
    assert {judge(other, answer) for other in OF_A_BALL if other != answer} == {WRONG}


def test_a_silent_turn_parts_utterances() -> None:
    outputs = reply({5: " a ball", 10: " it is red"}, [range(5, 8), range(10, 12)])
    assert [(u.text, u.start_ms) for u in utterances(outputs)] == [("a ball", 1200), ("it is red", 2200)]
    assert [u.text for u in utterances(outputs, from_ms=2000)] == ["it is red"]


def words(text: str) -> list[TimedWord]:
    return [TimedWord(text=word, start_ms=100.0 * i) for i, word in enumerate(text.split())]


def test_numbers_of_several_words_are_read_whole() -> None:
    assert numbers(words("so nine ten twenty one twenty")) == [(9, 100.0), (10, 200.0), (21, 300.0), (20, 500.0)]


def test_overlap_is_of_time() -> None:
    assert temporal_iou([(1.0, 3.0)], [(2.0, 4.0)]) == pytest.approx(1 / 3)
    assert temporal_iou([], [(2.0, 4.0)]) == 0.0
    assert temporal_iou([(0.0, 1.0), (2.0, 3.0)], [(0.0, 3.0)]) == pytest.approx(2 / 3)


def test_a_span_lasts_from_start_to_stop_as_heard() -> None:
    outputs = reply({5: " start", 15: " stop"}, [range(5, 7), range(15, 17)])
    assert said_spans(outputs, "start", "stop") == [(1200.0, 3200.0)]
    unclosed = reply({5: " start"}, [range(5, 7)])
    assert said_spans(unclosed, "start", "stop") == []
    assert said_spans(reply({}, []), "start", "stop") == []


MOMENT = Moment(label="a red ball", from_ms=2000, to_ms=6000)


def test_silence_has_a_quarter_and_a_prompt_answer_nearly_all() -> None:
    assert pauc(reply({}, []), MOMENT) == 0.25
    at_once = reply({9: " a red ball"}, [range(9, 12)])
    assert pauc(at_once, MOMENT) == pytest.approx(1.0)
    second_late = reply({14: " a red ball"}, [range(14, 17)])  # 1000 ms, of which half counts
    assert pauc(second_late, MOMENT) == pytest.approx((0.5 * 500 + 2 * 3500) / 8000)


def test_a_wrong_answer_is_worse_than_none_and_one_before_the_moment_is_none() -> None:
    assert pauc(reply({9: " a blue cup"}, [range(9, 12)]), MOMENT) == 0.0
    assert pauc(reply({4: " a red ball"}, [range(4, 6)]), MOMENT) == 0.25


def test_a_late_reply_that_makes_it_worse_is_left_out() -> None:
    outputs = reply({9: " a red ball", 18: " a blue cup"}, [range(9, 12), range(18, 20)])
    assert pauc(outputs, MOMENT) == pytest.approx(1.0)


REPETITIONS = [Moment(label="x", from_ms=1000 * k, to_ms=1000 * (k + 1)) for k in range(5)]


def test_the_last_number_after_the_penultimate_repetition_counts() -> None:
    counting = reply({14: " three", 19: " four", 24: " five"}, [range(14, 16), range(19, 21), range(24, 26)])
    assert last_count(counting, REPETITIONS) == 5
    broken_off = reply({14: " three"}, [range(14, 16)])
    assert last_count(broken_off, REPETITIONS) is None


def test_an_utterance_names_one_moment_in_time() -> None:
    outputs = reply({9: " the red ball moves"}, [range(9, 13)])
    moments = [Moment(label="the red ball moves", from_ms=t, to_ms=t + 4000) for t in (1200, 1300, 4000)]
    pairs = matched(utterances(outputs), moments, early_ms=500, late_ms=1000)
    assert [moment.from_ms for moment, _ in pairs] == [1200]
