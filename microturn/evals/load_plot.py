"""The figures of ``bench load`` over the number of sessions, as a picture."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from microturn.errors import MissingDependencyError
from microturn.evals.report import SuiteReport
from microturn.turns.timing import PLAYOUT_OFFSET_MS, TURN_MS

_PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "response, ms",
        "from the end of a request to the first sound",
        (("response_ms_p50", "p50"), ("response_ms_p95", "p95")),
    ),
    ("micro-turn, ms", "from when it could run to its release", (("turn_ms_p50", "p50"), ("turn_ms_p99", "p99"))),
    (
        "share",
        "what was missed",
        (("missed_deadlines", "late micro-turns"), ("refused", "sessions refused"), ("unanswered", "unanswered")),
    ),
)


def check_picture(picture: Path) -> None:
    """See that a plot could be drawn, before anything is measured for it.

    Raises:
        MissingDependencyError: matplotlib is absent.
        ValueError: no such kind of picture.
    """
    if find_spec("matplotlib") is None:
        raise MissingDependencyError("a plot needs matplotlib: pip install 'microturn[train]'")
    if picture.suffix not in (".png", ".svg"):
        raise ValueError(f"{picture} is neither .png nor .svg: choose one of the two")


def draw_load(levels: Mapping[int, SuiteReport], picture: Path) -> None:
    """Draw the levels of one run; the file's ending says which kind of picture, ``.png`` or ``.svg``.

    Args:
        levels: Figures by number of sessions.

    Raises:
        MissingDependencyError, ValueError: as ``check_picture``.
    """
    check_picture(picture)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(_PANELS), figsize=(4 * len(_PANELS), 3.2), layout="constrained")
    for axis, (unit, title, lines) in zip(axes, _PANELS, strict=True):
        for name, label in lines:
            points = _points(levels, name)
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=label)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("sessions", fontsize=8)
        axis.set_ylabel(unit, fontsize=8)
        axis.set_xticks(sorted(levels))
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.2)
        axis.legend(fontsize=8)
    axes[1].axhline(PLAYOUT_OFFSET_MS, linestyle="--", linewidth=0.8, color="grey")
    axes[1].axhline(TURN_MS, linestyle=":", linewidth=0.8, color="grey")
    _mark_overload(axes[1], levels)
    picture.parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(picture, dpi=110)
    finally:
        pyplot.close(figure)


def _points(levels: Mapping[int, SuiteReport], name: str) -> list[tuple[int, float]]:
    """Figures that were measured, by number of sessions."""
    values = {count: _value(level, name) for count, level in sorted(levels.items())}
    return [(count, value) for count, value in values.items() if value is not None]


def _value(level: SuiteReport, name: str) -> float | None:
    if name == "unanswered":
        answered = _value(level, "answered")
        return None if answered is None else 1 - answered
    metric = level.metrics.get(name)
    return None if metric is None else metric.value


def _mark_overload(axis: Any, levels: Mapping[int, SuiteReport]) -> None:
    """Where the engine degraded: the highest step, above its number of sessions."""
    for count, level in levels.items():
        rung = _value(level, "highest_overload_rung") or 0
        if rung:
            axis.annotate(f"step {rung:.0f}", (count, axis.get_ylim()[1]), fontsize=7, ha="center", va="top")
