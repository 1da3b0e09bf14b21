"""``count``: counts repetitions that it sees aloud, while they happen (after RepCount, streaming).

``obo``: the share of clips in which the last number heard after the penultimate repetition is off by at most one.
``exact``: by nothing. ``lag_ms``: the median time from a repetition's end to its number. Real clips are a row of their
own: people who repeat one sign, by looping. Not run for a subject that is shown no pictures.
"""

from collections.abc import Sequence

from microturn.data.episode import Moment
from microturn.evals import metric
from microturn.evals.answers import numbers
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.spoken import spoken_words
from microturn.evals.suites.sight import NO_FILMS, has_films
from microturn.evals.suites.suite import Suite, if_seen, pooled, unseen
from microturn.evals.watching import last_count
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS

RENDERED, FILMED = "count-repetitions", "count-filmed"


class CountSuite(Suite):
    """Counting what is seen."""

    name = "count"
    summary = "counts the repetitions of a movement aloud while it happens"
    headline = ("obo",)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        filmed = playbook.cases(FILMED, max(1, limit // 3)) if has_films(playbook) else []
        return [*playbook.cases(RENDERED, limit), *filmed]

    def judge(self, exchange: Exchange) -> Verdict:
        repetitions = exchange.case.episode.moments
        count, true = last_count(exchange.outputs, repetitions), len(repetitions)
        is_near = count is not None and abs(count - true) <= 1
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=is_near,
            problems=[] if is_near else [f"{count if count is not None else 'no number'} for {true} repetitions"],
            figures={"exact": count == true, **unseen(exchange)},
            samples={"lag_ms": lags_ms(exchange.outputs, repetitions)},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rendered, filmed = ([v for v in verdicts if v.kind == kind] for kind in (RENDERED, FILMED))
        figures = {
            "obo": metric.rate([v.is_right for v in rendered]),
            "exact": metric.rate([bool(v.figures["exact"]) for v in rendered]),
            "lag_ms": metric.median(pooled(rendered, "lag_ms")),
            "obo/real-video": metric.rate([v.is_right for v in filmed]) if filmed else metric.not_run(NO_FILMS),
        }
        return if_seen(figures, verdicts)


def lags_ms(outputs: Sequence[MicroTurnOutput], repetitions: Sequence[Moment]) -> list[float]:
    """From each repetition's end to the first time its number is heard, where that is within its neighbours."""
    heard = [(number, start_ms + TURN_MS) for number, start_ms in numbers(spoken_words(outputs))]
    lags: list[float] = []
    for index, repetition in enumerate(repetitions, start=1):
        length_ms = repetition.to_ms - repetition.from_ms
        times = [ms - repetition.to_ms for number, ms in heard if number == index and ms >= repetition.from_ms]
        lags += [lag for lag in times[:1] if lag <= 2 * length_ms]
    return lags
