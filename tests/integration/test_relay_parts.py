"""The relay with its real parts: it hears, thinks and speaks, on examples of the suites that it is compared on."""

import pytest

from microturn.evals.exchange import Exchange
from microturn.evals.playbook import Playbook, heldout_play
from microturn.evals.relay.parts import missing_parts
from microturn.evals.spoken import sounds
from microturn.evals.suites.following import RepeatSuite
from microturn.evals.suites.suite import Suite
from microturn.evals.suites.time import TimeSuite
from microturn.testing.clock import ManualClock

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_parts()), reason=f"not installed: {', '.join(missing_parts())}"),
]


def test_it_hears_and_answers_examples_of_time_and_repeat() -> None:
    from microturn.evals.relay import RelaySubject, load_parts

    # On a clock that stands still its answers take no time, so that a busy machine changes nothing.
    playbook, relay = Playbook(heldout_play(None)), RelaySubject(load_parts(), ManualClock())
    suites: list[tuple[Suite, int]] = [(TimeSuite(), 1), (RepeatSuite(), 2)]
    drawn = [(suite, suite.draw(playbook, limit)) for suite, limit in suites]
    answers = relay.answer([case.episode.inputs for _, cases in drawn for case in cases])
    assert sum(bool("".join(output.hear for output in outputs).split()) for outputs in answers) >= len(answers) - 1
    assert all(sounds(outputs) for outputs in answers)
    replies = iter(answers)
    for suite, cases in drawn:
        exchanges = [Exchange(case=case, outputs=next(replies)) for case in cases]
        assert all(len(e.outputs) == len(e.case.episode.inputs) for e in exchanges)
        metrics = suite.summarise([suite.judge(exchange) for exchange in exchanges])
        assert metrics["accuracy"].count == len(cases)  # how well it does is not this test's business
