"""A runner without a model: it says how much it has heard, so that lost or doubled state shows in the words."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from microturn.engine.ladder import Budget
from microturn.engine.step import RowIn, RowOut
from microturn.errors import CapacityError
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame


@dataclass
class CountingRunner:
    """Answers the n-th turn of a session with the words `` n``, unless the output is forced."""

    num_slots: int = 4
    model_hash: str = "counting"
    heard: dict[int, int] = field(default_factory=dict)
    """Turns so far, by slot."""
    batches: list[list[RowIn]] = field(default_factory=list)
    waiting_tokens: int = 0
    """Characters of text events so far, less 32 a turn."""
    budgets: list[Budget] = field(default_factory=list)
    on_step: Callable[[Sequence[RowIn]], None] = lambda rows: None
    """Called first; may advance a clock, or raise."""

    def open(self, seed: int) -> int:
        return self._place(0)

    def release(self, slot: int) -> None:
        del self.heard[slot]

    def fit(self, frames: tuple[VideoFrame, ...]) -> tuple[VideoFrame, ...]:
        return frames

    def step(self, rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        self.on_step(rows)
        self.batches.append(list(rows))
        self.budgets.append(budget)
        return [self._answer(row) for row in rows]

    def capture(self, slot: int) -> Callable[[], bytes]:
        heard = self.heard[slot]
        return lambda: json.dumps(heard).encode()

    def restore(self, state: bytes, seed: int) -> int:
        return self._place(json.loads(state))

    def _place(self, heard: int) -> int:
        for slot in range(self.num_slots):
            if slot not in self.heard:
                self.heard[slot] = heard
                return slot
        raise CapacityError("no slot")

    def _answer(self, row: RowIn) -> RowOut:
        self.heard[row.slot] += 1
        index, words = row.input.index, f" {self.heard[row.slot]}"
        if row.forced is not None:
            words = row.forced.output.say if row.forced.output else ""
        self.waiting_tokens = max(0, self.waiting_tokens + sum(len(e.text) for e in row.input.events) - 32)
        waiting = self.waiting_tokens
        trace = TurnTrace(index=index, is_forced=row.forced is not None, num_waiting_event_tokens=waiting)
        return RowOut(output=MicroTurnOutput(index=index, say=words), tokens=(index,), trace=trace)
