"""Suite ``echo``: the model hears itself, and neither answers nor writes down what it hears.

Each case is played twice, with its own voice coming back from the loudspeaker and without, so that what the echo spoils
can be told from what goes wrong anyway.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from microturn.evals import metric
from microturn.evals.echo import Echo
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.suites.following import FollowingSuite
from microturn.evals.suites.suite import added, by_kind
from microturn.evals.wer import normal_words
from microturn.turns.timing import HEAR_LAG_MS, turn_of_ms

SCENARIOS = ("count-aloud", "read-aloud", "every-seconds")
LEVEL_DB = (-35.0, -20.0)
"""What a canceller leaves, at its worst: the page's own leaves less."""
DELAY_MS = (60.0, 180.0)
QUIET = "without"
_SLACK_TURNS = 2
"""A word of the user's is written down no later."""


class EchoSuite(FollowingSuite):
    """Its own voice in the microphone."""

    name = "echo"
    summary = "goes on as asked while its own voice comes back to it, and does not take it for the user's"

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        kinds = split(max(len(SCENARIOS), limit // 2), len(SCENARIOS))
        cases = [case for name, n in zip(SCENARIOS, kinds, strict=True) for case in playbook.cases(name, n)]
        echoed = [replace(case, key=f"{case.key}-echo", kind=self.name, echo=_echo(case)) for case in cases]
        return [*echoed, *(replace(case, kind=QUIET) for case in cases)]

    def judge(self, exchange: Exchange) -> Verdict:
        verdict = super().judge(exchange)
        figures = {"own_words_heard": _own_words(exchange), "without_echo": int(exchange.is_without_echo)}
        return replace(verdict, figures={**verdict.figures, **figures})

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rows = by_kind(verdicts)
        echoed, quiet = rows.get(self.name, []), rows.get(QUIET, [])
        figures = {**_figures(echoed, ""), **_figures(quiet, "/without")}
        if any(verdict.figures["without_echo"] for verdict in echoed):
            why = "it was played its part beforehand, and never heard itself: give a model that runs here"
            figures |= {name: metric.not_run(why) for name in _figures(echoed, "")}
        return figures


def _figures(verdicts: Sequence[Verdict], row: str) -> Metrics:
    return {
        f"accuracy{row}": metric.rate([v.is_right for v in verdicts]),
        f"word_accuracy{row}": metric.share(added(verdicts, "words_said"), added(verdicts, "words")),
        f"words_taken_for_the_users{row}": metric.mean([v.figures["own_words_heard"] for v in verdicts], unit="words"),
    }


def _echo(case: Case) -> Echo:
    rng = np.random.default_rng([case.episode.seed, len(case.episode.inputs)])
    return Echo(level_db=float(rng.uniform(*LEVEL_DB)), delay_ms=float(rng.uniform(*DELAY_MS)))


def _own_words(exchange: Exchange) -> int:
    """Words written down after the user has said the last one."""
    ends = [turn_of_ms(word.end_ms + HEAR_LAG_MS) for word in exchange.case.episode.heard]
    last_turn = max(ends, default=0) + _SLACK_TURNS
    return len(normal_words("".join(output.hear for output in exchange.outputs[last_turn:])))
