"""A measured figure with its count, interval and unit, and the usual ways to get one."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microturn.evals import confidence
from microturn.evals.confidence import Interval

FRACTION, MILLISECONDS = "fraction", "ms"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One figure of a suite."""

    value: float | None
    """None: not run, or nothing to measure. Such a figure passes no target."""
    count: int
    """Over how many examples, words or turns."""
    unit: str
    ci95: Interval | None = None
    note: str = ""
    """Why there is no value, or how it was come by."""

    def to_json(self) -> dict[str, Any]:
        """The form of the result file."""
        ci95 = None if self.ci95 is None else [round(bound, 4) for bound in self.ci95]
        value = None if self.value is None else round(self.value, 4)
        return {"value": value, "count": self.count, "ci95": ci95, "unit": self.unit} | (
            {"note": self.note} if self.note else {}
        )


Metrics = dict[str, Metric]


def not_run(why: str, unit: str = FRACTION) -> Metric:
    """A figure that could not be taken."""
    return Metric(value=None, count=0, unit=unit, note=f"not run: {why}")


def rate(flags: Sequence[bool]) -> Metric:
    """The share of examples that are right."""
    return share(sum(flags), len(flags))


def share(part: float, whole: float) -> Metric:
    """A part of a whole number of things."""
    count = round(whole)
    if count < 1:
        return Metric(value=None, count=0, unit=FRACTION, note="nothing to measure")
    return Metric(value=part / whole, count=count, unit=FRACTION, ci95=confidence.wilson(part / whole, count))


def macro_rate(flags_by_kind: Mapping[str, Sequence[bool]]) -> Metric:
    """The mean over kinds of each kind's share of right examples, with the interval of that many examples."""
    kinds = [flags for flags in flags_by_kind.values() if flags]
    if not kinds:
        return rate(())
    value = sum(sum(flags) / len(flags) for flags in kinds) / len(kinds)
    count = sum(map(len, kinds))
    return Metric(value=value, count=count, unit=FRACTION, ci95=confidence.wilson(value, count))


def ratio(parts: Sequence[float], wholes: Sequence[float]) -> Metric:
    """A sum over a sum, one pair an example: a word error rate. The count is the sum of the wholes."""
    whole = sum(wholes)
    if whole <= 0:
        return Metric(value=None, count=0, unit=FRACTION, note="nothing to measure")
    interval = confidence.of_ratio(parts, wholes)
    return Metric(value=sum(parts) / whole, count=round(whole), unit=FRACTION, ci95=interval)


def mean(values: Sequence[float], unit: str = FRACTION) -> Metric:
    """The mean of a score that each example has."""
    if not values:
        return Metric(value=None, count=0, unit=unit, note="nothing to measure")
    interval = confidence.of_ratio(values, [1.0] * len(values))
    return Metric(value=sum(values) / len(values), count=len(values), unit=unit, ci95=interval)


def median(values: Sequence[float], unit: str = MILLISECONDS) -> Metric:
    """The middle value."""
    if not values:
        return Metric(value=None, count=0, unit=unit, note="nothing to measure")
    return Metric(value=statistics.median(values), count=len(values), unit=unit, ci95=confidence.of_median(values))


def percentile(values: Sequence[float], percent: float, unit: str = MILLISECONDS) -> Metric:
    """The value that this share of the values does not exceed."""
    if not values:
        return Metric(value=None, count=0, unit=unit, note="nothing to measure")
    return Metric(
        value=float(np.percentile(values, percent)),
        count=len(values),
        unit=unit,
        ci95=confidence.of_percentile(values, percent),
    )
