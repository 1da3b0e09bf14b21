"""What waits in one session."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Depths:
    """How long its queues are."""

    held_audio_ms: float
    """Sound of the user that came ahead of its time."""
    outbox_events: int
    """Events that the client has not taken yet."""
    unplayed_turns: int
    """Micro-turns that wait for their time to be played."""
