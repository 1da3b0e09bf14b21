"""The relay with its real parts: it hears, thinks and speaks, on examples of the suites that it is compared on."""

import pytest

from microturn.evals.relay.parts import missing_parts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_parts()), reason=f"not installed: {', '.join(missing_parts())}"),
]


def test_it_answers_time_and_repeat_with_sound_and_latencies() -> None:
    from microturn.evals.exchange import Exchange
    from microturn.evals.playbook import Playbook, heldout_play
    from microturn.evals.relay import RelaySubject
    from microturn.evals.spoken import sounds
    from microturn.evals.suites.following import RepeatSuite

    suite = RepeatSuite()
    cases = suite.draw(Playbook(heldout_play(None)), 2)
    answers = RelaySubject.load().answer([case.episode.inputs for case in cases])
    exchanges = [Exchange(case=case, outputs=outputs) for case, outputs in zip(cases, answers, strict=True)]
    assert all(len(e.outputs) == len(e.case.episode.inputs) for e in exchanges)
    assert any("".join(output.hear for output in e.outputs).split() for e in exchanges)
    assert any(sounds(e.outputs) for e in exchanges)
    metrics = suite.summarise([suite.judge(e) for e in exchanges])
    assert metrics["accuracy"].count == 2
