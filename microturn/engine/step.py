"""The values of a step, and what the engine needs of whoever runs it. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from microturn.engine.ladder import Budget
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class Forced:
    """An output that is prescribed: the model reads it as its own."""

    tokens: tuple[int, ...] = ()
    """Of the output, patches and the closing token left out. Empty: silence."""
    output: MicroTurnOutput | None = None
    """What was said; None for silence."""
    is_checked: bool = False
    """Whether the model is asked at each step what it would have done: slow, as it was live, and deviations are
    counted. Otherwise the output is read along with the input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowIn:
    """One session's part of a step."""

    slot: int
    input: MicroTurnInput
    forced: Forced | None = None
    restraint: float = 0.0
    """By how many nats it must be likelier to begin to speak than not to, where the model is silent. At 0 it begins as
    soon as that is the likelier; above, it waits out pauses that it would have taken for the end, and answers later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowOut:
    """What came of it."""

    output: MicroTurnOutput
    tokens: tuple[int, ...]
    trace: TurnTrace


class Runner(Protocol):
    """Runs a model over the states of sessions. ``microturn.engine.runner`` has the real one."""

    @property
    def model_hash(self) -> str:
        """Names the weights: a state fits no others."""
        ...

    def open(self, seed: int) -> int:
        """A slot with a fresh state. Raises CapacityError when none is free."""
        ...

    def release(self, slot: int) -> None:
        """Forgets the state."""
        ...

    def fit(self, frames: tuple[VideoFrame, ...]) -> tuple[VideoFrame, ...]:
        """Frames at the size at which the model sees them: no more than that is journaled."""
        ...

    def step(self, rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        """One micro-turn of some sessions. If it raises, no state has changed."""
        ...

    def capture(self, slot: int) -> Callable[[], bytes]:
        """The state as it is now; calling the result, in any thread, makes bytes of it."""
        ...

    def restore(self, state: bytes, seed: int) -> int:
        """A slot with a captured state. Raises CapacityError, or ValueError for bytes that do not load."""
        ...
