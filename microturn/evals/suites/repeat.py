"""``repeat``: the words the user asks to be repeated come back, all of them, in order, at once, and no others."""

from collections.abc import Sequence

from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict, response_latency_ms
from microturn.evals.follow import follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.suites.suite import Suite, added, pooled


class RepeatSuite(Suite):
    """Repeat after me."""

    name = "repeat"
    summary = "repeats numbers, words and sentences after the user"
    headline = ("accuracy",)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        return playbook.cases("repeat-after-me", limit)

    def judge(self, exchange: Exchange) -> Verdict:
        followed = follow(exchange.case.episode, exchange.outputs)
        latency_ms = response_latency_ms(exchange)
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=followed.is_right,
            problems=followed.problems,
            figures={"words": followed.num_demanded, "words_repeated": followed.num_met},
            samples={} if latency_ms is None else {"latency_ms": [latency_ms]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        return {
            "accuracy": metric.rate([v.is_right for v in verdicts]),
            "word_accuracy": metric.share(added(verdicts, "words_repeated"), added(verdicts, "words")),
            "latency_ms": metric.median(pooled(verdicts, "latency_ms")),
        }
