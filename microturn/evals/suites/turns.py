"""``turns``: takes the turn when the user is done, and only then (after Full-Duplex-Bench v1).

A *request* is a stretch of the user's speech that is to be answered. ``take_rate``: the share of requests after which
something is said within ``LONGEST_LATENCY_MS``. ``latency_ms``: the median time from the end of a request to the first
sound, in playback time, 0 for a reply that began before. ``pause_takeover``: the share of pauses within requests in
which anything is said; pauses are silences of at least ``PAUSE_MS`` between two words. ``quiet_rate``: the share of
stretches that ask for nothing and get nothing. ``accuracy``: the share of examples whose reply follows, with the
corrected value where the user started falsely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from microturn.data.episode import Episode, Quiet
from microturn.data.stage import WINDOW_EARLY_MS
from microturn.evals import metric
from microturn.evals.exchange import LONGEST_LATENCY_MS, Case, Exchange, Verdict
from microturn.evals.follow import follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.spoken import Sound, sounds
from microturn.evals.suites.suite import Suite, added, pooled
from microturn.turns.micro_turn import MicroTurnOutput

PAUSE_MS = 400
_Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A turn of the user's, in media time."""

    start_ms: float
    end_ms: float
    """End of its last word."""
    until_ms: float
    """Until when it matters what is said: the next turn, or so long after a stretch that asks for nothing."""
    pauses: tuple[_Span, ...]
    is_request: bool


class TurnsSuite(Suite):
    """Whose turn it is."""

    name = "turns"
    summary = "answers promptly, waits through pauses, ums and false starts, says nothing when nothing is asked"
    headline = ("take_rate", "latency_ms", "pause_takeover")

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        return playbook.cases("take-turns", limit)

    def judge(self, exchange: Exchange) -> Verdict:
        followed = follow(exchange.case.episode, exchange.outputs)
        stretches = stretches_of(exchange.case.episode)
        requests = [stretch for stretch in stretches if stretch.is_request]
        latencies_ms = [ms for s in requests if (ms := latency_ms(s, exchange.outputs)) is not None]
        pauses = [pause for stretch in requests for pause in stretch.pauses]
        others = [stretch for stretch in stretches if not stretch.is_request]
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=followed.is_right,
            problems=followed.problems,
            figures={
                "requests": len(requests),
                "taken": len(latencies_ms),
                "pauses": len(pauses),
                "taken_over": sum(sounds_within(pause, exchange.outputs) for pause in pauses),
                "others": len(others),
                "quiet": sum(not sounds_within((s.start_ms, s.until_ms), exchange.outputs) for s in others),
            },
            samples={"latency_ms": latencies_ms},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        return {
            "take_rate": metric.share(added(verdicts, "taken"), added(verdicts, "requests")),
            "latency_ms": metric.median(pooled(verdicts, "latency_ms")),
            "pause_takeover": metric.share(added(verdicts, "taken_over"), added(verdicts, "pauses")),
            "quiet_rate": metric.share(added(verdicts, "quiet"), added(verdicts, "others")),
            "accuracy": metric.rate([v.is_right for v in verdicts]),
        }


def stretches_of(episode: Episode) -> list[Stretch]:
    """The user's turns, told from the windows in which the reply should be silent."""
    quiets = sorted(episode.quiets, key=lambda quiet: quiet.from_ms)
    ends_ms = [*(quiet.from_ms for quiet in quiets[1:]), float(episode.duration_ms)]
    return [_stretch(episode, quiet, until_ms) for quiet, until_ms in zip(quiets, ends_ms, strict=True)]


def _stretch(episode: Episode, quiet: Quiet, until_ms: float) -> Stretch:
    words = [word for word in episode.heard if quiet.from_ms <= word.start_ms < quiet.to_ms]
    is_request = any(abs(e.from_ms + WINDOW_EARLY_MS - quiet.to_ms) < 1 for e in episode.expectations)
    gaps = [(before.end_ms, after.start_ms) for before, after in pairwise(words)]
    return Stretch(
        start_ms=quiet.from_ms,
        end_ms=max((word.end_ms for word in words), default=quiet.from_ms),
        until_ms=until_ms if is_request else quiet.to_ms,
        pauses=tuple((start, end) for start, end in gaps if end - start >= PAUSE_MS),
        is_request=is_request,
    )


def latency_ms(request: Stretch, outputs: Sequence[MicroTurnOutput]) -> float | None:
    """From the end of a request to the first sound that is heard after it; None if none comes in time."""
    for sound in sounds(outputs):
        if sound.playback_end_ms > request.end_ms:
            latency = max(0.0, sound.playback_start_ms - request.end_ms)
            is_in_time = latency <= LONGEST_LATENCY_MS and sound.playback_start_ms < request.until_ms
            return latency if is_in_time else None
    return None


def sounds_within(span: _Span, outputs: Sequence[MicroTurnOutput]) -> bool:
    """Whether anything is heard in a span of playback time."""
    return any(_overlaps(sound, span) for sound in sounds(outputs))


def _overlaps(sound: Sound, span: _Span) -> bool:
    return sound.playback_start_ms < span[1] and sound.playback_end_ms > span[0]
