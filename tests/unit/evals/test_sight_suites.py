"""The suites of sight, on scenarios played by mute voices before rendered scenes."""

from dataclasses import replace

import pytest
from mute import play_mute

from microturn.evals.exchange import reference
from microturn.evals.playbook import Playbook
from microturn.evals.subject import Silent
from microturn.evals.suites import SUITES

SIGHTED = ("sight", "count", "commentary")
ENOUGH = {"iou": 0.75, "pauc": 0.85, "look_accuracy/in-writing": 1.0, "obo": 1.0, "f1": 0.95}
"""What the reference reply scores at least: it sees as late as a model must."""
FREE = {"iou": 0.0, "pauc": 0.25, "look_accuracy/in-writing": 0.0, "obo": 0.0, "f1": 0.0}
"""What silence scores, and nobody who talks all the time more."""


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return Playbook(play_mute)


@pytest.mark.parametrize("name", SIGHTED)
def test_the_reference_scores_and_the_controls_do_not(name: str, playbook: Playbook) -> None:
    suite = SUITES[name]()
    exchanges = [reference(case) for case in suite.draw(playbook, 8)]
    controls = suite.controls(exchanges, Silent())
    for metric in suite.headline:
        value = controls["reference"][metric]
        assert value is not None
        if metric == "lag_ms":
            assert 0 <= value <= 1_000
            assert controls["silent"][metric] is None
            continue
        assert value >= ENOUGH[metric], metric
        assert controls["silent"][metric] == FREE[metric]
        talking, shuffled = controls["always-talking"][metric], controls["shuffled"][metric]
        assert talking is not None
        assert shuffled is not None
        assert talking <= FREE[metric]
        assert shuffled < value


def test_questions_in_writing_count_one_by_one(playbook: Playbook) -> None:
    suite = SUITES["sight"]()
    (exchange,) = (reference(case) for case in suite.draw(playbook, 4) if case.kind == "look-briefly")
    whole = suite.judge(exchange)
    assert whole.is_right
    num_asked = whole.figures["asked"]
    assert num_asked == sum(bool(turn.events) for turn in exchange.case.episode.inputs) >= 6
    last = max(k for k, output in enumerate(exchange.outputs) if output.pieces)
    short = [replace(it, pieces=()) if k == last else it for k, it in enumerate(exchange.outputs)]
    verdict = suite.judge(replace(exchange, outputs=short))
    assert verdict.figures["answered"] == num_asked - 1
    assert len(verdict.problems) == 1
    metrics = suite.summarise([whole, verdict])
    assert metrics["look_accuracy/in-writing"].value == (2 * num_asked - 1) / (2 * num_asked)


@pytest.mark.parametrize("name", ["sight", "count"])
def test_real_clips_are_rows_of_their_own_and_say_so_when_there_are_none(name: str, playbook: Playbook) -> None:
    suite = SUITES[name]()
    metrics = suite.summarise([suite.judge(reference(case)) for case in suite.draw(playbook, 4)])
    filmed = [metric for key, metric in metrics.items() if key.endswith("/real-video")]
    assert filmed
    assert all(metric.value is None and "real clips" in metric.note for metric in filmed)
