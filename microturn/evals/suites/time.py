"""``time``: the right words at the right time, and no others (after TimeSpeak).

Counting at a pace, saying something every so many seconds, saying something once in so many seconds. An example is
right if every expected word is spoken, every phrase begins in its window, and nothing else is said. Accuracy is the
mean over the three kinds.
"""

from collections.abc import Sequence

from microturn.data.episode import Episode
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict, response_latency_ms
from microturn.evals.follow import follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.suites.interruption import interruption_ms
from microturn.evals.suites.suite import Suite, added, by_kind, pooled


class TimeSuite(Suite):
    """Words and windows."""

    name = "time"
    summary = "counts at a pace, says something every so often, says something in so many seconds"
    headline = ("accuracy",)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        counting, every, once = split(limit, 3)
        return [
            *playbook.cases("count-aloud", counting, accept=is_undisturbed),
            *playbook.cases("every-seconds", every),
            *playbook.cases("in-seconds", once),
        ]

    def judge(self, exchange: Exchange) -> Verdict:
        followed = follow(exchange.case.episode, exchange.outputs)
        latency_ms = response_latency_ms(exchange)
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=followed.is_right,
            problems=followed.problems,
            figures={"words": followed.num_demanded, "words_in_time": followed.num_met, "extras": len(followed.extras)},
            samples={} if latency_ms is None else {"latency_ms": [latency_ms]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rows = by_kind(verdicts)
        return {
            "accuracy": metric.macro_rate({kind: [v.is_right for v in row] for kind, row in rows.items()}),
            **{f"accuracy/{kind}": metric.rate([v.is_right for v in row]) for kind, row in rows.items()},
            "words_in_time": metric.share(added(verdicts, "words_in_time"), added(verdicts, "words")),
            "latency_ms": metric.median(pooled(verdicts, "latency_ms")),
        }


def is_undisturbed(episode: Episode) -> bool:
    """Nobody changes the task while it runs."""
    return interruption_ms(episode) is None
