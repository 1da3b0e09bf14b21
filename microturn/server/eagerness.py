"""How readily the model begins to speak: what clients call low, auto and high, in the engine's terms."""

from typing import Literal

Eagerness = Literal["low", "medium", "auto", "high"]

RESTRAINT: dict[Eagerness, float] = {"low": 1.0, "medium": 0.0, "auto": 0.0, "high": -1.0}
"""In nats, by eagerness (``EngineSession.restrain``)."""
