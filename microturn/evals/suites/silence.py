"""``silence``: nothing is said through silence, noise and talk that is meant for somebody else.

``accuracy`` is the share of such episodes without any sound from start to end. It would be free for a model that never
speaks; ``answer_rate``, the share of real requests that get any answer within three seconds, is measured beside it.
``quiet_turns`` is the share of micro-turns kept silent, over all that should be, those of listening to a request too.
"""

from collections.abc import Sequence

from microturn.data.episode import Episode
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict, response_latency_ms
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.spoken import speaks
from microturn.evals.suites.suite import Suite, added
from microturn.turns.timing import TURN_MS, turn_start_ms

NOT_MEANT, ASKED = "not meant for it", "asked"
_ASKING = ("count-aloud", "every-seconds", "in-seconds", "repeat-after-me")


class SilenceSuite(Suite):
    """Not speaking."""

    name = "silence"
    summary = "says nothing through silence, noise and talk not meant for it, and does answer when asked"
    headline = ("accuracy", "answer_rate")

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        asked = zip(_ASKING, split(limit // 3, len(_ASKING)), strict=True)
        return [
            *playbook.cases("not-for-me", limit, kind=NOT_MEANT),
            *(case for name, count in asked for case in playbook.cases(name, count, kind=ASKED)),
        ]

    def judge(self, exchange: Exchange) -> Verdict:
        turns, broken = quiet_turns(exchange.case.episode), broken_turns(exchange)
        is_answered = response_latency_ms(exchange) is not None
        problems = [f"spoke at {turn_start_ms(k) / 1000:.1f} s" for k in broken[:3]]
        if is_asked := exchange.case.kind == ASKED:
            problems += [] if is_answered else ["did not answer"]
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=is_answered if is_asked else not broken,
            problems=problems,
            figures={"turns": len(turns), "turns_broken": len(broken)},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        turns = added(verdicts, "turns")
        return {
            "accuracy": metric.rate([v.is_right for v in verdicts if v.kind == NOT_MEANT]),
            "answer_rate": metric.rate([v.is_right for v in verdicts if v.kind == ASKED]),
            "quiet_turns": metric.share(turns - added(verdicts, "turns_broken"), turns),
        }


def quiet_turns(episode: Episode) -> list[int]:
    """Turns in which the reply should be silent: those wholly inside a quiet window; all, if nothing is expected."""
    num_turns = len(episode.inputs)
    if not (episode.expectations or episode.said):
        return list(range(num_turns))
    return [
        k
        for k in range(num_turns)
        if any(q.from_ms <= turn_start_ms(k) and turn_start_ms(k) + TURN_MS <= q.to_ms for q in episode.quiets)
    ]


def broken_turns(exchange: Exchange) -> list[int]:
    """Those of the ``quiet_turns`` in which the reply speaks."""
    return [k for k in quiet_turns(exchange.case.episode) if speaks(exchange.outputs[k])]
