"""How readily the model begins to speak: what clients call low, auto and high, in the engine's terms."""

RESTRAINT = {"low": 1.0, "medium": 0.0, "auto": 0.0, "high": -1.0}
"""In nats, by eagerness (``EngineSession.restrain``)."""
