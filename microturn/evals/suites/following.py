"""Suites of one scenario each, right when the reply is as expected: all words, in order, in time, and no others.

``repeat``: the words that the user asks to be repeated. ``text``: what is typed, or reported by the background model,
read aloud, whoever talks meanwhile. ``background-sound``: counting goes on through backchannels, talk with others and
recordings. ``correction``: what the user takes back is dropped, and what was meant last is done.
"""

from collections.abc import Sequence

from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict, response_latency_ms
from microturn.evals.follow import follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.suites.suite import Suite, added, pooled


class FollowingSuite(Suite):
    """A scenario whose reply is followed word by word."""

    scenario: str
    headline = ("accuracy",)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        return playbook.cases(self.scenario, limit)

    def judge(self, exchange: Exchange) -> Verdict:
        followed = follow(exchange.case.episode, exchange.outputs)
        latency_ms = response_latency_ms(exchange)
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=followed.is_right,
            problems=followed.problems,
            figures={"words": followed.num_demanded, "words_said": followed.num_met},
            samples={} if latency_ms is None else {"latency_ms": [latency_ms]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        return {
            "accuracy": metric.rate([v.is_right for v in verdicts]),
            "word_accuracy": metric.share(added(verdicts, "words_said"), added(verdicts, "words")),
            "latency_ms": metric.median(pooled(verdicts, "latency_ms")),
        }


class RepeatSuite(FollowingSuite):
    """Repeat after me."""

    name = "repeat"
    scenario = "repeat-after-me"
    summary = "repeats numbers, words and sentences after the user"


class TextSuite(FollowingSuite):
    """Text in."""

    name = "text"
    scenario = "read-aloud"
    summary = "reads aloud what is typed and what the background model reports"


class BackgroundSoundSuite(FollowingSuite):
    """Not every sound is for the model."""

    name = "background-sound"
    scenario = "keep-going"
    summary = "counts on through backchannels, talk with others and recordings"


class CorrectionSuite(FollowingSuite):
    """The task goes on as corrected."""

    name = "correction"
    scenario = "change-of-mind"
    summary = "does what was meant last when the user takes something back, while asking or in mid-task"
