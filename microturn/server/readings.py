"""Figures that are read off when somebody asks: how much waits where, and what engine and background have counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from microturn.errors import CapacityError, SessionClosedError
from microturn.server.depths import Depths
from microturn.server.engine_port import Counting


class Deep(Protocol):
    """A session in which something may wait."""

    def depths(self) -> Depths:
        """How much it is now."""
        ...


class Describing(Protocol):
    """A background that counts."""

    def describe(self) -> Mapping[str, Any]:
        """The figures of now."""
        ...


class Readings(Collector):
    """Reads engine, background and sessions. ``refresh`` asks the engine; the rest is read as it is written out."""

    def __init__(self) -> None:
        self._engine: Counting | None = None
        self._background: Describing | None = None
        self._sessions: Callable[[], Iterable[Deep]] = tuple
        self._counts: Mapping[str, Any] = {}

    def watch(
        self, engine: Counting | None, background: Describing | None, sessions: Callable[[], Iterable[Deep]]
    ) -> None:
        """From now on read these."""
        self._engine, self._background, self._sessions = engine, background, sessions

    async def refresh(self) -> None:
        """Ask the engine for its counts. One that is overrun or closed leaves those of the last time."""
        if self._engine is not None:
            try:
                self._counts = await self._engine.counts()
            except (CapacityError, SessionClosedError):
                return

    def collect(self) -> Iterator[Metric]:
        """Everything, in Prometheus' families; what is not there has no samples."""
        yield from self._waiting()
        yield from self._of_engine()
        yield from self._of_background(self._background.describe() if self._background is not None else {})

    def _waiting(self) -> Iterator[Metric]:
        depths = [session.depths() for session in self._sessions()]
        held_s = [each.held_audio_ms / 1000 for each in depths]
        yield from _sum_and_most("held_audio", "_seconds", "Sound of users that came ahead of its time", held_s)
        events = [each.outbox_events for each in depths]
        yield from _sum_and_most("outbox", "_events", "Events that clients have not taken yet", events)
        turns = [each.unplayed_turns for each in depths]
        yield from _sum_and_most("unplayed", "_turns", "Micro-turns that wait for their time to be played", turns)

    def _of_engine(self) -> Iterator[Metric]:
        counts = self._counts
        gauges = {
            "overload_rung": ("overload_rung", "Step of the ladder of degradation in force; 0: none."),
            "parked_sessions": ("num_parked_sessions", "Sessions in memory whose client is away."),
            "waiting_events": ("num_waiting_events", "Text events that no micro-turn has taken yet."),
            "waiting_snapshots": ("num_waiting_snapshots", "Snapshots of states that are still to be written."),
        }
        for name, (key, what) in gauges.items():
            yield _gauge(name, what, counts.get(key))
        counters = {
            "batches": ("num_batches", "Batches of micro-turns run."),
            "refused_sessions": ("num_refused_sessions", "Sessions that the engine had no room for."),
            "failed_snapshots": ("num_failed_snapshots", "Snapshots of states that could not be written."),
        }
        for name, (key, what) in counters.items():
            yield _counter(name, what, counts.get(key))
        climbs = counts.get("overload_climbs", {})
        yield _labelled("overload_climbs", "Steps of the ladder taken, by the step reached.", "rung", climbs)

    def _of_background(self, told: Mapping[str, Any]) -> Iterator[Metric]:
        running = GaugeMetricFamily("microturn_background_jobs", "Jobs of the background now.", labels=["state"])
        for state in ("waiting", "running"):
            if state in told:
                running.add_metric([state], told[state])
        yield running
        ended, dropped = _with_prefix(told, "ended_"), _with_prefix(told, "dropped_")
        yield _labelled("background_jobs_ended", "Jobs that are over, by how they ended.", "state", ended)
        yield _labelled("background_dropped", "Acts and answers not wanted any more, by reason.", "reason", dropped)
        summaries = {by: told[key] for by, key in (("model", "summaries"), ("excerpt", "excerpts")) if key in told}
        yield _labelled("background_summaries", "Summaries of old text, by who wrote them.", "by", summaries)


def _sum_and_most(name: str, unit: str, what: str, of_sessions: list[float] | list[int]) -> Iterator[Metric]:
    yield _gauge(f"{name}{unit}", f"{what}: all sessions.", sum(of_sessions))
    yield _gauge(f"{name}_most{unit}", f"{what}: the session with most.", max(of_sessions, default=0))


def _gauge(name: str, what: str, value: float | None) -> Metric:
    return GaugeMetricFamily(f"microturn_{name}", what, value=value)


def _counter(name: str, what: str, value: float | None) -> Metric:
    return CounterMetricFamily(f"microturn_{name}", what, value=value)


def _labelled(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"microturn_{name}", what, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)
    return family


def _with_prefix(told: Mapping[str, Any], prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in told.items() if name.startswith(prefix)}
