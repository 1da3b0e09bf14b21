"""A pass over the states of streams: each row's new positions after all that it remembers.

Projections, MLPs and convolutions run on all rows at once; attention runs row by row, over exactly the keys that the
row has, in the row's own buffers.

Legend: B rows, T positions (right-padded), C channels, H query heads, J key/value heads, X head width, R relative
width, E extent, L taps, U layers; within a row, Q new positions and K keys.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from microturn.model.attention_bias import contiguous_bias, scattered_bias
from microturn.model.config import AttentionKind, ModelConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.mask import HIDDEN, is_kept
from microturn.model.passes import Place, position_scale
from microturn.model.row_state import KeyValueBuffer, RowState
from microturn.model.segment import Segment
from microturn.model.stream_state import StreamState


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What all layers of a pass share about one row."""

    state: RowState
    length: int
    """Q."""
    last_turn: int
    last_rank: int
    distance_QK: Tensor | None
    """Global layers: from each query to each entry, where entries near enough for a bias have gaps between them."""
    hidden_QK: Tensor | None
    """Global layers: added to the logits where eviction hides something."""


class StreamPass:
    """One forward's access to the rows' histories."""

    def __init__(self, config: ModelConfig, segment: Segment, state: StreamState) -> None:
        if len(state) != segment.num_rows:
            raise ValueError(f"a segment of {segment.num_rows} rows for a state of {len(state)}: select the rows first")
        self.config, self.backbone, self.state = config, config.backbone, state
        device = segment.kind_BT.device
        self.lengths = segment.lengths()
        self.rows = [
            _plan(config, row, segment.turn_BT[b, :length], segment.is_text_BT[b, :length]) if length else None
            for b, (row, length) in enumerate(zip(state.rows, self.lengths, strict=True))
        ]
        # Several rows' tails are joined for the pass; a single row's are used in place.
        self.tails_BULC = torch.stack([row.tails_ULC for row in state.rows]) if len(state) > 1 else None
        # After a ragged step, each row's tail ends with its own last position.
        self.tail_BL = None
        if min(self.lengths) < segment.kind_BT.shape[1]:
            taps = torch.arange(self.backbone.conv_taps - 1, device=device)
            self.tail_BL = torch.tensor(self.lengths, device=device)[:, None] + taps
        self.tau_B1T1 = None
        if self.backbone.log_scaling_floor is not None:
            first_B1 = torch.tensor([[row.position] for row in state.rows], device=device)
            self.tau_B1T1 = position_scale(
                self.backbone, first_B1 + torch.arange(segment.kind_BT.shape[1], device=device)
            )
        kinds = self.backbone.layers
        self.layer_of_kind = [kinds[:layer].count(kind) for layer, kind in enumerate(kinds)]

    def convolve(self, convolution: ShortConvolution, x_BTC: Tensor, layer: int, place: Place) -> Tensor:
        """See ``Pass``."""
        # Values follow their own layer's keys; a layer of fewer heads leaves a gap before what comes next.
        kv_width, width = self.state.rows[0].kv_width, self.backbone.width
        start = (0, x_BTC.shape[2], 2 * kv_width, 2 * kv_width + width)[place]
        if self.tails_BULC is None:
            tail_BLC = self.state.rows[0].tail(layer, start, x_BTC.shape[2])
        else:
            tail_BLC = self.tails_BULC[:, layer, :, start : start + x_BTC.shape[2]]
        history = torch.cat([tail_BLC, x_BTC], dim=1)
        if self.tail_BL is None:
            tail_BLC.copy_(history[:, -tail_BLC.shape[1] :])
        else:
            tail_BLC.copy_(history.gather(1, self.tail_BL[:, :, None].expand_as(tail_BLC)))
        return convolution.after(history)

    def logit_scale(self, kind: AttentionKind) -> Tensor | None:
        """See ``Pass``."""
        return self.tau_B1T1 if kind == "global" else None

    def attend(
        self, query_BHTX: Tensor, key_BJTX: Tensor, value_BJTX: Tensor, relative_BHTR: Tensor, profile_RE: Tensor,
        layer: int,
    ) -> Tensor:  # fmt: skip
        """See ``Pass``."""
        mixed_BHTX = query_BHTX if len(self.rows) == 1 else torch.zeros_like(query_BHTX)
        index, attend = self.layer_of_kind[layer], self._attend_sliding
        if self.backbone.layers[layer] == "global":
            attend = self._attend_global
        for b, row in enumerate(self.rows):
            if row is None:
                continue
            new = slice(0, row.length)
            query_HQX, relative_HQR = query_BHTX[b, :, new], relative_BHTR[b, :, new]
            mixed_HQX = attend(
                row, query_HQX, key_BJTX[b, :, new], value_BJTX[b, :, new], relative_HQR, profile_RE, index
            )
            if len(self.rows) == 1 and row.length == query_BHTX.shape[2]:
                return mixed_HQX[None]
            mixed_BHTX[b, :, new] = mixed_HQX
        return mixed_BHTX

    def finish(self) -> None:
        """The new positions are in: the rows advance."""
        for b, row in enumerate(self.rows):
            if row is None:
                continue
            if self.tails_BULC is not None:
                row.state.tails_ULC.copy_(self.tails_BULC[b])
            row.state.advance(row.length, row.last_turn, row.last_rank)

    def _attend_sliding(
        self, row: RowPlan, query_HQX: Tensor, key_JQX: Tensor, value_JQX: Tensor, relative_HQR: Tensor,
        profile_RE: Tensor, index: int,
    ) -> Tensor:  # fmt: skip
        buffer, window = row.state.sliding, self.backbone.sliding_window
        first = max(buffer.start, buffer.end - window + 1)
        key_JKX, value_JKX = _append(buffer, index, key_JQX, value_JQX, first)
        bias_HQK = contiguous_bias(relative_HQR, profile_RE, key_JKX.shape[1], window)
        return _attend(query_HQX, key_JKX, value_JKX, bias_HQK)

    def _attend_global(
        self, row: RowPlan, query_HQX: Tensor, key_JQX: Tensor, value_JQX: Tensor, relative_HQR: Tensor,
        profile_RE: Tensor, index: int,
    ) -> Tensor:  # fmt: skip
        key_JKX, value_JKX = _append(row.state.globals, index, key_JQX, value_JQX, 0)
        if row.distance_QK is None:
            bias_HQK = contiguous_bias(relative_HQR, profile_RE, key_JKX.shape[1], None)
        else:
            bias_HQK = scattered_bias(relative_HQR, profile_RE, row.distance_QK)
        if row.hidden_QK is not None:
            bias_HQK = bias_HQK + row.hidden_QK
        return _attend(query_HQX, key_JKX, value_JKX, bias_HQK)


