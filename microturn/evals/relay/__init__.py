"""The relay baseline: a chain of separate models, as voice agents are built today, as a subject of the evaluation.

silero-vad hears that somebody speaks, smart-turn decides that the turn is over, moonshine writes it down, a language
model answers, hibari speaks the answer. Same audio, same clock: what each step takes is part of when the answer comes.
"""

from microturn.evals.relay.parts import RelayParts, load_parts
from microturn.evals.relay.subject import RelaySubject

__all__ = ["RelayParts", "RelaySubject", "load_parts"]
"""``RelaySubject(load_parts())`` is ``--model relay``."""
