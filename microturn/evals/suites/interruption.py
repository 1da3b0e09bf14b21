"""``interruption``: the user speaks up while the model counts or reminds: stop, go on, start again, skip, slower.

``stop_rate``: of the times the user says "stop", the share in which the reply's sound has ended within 400 ms of the
stopping word's end, in playback time, and stays away until ``quiet_until_ms`` or until something new is expected. A
reply that had not begun the task has nothing to stop, and fails. ``stop_ms``: the median time from the word's end to
the end of the sound, over the times in which there was sound after the word's end. ``success``: the reply stopped if
asked to, and everything from the interruption on is as expected (see ``follow``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from microturn.data.episode import Episode, Stop
from microturn.data.stage import WINDOW_EARLY_MS
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.follow import STOP_WITHIN_MS, Followed, follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.spoken import ring_ms, speaks
from microturn.evals.suites.suite import Suite, added, by_kind, pooled
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS, turn_start_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    """What became of one "stop"."""

    stop_ms: float
    """From the end of the word to the end of the sound; 0 if there was none."""
    was_at_work: bool
    """Whether an expected word had been said before."""

    @property
    def is_obeyed(self) -> bool:
        return self.was_at_work and self.stop_ms <= STOP_WITHIN_MS


class InterruptionSuite(Suite):
    """Stopping and changing course."""

    name = "interruption"
    summary = "stops, goes on, starts again, skips, slows down and speeds up when told to in mid-task"
    headline = ("stop_rate", "stop_ms", "success")

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        num_reminding = limit // 5
        counting = playbook.cases(
            "count-aloud", max(1, limit - num_reminding), accept=lambda episode: interruption_ms(episode) is not None
        )
        reminding = playbook.cases("every-seconds", num_reminding)
        return [
            Case(key=case.key, kind=kind_of(case.episode), episode=case.episode) for case in (*counting, *reminding)
        ]

    def judge(self, exchange: Exchange) -> Verdict:
        episode = exchange.case.episode
        followed = follow(episode, exchange.outputs)
        from_ms = interruption_ms(episode)
        afterwards = followed.after(0.0 if from_ms is None else from_ms)
        stoppings = [stopping(episode, stop, exchange.outputs, followed) for stop in episode.stops]
        was_at_work = _has_met(followed, before_ms=episode.duration_ms if from_ms is None else from_ms)
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=was_at_work and afterwards.is_right and all(s.is_obeyed for s in stoppings),
            problems=(*([] if was_at_work else ["was not at work"]), *stop_problems(stoppings), *afterwards.problems),
            figures={"stops": len(stoppings), "stops_obeyed": sum(s.is_obeyed for s in stoppings)},
            samples={"stop_ms": [s.stop_ms for s in stoppings if s.was_at_work and s.stop_ms > 0]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        return {
            "stop_rate": metric.share(added(verdicts, "stops_obeyed"), added(verdicts, "stops")),
            "stop_ms": metric.median(pooled(verdicts, "stop_ms")),
            "success": metric.rate([v.is_right for v in verdicts]),
            **{f"success/{kind}": metric.rate([v.is_right for v in row]) for kind, row in by_kind(verdicts).items()},
        }


def interruption_ms(episode: Episode) -> float | None:
    """Media time at which the user first speaks up after the task has begun to be heard, or None."""
    if not episode.expectations:
        return None
    begun_ms = min(e.from_ms for e in episode.expectations) + WINDOW_EARLY_MS + TURN_MS
    return min((word.start_ms for word in episode.heard if word.start_ms > begun_ms), default=None)


def kind_of(episode: Episode) -> str:
    """What the interruption asks for, told from the episode's shape."""
    if not episode.stops:
        return "change of pace"
    first_stop_ms = min(stop.word_end_ms for stop in episode.stops)
    speaks_later = any(e.from_ms + WINDOW_EARLY_MS > first_stop_ms for e in episode.expectations)
    if speaks_later:
        return "stop and resume"
    changed_ms = interruption_ms(episode)
    return "stop" if changed_ms is None or first_stop_ms - changed_ms < 2_000 else "skip"


def stopping(episode: Episode, stop: Stop, outputs: Sequence[MicroTurnOutput], followed: Followed) -> Stopping:
    """Measures one "stop"."""
    resumed_ms = [e.from_ms for e in episode.expectations if e.from_ms + WINDOW_EARLY_MS > stop.word_end_ms]
    until_ms = min([stop.quiet_until_ms, *resumed_ms])
    speaking = [k for k, output in enumerate(outputs) if speaks(output) and turn_start_ms(k) < until_ms]
    end_turn = speaking[-1] + 1 if speaking else 0
    sound_end_ms = turn_start_ms(end_turn) + ring_ms(outputs, end_turn) + TURN_MS if speaking else 0.0
    return Stopping(
        stop_ms=max(0.0, sound_end_ms - stop.word_end_ms),
        was_at_work=_has_met(followed, before_ms=stop.word_end_ms),
    )


def stop_problems(stoppings: Sequence[Stopping]) -> list[str]:
    """What is wrong with the stops, for people."""
    return [
        f"sound ended {s.stop_ms:.0f} ms after 'stop'" if s.was_at_work else "there was nothing to stop"
        for s in stoppings
        if not s.is_obeyed
    ]


def _has_met(followed: Followed, before_ms: float) -> bool:
    """Whether a demanded phrase was begun before a reply time."""
    return any(
        met and demand.is_opening and demand.is_expected and demand.from_ms + WINDOW_EARLY_MS < before_ms
        for demand, met in zip(followed.demands, followed.is_met, strict=True)
    )