def _plan(config: ModelConfig, row: RowState, turn_Q: Tensor, is_text_Q: Tensor) -> RowPlan:
    """Make room in a row, note its new entries, and find out what its global layers see."""
    length = len(turn_Q)
    row.reserve(length)
    rank_Q = row.append_entries(turn_Q, is_text_Q)
    position_K, turn_K, rank_K, is_text_K = row.entries.live(row.globals.end + length)
    last_turn, last_rank = int(turn_Q[-1]), int(rank_Q[-1])
    distance_QK = hidden_QK = None
    if row.entries.num_contiguous < min(row.globals.end, config.backbone.relative_extent):
        distance_QK = (position_K[-length:, None] - position_K).long()
    # Turns do not fall along a row, so if the oldest entry is recent, all are.
    if config.eviction_turns is not None and last_turn - int(turn_K[0]) >= config.eviction_turns:
        kept_QK = is_kept(
            turn_Q, rank_Q, turn_K, rank_K, is_text_K,
            eviction_turns=config.eviction_turns, max_kept_text=config.max_kept_text, query_drop=row.drops.at(turn_Q),
        )  # fmt: skip
        hidden_QK = torch.zeros(kept_QK.shape, device=kept_QK.device).masked_fill_(~kept_QK, HIDDEN)
    return RowPlan(row, length, last_turn, last_rank, distance_QK, hidden_QK)


def _append(
    buffer: KeyValueBuffer, index: int, key_JQX: Tensor, value_JQX: Tensor, first: int
) -> tuple[Tensor, Tensor]:
    """Write the new keys and values; returns all from entry ``first`` on: (J, K, X) each."""
    old, new = buffer.end, buffer.end + key_JQX.shape[1]
    key_JSX, value_JSX = buffer.layers[index]
    key_JSX[:, old:new] = key_JQX
    value_JSX[:, old:new] = value_JQX
    return key_JSX[:, first:new], value_JSX[:, first:new]


def _attend(query_HQX: Tensor, key_JKX: Tensor, value_JKX: Tensor, bias_HQK: Tensor) -> Tensor:
    """Attention of a few queries, those of a key head's group as one matrix: (H, Q, X)."""
    num_kv_heads, head_width = key_JKX.shape[0], query_HQX.shape[2]
    grouped = (num_kv_heads, -1)
    logits = torch.baddbmm(
        bias_HQK.to(key_JKX.dtype).reshape(*grouped, bias_HQK.shape[2]),
        query_HQX.to(key_JKX.dtype).reshape(*grouped, head_width),
        key_JKX.mT,
        alpha=1.0 / head_width,
    )
    return torch.bmm(logits.softmax(-1), value_JKX).reshape(query_HQX.shape).to(query_HQX.dtype)
