"""The state of a batch of rows."""

from collections.abc import Iterable

import torch
from torch import Tensor

from microturn.model.config import ModelConfig
from microturn.model.row_state import RowState


class StreamState:
    """Rows that one forward advances, each by its own number of positions.

    A view: ``select`` shares its rows with the whole, so a pool is one StreamState and a batch a selection of it.
    """

    def __init__(self, config: ModelConfig, rows: list[RowState]) -> None:
        self.config = config
        self.rows = rows

    @classmethod
    def new(
        cls,
        config: ModelConfig,
        num_rows: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "StreamState":
        """Rows at the start of their sessions. ``dtype`` is that of keys and values."""
        return cls(config, [RowState(config, dtype, device) for _ in range(num_rows)])

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, rows: Iterable[int]) -> "StreamState":
        """These rows, in this order, not copied: what a forward does to them is done here."""
        return StreamState(self.config, [self.rows[row] for row in rows])

    def reset_row(self, row: int) -> None:
        """Back to the start of a session."""
        self.rows[row].reset()

    def nbytes(self, row: int) -> int:
        """Memory that a row holds."""
        return self.rows[row].nbytes

    def to_tensors(self, row: int) -> dict[str, Tensor]:
        """A copy of a row, as safetensors takes it."""
        return self.rows[row].to_tensors()

    def load_row(self, row: int, tensors: dict[str, Tensor]) -> None:
        """Put a row's copy in its place. Raises CheckpointError if it is of another configuration."""
        buffer = self.rows[row].globals
        self.rows[row] = RowState.from_tensors(self.config, tensors, buffer.dtype, buffer.device)
