"""What every suite is: it draws cases, judges each exchange on its own, and sums the verdicts up."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict, reference, rotated
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.subject import AlwaysTalking, Silent, Subject

ControlValues = dict[str, dict[str, float | None]]


class Suite(ABC):
    """One thing that is measured."""

    name: str
    summary: str
    """One line for people."""
    headline: Sequence[str]
    """The metrics that targets are set for."""

    @abstractmethod
    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        """Cases to be answered, about ``limit`` of them."""

    @abstractmethod
    def judge(self, exchange: Exchange) -> Verdict:
        """Looks at one exchange."""

    @abstractmethod
    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        """The suite's figures, headline first."""

    def controls(self, exchanges: Sequence[Exchange], subject: Subject) -> ControlValues:
        """The headline figures of those who must not score, and of the reference that must: no score is free.

        ``reference`` is the episodes' own reply; ``shuffled`` are the subject's answers to other cases.
        """
        del subject  # its answers are in the exchanges
        cases = [exchange.case for exchange in exchanges]
        answers = {
            "reference": [reference(case) for case in cases],
            "silent": _exchanges(cases, Silent()),
            "always-talking": _exchanges(cases, AlwaysTalking()),
        }
        if len(exchanges) > 1:
            answers["shuffled"] = rotated(exchanges)
        return {
            name: headline_values(self.summarise([self.judge(exchange) for exchange in control]), self.headline)
            for name, control in answers.items()
        }


def headline_values(metrics: Metrics, headline: Sequence[str]) -> dict[str, float | None]:
    """The bare values of some metrics, as controls are reported."""
    return {
        name: None if (value := metrics[name].value) is None else round(value, 4)
        for name in headline
        if name in metrics
    }


def unseen(exchange: Exchange) -> dict[str, int]:
    """The figure by which ``if_seen`` knows that the subject was shown no pictures."""
    return {"without_pictures": int(exchange.is_without_pictures)}


def if_seen(metrics: Metrics, verdicts: Sequence[Verdict]) -> Metrics:
    """Figures about what was seen: not run where the subject was shown no pictures."""
    if not added(verdicts, "without_pictures"):
        return metrics
    why = "it was shown no pictures: give a model that runs here"
    return {name: metric.not_run(why, figure.unit) for name, figure in metrics.items()}


def by_kind(verdicts: Sequence[Verdict]) -> Mapping[str, list[Verdict]]:
    """Verdicts by the row they belong to, in order of first appearance."""
    rows: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        rows.setdefault(verdict.kind, []).append(verdict)
    return rows


def pooled(verdicts: Sequence[Verdict], name: str) -> list[float]:
    """All samples of a name."""
    return [value for verdict in verdicts for value in verdict.samples.get(name, ())]


def added(verdicts: Sequence[Verdict], name: str) -> float:
    """A figure added up."""
    return sum(verdict.figures.get(name, 0.0) for verdict in verdicts)


def _exchanges(cases: Sequence[Case], subject: Subject) -> list[Exchange]:
    answers = subject.answer([case.session for case in cases])
    return [Exchange(case=case, outputs=outputs) for case, outputs in zip(cases, answers, strict=True)]
