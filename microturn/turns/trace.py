"""What one micro-turn cost, and what was given up for it: shown to clients, kept in recordings, drawn in timelines."""

from dataclasses import dataclass

OVERLOAD_STEPS = ("everything", "fewer video frames", "less text at a time", "fewer flow steps", "no new sessions")
"""What is given up under overload, step by step, each with those before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnTrace:
    """Costs and conditions of one session's micro-turn. Phase times are those of the whole batch."""

    index: int
    batch_size: int = 1
    """Sessions that ran in the same step."""
    features_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    """Forwards after the first, with the choice of tokens."""
    flow_ms: float = 0.0
    vocoder_ms: float = 0.0
    latency_ms: float = 0.0
    """From the moment the turn could run until its output was released; 0 outside a live engine."""
    num_input_positions: int = 0
    """Positions that the input took in the sequence."""
    num_waiting_event_tokens: int = 0
    """Of text events: they enter later turns, a few at a time."""
    kept_text_share: float = 0.0
    """Share of the cap on kept text that is in use; what is beyond it is forgotten, the oldest first."""
    num_event_tokens: int = 0
    """Text tokens of the input: events that were read in this turn, the time, openers."""
    num_image_tokens: int = 0
    """Tokens of the input's picture."""
    num_text_tokens: int = 0
    """Sampled text tokens of the output, openers included."""
    overload_rung: int = 0
    """Step of the ladder of degradation that was in force, as in ``OVERLOAD_STEPS``; 0 for none."""
    is_cut_short: bool = False
    """The output reached the text cap and was closed."""
    is_forced: bool = False
    """The output was prescribed: silence for a turn that came too late, or a recording that is replayed."""
    restraint: float = 0.0
    """What held the model back from speaking, in nats; 0 for nothing."""
    is_late: bool = False
    """The output missed its deadline."""
    traceparent: str = ""
    """W3C trace context of the server's span of this turn; empty where nobody traces."""
    num_deviations: int = 0
    """Prescribed tokens that the model would not have chosen itself."""

    @property
    def phases_ms(self) -> dict[str, float]:
        """Compute time by phase, in the order of the work."""
        return {
            "features": self.features_ms,
            "prefill": self.prefill_ms,
            "decode": self.decode_ms,
            "flow": self.flow_ms,
            "vocoder": self.vocoder_ms,
        }

    @property
    def compute_ms(self) -> float:
        """The step's work, all phases together."""
        return sum(self.phases_ms.values())
