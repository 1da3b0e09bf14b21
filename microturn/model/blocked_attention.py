"""Causal attention with a relative bias over a whole sequence, a block of queries at a time.

Blocks skip what lies ahead of them or beyond the window, half of the work or more. The backward pass is written out:
autograd's own would add up a full-length gradient for every slice of every block.

Legend: B rows, H query heads, J key/value heads, Z rows x heads, T positions, X head width, E extent, R relative width
(one more for the mask), L distances of a bank of profiles; within a block, Q queries and K keys.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from microturn.model.attention_bias import masked_profile, skewed, with_mask_state

QUERY_BLOCK = 256
"""Queries taken at once: what a causal block skips against the overhead of one more block."""

BlockBias = Callable[[slice, slice, torch.dtype], Tensor]
"""Gives what to add to the logits of a block, (Z, Q, K), for its queries and keys."""


class Span(NamedTuple):
    """A block: its queries, and the keys up to the last of them that it can reach."""

    queries: slice
    keys: slice
    columns: slice
    """Of the bank: the distances between them."""


def spans(length: int, window: int | None) -> Iterator[Span]:
    """The blocks of a sequence. The bank's columns run from distance ``length - 1`` to ``-(QUERY_BLOCK - 1)``."""
    for start in range(0, length, QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, length)
        first = 0 if window is None else max(0, start - window + 1)
        columns = slice(length - (end - first), length + (end - start) - 1)
        yield Span(slice(start, end), slice(first, end), columns)


class BlockedAttention(torch.autograd.Function):
    """``softmax(scale q k + bias) v`` where the bias is ``relative @ profile`` by distance, plus ``extra``."""

    @staticmethod
    def forward(
        ctx: Any, query_ZTX: Tensor, key_ZTX: Tensor, value_ZTX: Tensor, relative_ZTR: Tensor, profile_RL: Tensor,
        scale: float, window: int | None, extra: BlockBias | None,
    ) -> Tensor:  # fmt: skip
        """All of one dtype; returns (Z, T, X). ``profile`` also carries the mask, against a constant state of one."""
        output_ZTX = torch.empty_like(query_ZTX)
        weights: list[Tensor] = []
        for queries, keys, columns in spans(query_ZTX.shape[1], window):
            bias_ZQL = relative_ZTR[:, queries] @ profile_RL[:, columns]
            bias_ZQK = skewed(bias_ZQL, keys.stop - keys.start)
            if extra is not None:
                bias_ZQK = bias_ZQK + extra(queries, keys, bias_ZQK.dtype)
            logits_ZQK = torch.baddbmm(bias_ZQK, query_ZTX[:, queries], key_ZTX[:, keys].mT, alpha=scale)
            weights.append(logits_ZQK.softmax(-1))
            output_ZTX[:, queries] = weights[-1] @ value_ZTX[:, keys]
        ctx.save_for_backward(query_ZTX, key_ZTX, value_ZTX, relative_ZTR, profile_RL, output_ZTX, *weights)
        ctx.scale, ctx.window = scale, window
        return output_ZTX

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the first five inputs, from that of the output."""
        query_ZTX, key_ZTX, value_ZTX, relative_ZTR, profile_RL, output_ZTX, *weights = ctx.saved_tensors
        grad_ZTX = grads[0].contiguous()
        delta_ZT1 = (grad_ZTX * output_ZTX).sum(-1, keepdim=True)
        d_query, d_relative = torch.empty_like(query_ZTX), torch.empty_like(relative_ZTR)
        d_key, d_value = torch.zeros_like(key_ZTX), torch.zeros_like(value_ZTX)
        d_profile = torch.zeros_like(profile_RL, dtype=torch.promote_types(profile_RL.dtype, torch.float32))
        for weight_ZQK, (queries, keys, columns) in zip(weights, spans(query_ZTX.shape[1], ctx.window), strict=True):
            grad_ZQX = grad_ZTX[:, queries]
            d_value[:, keys] += weight_ZQK.mT @ grad_ZQX
            d_logits_ZQK = (grad_ZQX @ value_ZTX[:, keys].mT).sub_(delta_ZT1[:, queries]).mul_(weight_ZQK)
            d_query[:, queries] = d_logits_ZQK @ key_ZTX[:, keys]
            d_key[:, keys] += d_logits_ZQK.mT @ query_ZTX[:, queries]
            d_bias_ZQL = d_logits_ZQK.new_zeros(*d_logits_ZQK.shape[:2], columns.stop - columns.start)
            skewed(d_bias_ZQL, keys.stop - keys.start).copy_(d_logits_ZQK)
            d_relative[:, queries] = d_bias_ZQL @ profile_RL[:, columns].mT
            d_profile[:, columns] += relative_ZTR[:, queries].flatten(0, 1).mT @ d_bias_ZQL.flatten(0, 1)
        d_profile = d_profile.to(profile_RL.dtype)
        return d_query.mul_(ctx.scale), d_key.mul_(ctx.scale), d_value, d_relative, d_profile, None, None, None


def attend_whole(
    query_BHTX: Tensor, key_BJTX: Tensor, value_BJTX: Tensor, relative_BHTR: Tensor, profile_RE: Tensor,
    window: int | None, extra: BlockBias | None,
) -> Tensor:  # fmt: skip
    """Causal attention of a whole sequence: (B, H, T, X)."""
    num_rows, num_heads, length, head_width = query_BHTX.shape
    group = num_heads // key_BJTX.shape[1]
    dtype = query_BHTX.dtype
    mixed_ZTX = BlockedAttention.apply(
        query_BHTX.flatten(0, 1),
        key_BJTX.to(dtype).repeat_interleave(group, dim=1).flatten(0, 1),
        value_BJTX.to(dtype).repeat_interleave(group, dim=1).flatten(0, 1),
        with_mask_state(relative_BHTR.to(dtype)).flatten(0, 1),
        masked_profile(profile_RE, length, QUERY_BLOCK, window).to(dtype),
        1.0 / head_width,
        window,
        extra,
    )
    return mixed_ZTX.unflatten(0, (num_rows, num_heads))
