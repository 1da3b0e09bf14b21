"""Delegation judged with everything real behind it: a coordinator, a backend, and results that come when they come.

What the episode's user says is fixed, and so is what should be asked; what is answered, and when, is the backend's. The
suite ``delegation`` has the same figures for results that are part of the episode.
"""

from microturn.live_evals.delegation.exchange import Arrival, LiveExchange, Wanted
from microturn.live_evals.delegation.scoring import controls, judge, summarise

__all__ = ["Arrival", "LiveExchange", "Wanted", "controls", "judge", "summarise"]
