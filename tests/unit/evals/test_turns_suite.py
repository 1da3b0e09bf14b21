"""The turns suite: taking the turn, waiting, and keeping quiet are told apart."""

from hand_made import episode, exchange, expect, reply, words
from mute import play_mute

from microturn.data.episode import Quiet
from microturn.evals.exchange import reference
from microturn.evals.playbook import Playbook
from microturn.evals.subject import Silent
from microturn.evals.suites.turns import TurnsSuite

# "count … to two", a pause of a second within, answered in turn 13; then talk that asks for nothing.
ASKED = episode(
    heard=words(("count", 200, 700), ("to", 1700, 1900), ("two", 1900, 2300), ("hm", 4500, 4900)),
    said=words(("one", 2600, 2900)),
    expectations=[expect("one", 13)],
    quiets=[Quiet(from_ms=200, to_ms=2600), Quiet(from_ms=4500, to_ms=6500)],
)


def scores(outputs) -> dict[str, float | None]:
    suite = TurnsSuite()
    return {name: m.value for name, m in suite.summarise([suite.judge(exchange(ASKED, outputs))]).items()}


def test_the_reference_reply_is_perfect_and_prompt() -> None:
    suite = TurnsSuite()
    found = suite.summarise([suite.judge(reference(case)) for case in suite.draw(Playbook(play_mute), 16)])
    assert (found["take_rate"].value, found["pause_takeover"].value) == (1.0, 0.0)
    assert (found["quiet_rate"].value, found["accuracy"].value) == (1.0, 1.0)
    assert found["latency_ms"].value is not None
    assert found["latency_ms"].value <= 400


def test_a_right_answer_at_the_right_time() -> None:
    found = scores(reply({13: " one"}, [range(13, 15)]))
    assert found == {
        "take_rate": 1.0, "latency_ms": 500.0, "pause_takeover": 0.0, "quiet_rate": 1.0, "accuracy": 1.0
    }  # fmt: skip


def test_who_speaks_in_the_pause_takes_over() -> None:
    found = scores(reply({6: " one"}, [range(6, 8)]))
    assert (found["take_rate"], found["pause_takeover"], found["accuracy"]) == (0.0, 1.0, 0.0)


def test_an_early_reply_that_goes_on_has_no_latency() -> None:
    found = scores(reply({8: " one"}, [range(8, 15)]))
    assert (found["take_rate"], found["latency_ms"]) == (1.0, 0.0)


def test_talk_that_asks_for_nothing_gets_nothing() -> None:
    found = scores(reply({13: " one", 24: " what"}, [range(13, 15), range(24, 26)]))
    assert (found["quiet_rate"], found["take_rate"]) == (0.0, 1.0)


def test_neither_silence_nor_endless_talk_scores() -> None:
    suite = TurnsSuite()
    controls = suite.controls([reference(case) for case in suite.draw(Playbook(play_mute), 12)], Silent())
    assert controls["silent"]["take_rate"] == 0.0
    assert controls["always-talking"]["pause_takeover"] == 1.0
