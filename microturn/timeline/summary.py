"""One micro-turn as it is told to people: a line of ``turns.jsonl``, a column of the timeline."""

import json
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, TextEvent
from microturn.turns.timing import turn_start_ms
from microturn.turns.trace import TurnTrace

SILENCE_DB = -100.0
"""What counts as no sound at all: below the last bit of 16."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnSummary:
    """What went in, what came out and what it cost; without the sound and the pictures themselves."""

    index: int
    level_db: float = SILENCE_DB
    """Level of the user's sound, in dB of full scale (RMS)."""
    num_frames: int = 0
    events: tuple[TextEvent, ...] = ()
    num_missing_samples: int = 0
    """Samples that never came; silence in their place."""
    hear: str = ""
    say: str = ""
    pieces: tuple[Piece, ...] = ()
    is_clear: bool = False
    is_speaking: bool = False
    trace: TurnTrace | None = field(default=None)
    """Costs and conditions; None where they are not known."""

    @classmethod
    def of(cls, turn: MicroTurnInput, output: MicroTurnOutput, trace: TurnTrace | None = None) -> "TurnSummary":
        """The summary of a micro-turn."""
        return cls(
            index=turn.index,
            level_db=level_db(turn.audio),
            num_frames=len(turn.frames),
            events=turn.events,
            num_missing_samples=turn.num_missing_samples,
            hear=output.hear,
            say=output.say,
            pieces=output.pieces,
            is_clear=output.is_clear,
            is_speaking=output.is_speaking,
            trace=trace,
        )

    @property
    def start_ms(self) -> int:
        """The media time at which its input starts."""
        return turn_start_ms(self.index)

    def to_json(self) -> str:
        """One line of ``turns.jsonl``, without the line's end."""
        phases = {} if self.trace is None else {**self.trace.phases_ms, "all": self.trace.compute_ms}
        fields = {
            "index": self.index,
            "start_ms": self.start_ms,
            "level_db": round(self.level_db, 1),
            "num_frames": self.num_frames,
            "num_missing_samples": self.num_missing_samples,
            "events": [{"role": event.role, "text": event.text} for event in self.events],
            "hear": self.hear,
            "say": self.say,
            "pieces": [{"kind": piece.kind, "text": piece.text, "is_end": piece.is_end} for piece in self.pieces],
            "clear": self.is_clear,
            "speaking": self.is_speaking,
            "compute_ms": {phase: round(span_ms, 3) for phase, span_ms in phases.items()},
        }
        return json.dumps(fields, ensure_ascii=False)


def level_db(samples: NDArray[np.float32]) -> float:
    """RMS level of samples in [-1, 1], in dB of full scale, no less than ``SILENCE_DB``."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB
