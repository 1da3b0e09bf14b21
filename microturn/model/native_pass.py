"""A pass over streams in compiled layers: the fast way on a CPU, for a few new positions of a few rows.

Legend: B rows, T positions (right-padded), D width.
"""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from microturn.model import native
from microturn.model.blocks import Block
from microturn.model.config import AttentionKind, ModelConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.flow_head import FlowBlock, FlowHead, FlowSchedule
from microturn.model.fused import FusedConvolution
from microturn.model.moe import DenseMlp
from microturn.model.passes import position_scale
from microturn.model.row_state import KeyValueBuffer, RowState
from microturn.model.segment import Segment
from microturn.model.stream_state import StreamState

MOST_POSITIONS = 32
"""More new positions of a row are left to products of whole matrices."""
NEVER = 2**30
"""So many turns that nothing is evicted."""


def is_native(config: ModelConfig) -> bool:
    """Whether compiled layers know everything that these layers do."""
    return "sparse" not in config.backbone.mlps


class NativeLayers:
    """A model's layers with their weights as arrays. A copy: it does not follow the model's weights."""

    def __init__(self, config: ModelConfig, blocks: Sequence[Block]) -> None:
        self.config, self.backbone = config, config.backbone
        is_half = all(_is_half(block) for block in blocks)
        self.layers = [_weights(block, is_half) for block in blocks]

    def can_run(self, segment: Segment, state: StreamState) -> bool:
        """Whether a pass is of the kind that these layers are for."""
        buffers = (state.rows[0].sliding, state.rows[0].globals)
        return segment.kind_BT.shape[1] <= MOST_POSITIONS and all(
            b.dtype == torch.float32 and b.device.type == "cpu" for b in buffers
        )

    def __call__(self, x_BTD: Tensor, segment: Segment, state: StreamState) -> Tensor:
        """(B, T, D) embeddings to hidden states before the last norm. The rows advance by what is not padding."""
        if len(state) != segment.num_rows:
            raise ValueError(f"a segment of {segment.num_rows} rows for a state of {len(state)}: select the rows first")
        x_BTD = x_BTD.contiguous()
        rows = [
            (row, x_TD[:length], turn_T[:length], is_text_T[:length])
            for row, length, x_TD, turn_T, is_text_T in zip(
                state.rows, segment.lengths(), x_BTD.numpy(), segment.turn_BT, segment.is_text_BT, strict=True
            )
            if length
        ]
        in_parallel(self._run, rows)
        return x_BTD

    def _run(self, row: RowState, x_TD: native.Floats, turn_T: Tensor, is_text_T: Tensor) -> None:
        num_new = len(x_TD)
        row.reserve(num_new)
        last_rank = int(row.append_entries(turn_T, is_text_T)[-1])
        seen = {"sliding": self._see_window(row, num_new), "global": self._see_kept(row, turn_T)}
        buffers: dict[AttentionKind, KeyValueBuffer] = {"sliding": row.sliding, "global": row.globals}
        arrays = {kind: (b.key_YJSX.numpy(), b.value_YJSX.numpy(), b.end) for kind, b in buffers.items()}
        tails_ULC = row.tails_ULC.numpy()
        count = dict.fromkeys(buffers, 0)
        for layer, (kind, weights) in enumerate(zip(self.backbone.layers, self.layers, strict=True)):
            key_YJSX, value_YJSX, end = arrays[kind]
            place = count[kind]
            count[kind] += 1
            native.layer(
                x_TD, self.backbone.norm_eps, *weights, tails_ULC[layer], row.kv_width,
                key_YJSX[place], value_YJSX[place], end, *seen[kind],
            )  # fmt: skip
        row.advance(num_new, int(turn_T[-1]), last_rank)

    def _see_window(self, row: RowState, num_new: int) -> "Seen":
        window = self.backbone.sliding_window
        seen = _room(num_new, min(window, row.sliding.end - row.sliding.start + num_new))
        native.see_window(row.sliding.start, row.sliding.end, num_new, window, *seen)
        return *seen, np.ones(num_new, np.float32)

    def _see_kept(self, row: RowState, turn_T: Tensor) -> "Seen":
        num_new, end = len(turn_T), row.globals.end
        drop_T = row.drops.at(turn_T)
        dropped_T = np.zeros(num_new, np.int32) if drop_T is None else drop_T.int().numpy()
        seen = _room(num_new, end + num_new)
        eviction_turns = NEVER if self.config.eviction_turns is None else self.config.eviction_turns
        fields_4S = row.entries.fields_4S.numpy()
        native.see_kept(fields_4S, end, num_new, eviction_turns, self.config.max_kept_text, dropped_T, *seen)
        if self.backbone.log_scaling_floor is None:
            return *seen, np.ones(num_new, np.float32)
        position_1T = torch.arange(row.position, row.position + num_new)[None]
        return *seen, position_scale(self.backbone, position_1T).flatten().numpy()


Seen = tuple[native.Ints, native.Ints, native.Ints, native.Floats]
"""For each query the entries that it sees, how far back they lie, how many they are, and the scale of its logits."""


class NativeFlowHead:
    """A flow head with its weights as arrays, for one schedule. A copy."""

    def __init__(self, head: FlowHead, schedule: FlowSchedule) -> None:
        is_half = _is_half(head)
        blocks = [cast(FlowBlock, block) for block in head.blocks]
        modulations = [*(block.modulation for block in blocks), head.last_modulation]
        enters, leaves = [block.enter for block in blocks], [block.leave for block in blocks]
        self._weights = (
            np.array(schedule.guidance_K, np.float32),
            _vector(torch.cat(schedule.modulations, dim=1)),
            _matrix(is_half, head.condition),
            _vector(head.condition.bias),
            _matrix(is_half, *(modulation.condition for modulation in modulations)),
            _matrix(is_half, head.enter),
            _vector(head.enter.bias),
            np.stack([_matrix(is_half, linear) for linear in enters]),
            np.stack([_vector(linear.bias) for linear in enters]),
            np.stack([_matrix(is_half, linear) for linear in leaves]),
            np.stack([_vector(linear.bias) for linear in leaves]),
            _matrix(is_half, head.leave),
            _vector(head.leave.bias),
        )

    def sample(self, cond_ND: Tensor, noise_NP: Tensor) -> Tensor:
        """See ``FlowHead.sample``."""
        point_NP = noise_NP.clone()
        in_parallel(self._sample, list(zip(cond_ND.numpy(), point_NP.numpy(), strict=True)))
        return point_NP

    def _sample(self, cond_D: native.Floats, point_P: native.Floats) -> None:
        native.flow(np.ascontiguousarray(cond_D), point_P, *self._weights)


def in_parallel(function: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
    """Call for each, on as many threads as torch would use; compiled code does not hold the interpreter's lock."""
    if len(arguments) == 1 or torch.get_num_threads() == 1:
        for each in arguments:
            function(*each)
    else:
        for _ in _threads(torch.get_num_threads()).map(lambda each: function(*each), arguments):
            pass


@functools.cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="rows")


def _room(num_queries: int, num_keys: int) -> tuple[native.Ints, native.Ints, native.Ints]:
    shape = (num_queries, num_keys)
    return np.empty(shape, np.int32), np.empty(shape, np.int32), np.empty(num_queries, np.int32)


def _weights(block: Block, is_half: bool) -> tuple[native.Weights | float, ...]:
    """A layer's arrays in the order in which ``native.layer`` takes them."""
    attention, mlp = block.attention, block.mlp
    assert isinstance(mlp, DenseMlp), "is_native checks this"

    def taps(*convolutions: ShortConvolution) -> native.Floats:
        return FusedConvolution(*convolutions).taps_LC.numpy()

    return (
        _vector(block.attention_norm.weight),
        _matrix(is_half, attention.query, attention.key, attention.value, attention.relative),
        _vector(attention.query_norm.weight),
        _vector(attention.key_norm.weight),
        _vector(attention.profile_RE),
        _matrix(is_half, attention.output),
        _vector(block.mlp_norm.weight),
        _matrix(is_half, mlp.gate, mlp.up),
        _matrix(is_half, mlp.down),
        mlp.scale.item(),
        taps(attention.key_convolution, attention.value_convolution),
        taps(block.attention_convolution),
        taps(block.mlp_convolution),
    )


def _matrix(is_half: bool, *linears: nn.Linear) -> native.Weights:
    """Linear maps of one input as one matrix, input first."""
    weight_DC = torch.cat([linear.weight.detach() for linear in linears]).T.contiguous()
    return weight_DC.bfloat16().view(torch.uint16).numpy() if is_half else weight_DC.float().numpy()


def _vector(values: Tensor) -> native.Floats:
    return values.detach().float().contiguous().numpy()


def _is_half(block: nn.Module) -> bool:
    """Whether bfloat16 holds all of the matrices' numbers, as it does where they were saved in it."""
    linears = [module.weight for module in block.modules() if isinstance(module, nn.Linear)]
    return all(torch.equal(weight, weight.bfloat16().to(weight.dtype)) for weight in linears)
