"""Values over time: those that glide to a new value at a moment, and those that swing to and fro."""

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Values = tuple[float, ...]


class Track:
    """Some numbers, each gliding to where it was last sent."""

    def __init__(self, *values: float) -> None:
        self._sent: list[tuple[float, float, Values, Values]] = []  # from_ms, glide_ms, from, to
        self._first = values

    def send(self, at_ms: float, *values: float, glide_ms: float = 0.0) -> None:
        """From ``at_ms`` on, glide to ``values``. Calls come in order of time."""
        assert not self._sent or at_ms >= self._sent[-1][0], "a track is written in order of time"
        self._sent.append((at_ms, glide_ms, self.at(at_ms), values))

    def at(self, time_ms: float) -> Values:
        """The values at a time."""
        sent = self._latest(time_ms)
        if sent is None:
            return self._first
        at_ms, glide_ms, before, after = sent
        if time_ms >= at_ms + glide_ms:
            return after
        share = (time_ms - at_ms) / glide_ms
        share = share * share * (3 - 2 * share)
        return tuple(a + (b - a) * share for a, b in zip(before, after, strict=True))

    def is_gliding_at(self, time_ms: float) -> bool:
        """Whether it is on its way somewhere."""
        sent = self._latest(time_ms)
        if sent is None:
            return False
        at_ms, glide_ms, before, after = sent
        return time_ms < at_ms + glide_ms and before != after

    def _latest(self, time_ms: float) -> tuple[float, float, Values, Values] | None:
        """Where it was last sent before a time; None if nowhere yet."""
        place = bisect.bisect_right(self._sent, time_ms, key=lambda sent: sent[0])
        return self._sent[place - 1] if place else None

    @property
    def last(self) -> Values:
        """Where it ends up."""
        return self._sent[-1][3] if self._sent else self._first


Wave = Callable[[float], float]
"""Share of a repetition, 0 to 1, to how far out it is: 0 at both ends, 1 at the most."""


def _hold(share: float) -> float:
    return min(1.0, 3.2 * share, 3.2 * (1 - share))


def _snap(share: float) -> float:
    return share / 0.25 if share < 0.25 else (1 - share) / 0.75


def _late(share: float) -> float:
    return share / 0.7 if share < 0.7 else (1 - share) / 0.3


WAVES: dict[str, Wave] = {
    "sine": lambda share: (1 - math.cos(2 * math.pi * share)) / 2,
    "triangle": lambda share: 1 - abs(2 * share - 1),
    "hold": _hold,
    "snap": _snap,
    "late": _late,
    "arch": lambda share: math.sin(math.pi * share),
}
"""Shapes of a repetition, by name; ``split.WAVES`` says which side each is on."""


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """Repetitions of a movement, each with its own length."""

    starts_ms: Sequence[float]
    ends_ms: Sequence[float]
    wave: Wave

    def share_at(self, time_ms: float) -> float | None:
        """How much of a repetition is over, 0 to 1; None between them."""
        place = bisect.bisect_right(self.starts_ms, time_ms) - 1
        if place < 0 or time_ms >= self.ends_ms[place]:
            return None
        return (time_ms - self.starts_ms[place]) / (self.ends_ms[place] - self.starts_ms[place])
