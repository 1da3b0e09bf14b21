"""A runner for engines that are only counted."""

from typing import Any

from microturn.engine.ladder import Budget
from microturn.engine.step import RowIn, RowOut


class NoModel:
    """Holds sessions and is never asked."""

    model_hash = "none"

    def __init__(self) -> None:
        self._num_opened = 0

    def open(self, seed: int) -> int:
        self._num_opened += 1
        return self._num_opened

    def release(self, slot: int) -> None: ...

    def fit(self, frames: Any) -> Any:
        return frames

    def step(self, rows: Any, budget: Budget) -> list[RowOut]:
        raise NotImplementedError(RowIn)

    def capture(self, slot: int) -> Any:
        return lambda: b""

    def restore(self, state: bytes, seed: int) -> int:
        raise NotImplementedError
