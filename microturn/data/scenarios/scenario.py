"""What every scenario is."""

from collections.abc import Callable
from dataclasses import dataclass

from microturn.data.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One behaviour."""

    name: str
    summary: str
    """One line for people."""
    play: Callable[[Stage, float], float]
    """Plays on a stage from a media time on; returns the media time at which it is over (both in ms)."""
    weight: float = 1.0
    """Share of the training mix, relative to the others."""
    needs_sight: bool = False
    """Only in the mix of a model that can see."""
