"""The translation suite, on hand-written replies and played scenarios."""

from dataclasses import replace

import pytest
from hand_made import episode, exchange, reply, words
from mute import play_mute

from microturn.data.episode import Moment
from microturn.evals.exchange import reference
from microturn.evals.playbook import Playbook
from microturn.evals.subject import Silent
from microturn.evals.suites.translation import TranslationSuite, sentences_of

# "translate into spanish", then "i see | a dog" with chunks that end at 2.4 and 3.0 s.
ASKED = replace(
    episode(
        heard=words(
            ("into", 200, 500), ("spanish", 500, 900), ("i", 2000, 2100), ("see", 2100, 2400), ("a", 2400, 2500),
            ("dog", 2500, 3000),
        ),
        said=words(("veo", 2600, 2900), ("un", 3200, 3400), ("perro", 3400, 3800)),
    ),
    moments=[
        Moment(label="veo", from_ms=2400, to_ms=8400),
        Moment(label="un perro", from_ms=3000, to_ms=9000),
    ],
)  # fmt: skip


def scores(outputs) -> dict[str, float | None]:
    suite = TranslationSuite()
    return {
        name: m.value
        for name, m in suite.summarise([suite.judge(exchange(ASKED, outputs, kind="spanish"))]).items()
        if "/" not in name
    }


def test_the_reference_is_perfect_and_the_controls_are_not() -> None:
    suite = TranslationSuite()
    cases = suite.draw(Playbook(play_mute), 12)
    found = suite.summarise([suite.judge(reference(case)) for case in cases])
    assert found["word_accuracy"].value == 1.0
    assert found["early_rate"].value is not None
    assert found["early_rate"].value > 0.8
    assert found["lag_ms"].value is not None
    assert found["lag_ms"].value <= 2_000
    controls = suite.controls([reference(case) for case in cases], Silent())
    for control in ("silent", "always-talking"):
        assert controls[control]["word_accuracy"] == 0.0
    assert (controls["shuffled"]["word_accuracy"] or 0.0) < 0.2


def test_a_sentence_ends_with_a_silence() -> None:
    (sentence,) = sentences_of(ASKED)
    assert sentence.end_ms == 3000
    assert len(sentence.chunks) == 2


def test_a_translation_while_the_user_speaks() -> None:
    found = scores(reply({12: " veo", 16: " un", 17: " perro"}, [range(12, 14), range(16, 19)]))
    assert found == {"word_accuracy": 1.0, "lag_ms": 300.0, "early_rate": 1.0}


def test_a_translation_after_the_sentence_is_not_early() -> None:
    found = scores(reply({16: " veo", 18: " un", 19: " perro"}, [range(16, 22)]))
    assert (found["word_accuracy"], found["early_rate"]) == (1.0, 0.0)


def test_wrong_and_extra_words_count_against_it() -> None:
    found = scores(reply({12: " veo", 16: " un", 17: " gato"}, [range(12, 14), range(16, 19)]))
    assert found["word_accuracy"] == pytest.approx(2 / 3)
