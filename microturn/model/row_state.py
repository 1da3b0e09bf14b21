"""What one session's model remembers: keys, values and convolution tails. A state is an argument, never hidden.

Each row owns its buffers, so rows join and leave a batch without a copy, grow by themselves, and cost nothing for
one another. Sliding layers share one run of positions and keep the window; global layers share one list of entries,
keep what the eviction rule (``mask.is_kept``) still shows to somebody, and free the rest when the buffer is full.
Positions are never renumbered.

Legend: Y layers of one kind, J key/value heads, X head width, S entries of a buffer, L taps, C channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from microturn.errors import CheckpointError
from microturn.model.config import AttentionKind, BackboneConfig, ModelConfig
from microturn.model.mask import is_kept

SLACK = 256
"""Entries by which buffers grow, and the room that compaction leaves: its cost is spread over as many positions."""


class KeyValueBuffer:
    """Keys and values of all layers of one kind, in order of position. Live entries are [start, end)."""

    def __init__(self, config: BackboneConfig, kind: AttentionKind, dtype: torch.dtype, device: torch.device) -> None:
        heads = config.heads(kind)
        self.shape = (config.layers.count(kind), heads.num_kv_heads, 0, heads.head_width)
        self.dtype, self.device = dtype, device
        self.clear()

    def clear(self) -> None:
        """Forget everything, and give the memory back."""
        with torch.inference_mode(False):
            self.key_YJSX = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
            self.value_YJSX = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        self._split()
        self.start = self.end = 0

    def _split(self) -> None:
        self.layers = list(zip(self.key_YJSX.unbind(0), self.value_YJSX.unbind(0), strict=True))
        """Each layer's keys and values, (J, S, X), as views."""

    @property
    def capacity(self) -> int:
        """S."""
        return self.key_YJSX.shape[2]

    def move(self, kept: slice | Tensor, room: int) -> None:
        """Keep these entries only, at the front, with room for more after them."""
        for name in ("key_YJSX", "value_YJSX"):
            old = getattr(self, name)
            entries = old[:, :, kept] if isinstance(kept, slice) else old.index_select(2, kept)
            count = entries.shape[2]
            capacity = -(-(count + room) // SLACK) * SLACK
            with torch.inference_mode(False):
                new = old if capacity == old.shape[2] else old.new_zeros(*old.shape[:2], capacity, old.shape[3])
            new[:, :, :count] = entries.clone() if new is old else entries
            setattr(self, name, new)
        self._split()
        self.start, self.end = 0, count


class GlobalEntries:
    """What the global layers' entries are: where, from which turn, whether text, and of which rank."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with torch.inference_mode(False):
            self.fields_4S = torch.zeros(4, 0, dtype=torch.int32, device=self.device)
        self.num_contiguous = 0
        """Entries at the end whose positions follow one another."""

    def live(self, end: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Position, turn, rank (``is_kept`` says what that is), is_text: (end,) each."""
        position, turn, rank, is_text = self.fields_4S[:, :end].unbind(0)
        return position, turn, rank, is_text.bool()

    def move(self, kept: slice | Tensor, capacity: int) -> None:
        """Follow the buffer's own ``move``."""
        entries = self.fields_4S[:, kept]
        with torch.inference_mode(False):
            self.fields_4S = torch.zeros(4, capacity, dtype=torch.int32, device=self.device)
        self.fields_4S[:, : entries.shape[1]] = entries
        self.num_contiguous = _trailing_run(entries[0])


@dataclass(frozen=True, slots=True)
class Drops:
    """From which turn on text is kept, where summaries have replaced what was before.

    A query that was made before a summary was read whole does not know of it: the rule goes by turns, so that a turn
    sees the same however it is cut into forwards.
    """

    earlier: int = 0
    """For queries up to ``after_turn``."""
    after_turn: int = -1
    before_turn: int = 0
    """For queries of later turns."""

    def at(self, turn_Q: Tensor) -> Tensor | None:
        """The first turn whose text each query sees, (Q,); None where nothing was dropped."""
        if not self.before_turn:
            return None
        return torch.where(turn_Q > self.after_turn, self.before_turn, self.earlier)

    def then(self, turn: int, before_turn: int) -> "Drops":
        """After another summary was read whole in a turn. What was dropped once stays dropped."""
        return Drops(self.before_turn, turn, max(self.before_turn, before_turn))


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a row stood, to ``rewind`` to."""

    position: int
    turn: int
    rank: int
    generation: int
    sliding_end: int
    global_end: int
    num_contiguous: int
    tails_ULC: Tensor


class RowState:
    """One row: a session."""

    def __init__(
        self, config: ModelConfig, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> None:
        backbone, device = config.backbone, torch.device(device)
        self.config = config
        self.sliding = KeyValueBuffer(backbone, "sliding", dtype, device)
        self.globals = KeyValueBuffer(backbone, "global", dtype, device)
        self.entries = GlobalEntries(device)
        self.kv_width = max(h.num_kv_heads * h.head_width for h in (backbone.sliding_heads, backbone.global_heads))
        channels = 2 * self.kv_width + 2 * backbone.width
        with torch.inference_mode(False):
            self.tails_ULC = torch.zeros(len(backbone.layers), backbone.conv_taps - 1, channels, device=device)
        self._tail_views: dict[tuple[int, int, int], Tensor] = {}
        self.generation = 0
        self._rewind_counters()

    def _rewind_counters(self) -> None:
        self.position = 0
        """Of the next token."""
        self.turn = 0
        """Of the last token."""
        self.rank = 0
        """Text tokens so far."""
        self.drops = Drops()
        self.dropped_rank = 0
        """Rank of the last text that was dropped."""

    def reset(self) -> None:
        """Back to the start of a session."""
        self.sliding.clear()
        self.globals.clear()
        self.entries.clear()
        self.tails_ULC.zero_()
        self.generation += 1
        self._rewind_counters()

    @property
    def nbytes(self) -> int:
        """Memory held."""
        buffers = (self.sliding.key_YJSX, self.sliding.value_YJSX, self.globals.key_YJSX, self.globals.value_YJSX)
        return sum(b.nbytes for b in (*buffers, self.entries.fields_4S, self.tails_ULC))

    def drop_text(self, before_turn: int) -> None:
        """Queries of later turns than the last no longer see text of turns before this one."""
        _, turn, rank, is_text = self.entries.live(self.globals.end)
        dropped = rank[is_text & (turn < before_turn)]
        self.dropped_rank = max(self.dropped_rank, int(dropped.max())) if len(dropped) else self.dropped_rank
        self.drops = self.drops.then(self.turn, before_turn)

    @property
    def kept_text_share(self) -> float:
        """Share of the cap on kept text that is in use; 0 without eviction, which has no cap."""
        if self.config.eviction_turns is None:
            return 0.0
        return min(1.0, (self.rank - self.dropped_rank) / self.config.max_kept_text)

    def reserve(self, num_positions: int) -> None:
        """Make room for so many more positions. A forward does so by itself; a ``mark`` holds until the next time."""
        window = self.config.backbone.sliding_window
        if self.sliding.end + num_positions > self.sliding.capacity:
            first = max(self.sliding.start, self.sliding.end - window + 1)
            # Past the window, room for a whole slack at once, so that moving is rare.
            self.sliding.move(slice(first, self.sliding.end), num_positions + SLACK)
            self.generation += 1
        if self.globals.end + num_positions > self.globals.capacity:
            kept = self._kept_entries()
            self.globals.move(kept, num_positions + SLACK)
            self.entries.move(kept, self.globals.capacity)
            self.generation += 1

    def _kept_entries(self) -> slice | Tensor:
        """Entries that a query from now on can still see. What is hidden once stays hidden: turn and rank only grow."""
        end, eviction_turns = self.globals.end, self.config.eviction_turns
        if eviction_turns is None or end == 0:
            return slice(0, end)
        _, turn, rank, is_text = self.entries.live(end)
        now_turn, now_rank = (
            torch.tensor([self.turn], device=turn.device),
            torch.tensor([self.rank], device=turn.device),
        )
        kept = is_kept(
            now_turn, now_rank, turn, rank, is_text,
            eviction_turns=eviction_turns, max_kept_text=self.config.max_kept_text, query_drop=self.drops.at(now_turn),
        )  # fmt: skip
        return kept[0].nonzero().squeeze(1)

    def append_entries(self, turn_T: Tensor, is_text_T: Tensor) -> Tensor:
        """Note what the next positions are, before their keys come; returns their rank (T,). Room must be reserved."""
        length, end = len(turn_T), self.globals.end
        rank_T = self.rank + is_text_T.cumsum(0)
        fields_4T = self.entries.fields_4S[:, end : end + length]
        torch.arange(self.position, self.position + length, out=fields_4T[0])
        fields_4T[1], fields_4T[2], fields_4T[3] = turn_T, rank_T, is_text_T
        return rank_T

    def tail(self, layer: int, start: int, channels: int) -> Tensor:
        """The tail of one of a layer's convolutions, (1, L - 1, C), as a view."""
        key = (layer, start, channels)
        if key not in self._tail_views:
            self._tail_views[key] = self.tails_ULC[layer, None, :, start : start + channels]
        return self._tail_views[key]

    def advance(self, length: int, last_turn: int, last_rank: int) -> None:
        """The next positions are in."""
        self.position += length
        self.sliding.end += length
        self.globals.end += length
        self.entries.num_contiguous += length
        self.turn, self.rank = last_turn, last_rank

    def mark(self) -> Mark:
        """Remember this moment. Holds until a ``reserve`` has to move entries."""
        return Mark(
            self.position, self.turn, self.rank, self.generation, self.sliding.end, self.globals.end,
            self.entries.num_contiguous, self.tails_ULC.clone(),
        )  # fmt: skip

    def rewind(self, mark: Mark) -> None:
        """Forget what came after the mark."""
        assert mark.generation == self.generation, "entries moved since the mark: reserve a turn's positions before it"
        self.position, self.turn, self.rank = mark.position, mark.turn, mark.rank
        self.sliding.end, self.globals.end = mark.sliding_end, mark.global_end
        self.entries.num_contiguous = mark.num_contiguous
        self.tails_ULC.copy_(mark.tails_ULC)

    def to_tensors(self) -> dict[str, Tensor]:
        """The whole row, copied, as safetensors takes it."""
        window = self.config.backbone.sliding_window
        last = slice(max(self.sliding.start, self.sliding.end - window + 1), self.sliding.end)
        kept = self._kept_entries()
        return {
            "counters": torch.tensor([self.position, self.turn, self.rank]),
            "drops": torch.tensor(
                [self.drops.earlier, self.drops.after_turn, self.drops.before_turn, self.dropped_rank]
            ),
            "tails": self.tails_ULC.clone(),
            "sliding_key": self.sliding.key_YJSX[:, :, last].clone(),
            "sliding_value": self.sliding.value_YJSX[:, :, last].clone(),
            "global_key": self.globals.key_YJSX[:, :, kept].clone(),
            "global_value": self.globals.value_YJSX[:, :, kept].clone(),
            "entries": self.entries.fields_4S[:, kept].clone(),
        }

    @classmethod
    def from_tensors(
        cls,
        config: ModelConfig,
        tensors: dict[str, Tensor],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "RowState":
        """The row that ``to_tensors`` gave. Raises CheckpointError if it is not one of this configuration."""
        row = cls(config, dtype, device)
        try:
            row.position, row.turn, row.rank = tensors["counters"].tolist()
            if "drops" in tensors:  # snapshots of older versions have none
                *drops, row.dropped_rank = tensors["drops"].tolist()
                row.drops = Drops(*drops)
            row.tails_ULC.copy_(tensors["tails"])
            for buffer, name in ((row.sliding, "sliding"), (row.globals, "global")):
                key, value = tensors[f"{name}_key"], tensors[f"{name}_value"]
                buffer.move(slice(0, 0), key.shape[2])
                buffer.end = key.shape[2]
                buffer.key_YJSX[:, :, : buffer.end] = key
                buffer.value_YJSX[:, :, : buffer.end] = value
            row.entries.move(slice(0, 0), row.globals.capacity)
            row.entries.fields_4S[:, : row.globals.end] = tensors["entries"]
        except (KeyError, RuntimeError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"the snapshot is not of this model ({error}): resume the session with the model that recorded it"
            ) from error
        row.entries.num_contiguous = _trailing_run(tensors["entries"][0])
        return row


def _trailing_run(position_S: Tensor) -> int:
    """How many positions at the end follow one another."""
    gaps = (position_S.diff() != 1).nonzero()
    return len(position_S) - (int(gaps[-1]) + 1 if len(gaps) else 0)
