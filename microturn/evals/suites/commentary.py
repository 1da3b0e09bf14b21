"""``commentary``: names each change when it happens, and says nothing in between.

``f1``: an utterance is right if it names a change within a second of its being plain to see (and not more than half a
second before: a change may show earlier than it is plain); any other is wrong, and so is every change that is not
named. The acknowledgement of the request is neither. ``lag_ms``: the median time from a change to its utterance.
Not run for a subject that is shown no pictures.
"""

from collections.abc import Sequence
from dataclasses import replace

from microturn.evals import metric
from microturn.evals.answers import utterances
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.suites.suite import Suite, added, if_seen, pooled, unseen
from microturn.evals.watching import matched
from microturn.evals.wer import normal_words

EARLY_MS, LATE_MS = 500, 1_000
ACKNOWLEDGEMENTS = frozenset(("okay", "sure", "yes", "all", "right", "of", "course", "will", "do"))


class CommentarySuite(Suite):
    """Naming what changes."""

    name = "commentary"
    summary = "names each change that it sees within a second, and keeps quiet in between"
    headline = ("f1", "lag_ms")

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        return playbook.cases("commentary", limit)

    def judge(self, exchange: Exchange) -> Verdict:
        moments = exchange.case.episode.moments
        said = [u for u in utterances(exchange.outputs) if not set(normal_words(u.text)) <= ACKNOWLEDGEMENTS]
        pairs = matched(said, moments, EARLY_MS, LATE_MS)
        named = [moment for moment, _ in pairs]
        answering = [utterance for _, utterance in pairs]
        problems = [
            *(f"'{m.label}' at {m.from_ms / 1000:.1f} s was not named" for m in moments if m not in named),
            *(f"'{u.text}' at {u.start_ms / 1000:.1f} s named nothing" for u in said if u not in answering),
        ]
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=not problems,
            problems=problems,
            figures={"moments": len(moments), "utterances": len(said), "named": len(pairs), **unseen(exchange)},
            samples={"lag_ms": [utterance.start_ms - moment.from_ms for moment, utterance in pairs]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        twice = [2 * v.figures["named"] for v in verdicts]
        total = [v.figures["moments"] + v.figures["utterances"] for v in verdicts]
        num_moments = added(verdicts, "moments")
        figures = {
            "f1": replace(metric.ratio(twice, total), count=round(num_moments)),
            "lag_ms": metric.median(pooled(verdicts, "lag_ms")),
            "named": metric.share(added(verdicts, "named"), num_moments),
        }
        return if_seen(figures, verdicts)
