"""Attention in blocks against the textbook form, values and gradients."""

import pytest
import torch
from torch import Tensor

from microturn.model import blocked_attention
from microturn.model.attention_bias import contiguous_bias, scattered_bias
from microturn.model.blocked_attention import attend_whole
from microturn.model.mask import Eviction

LENGTH = 37


def textbook(inputs: list[Tensor], window: int | None, hidden: Tensor | None) -> Tensor:
    """One (T, T) matrix of logits, its bias gathered by distance."""
    query, key, value, relative, profile = inputs
    extent, group = profile.shape[1], query.shape[1] // key.shape[1]
    distance = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    by_distance = (relative @ profile).flip(-1)
    index = distance.clamp(0, extent - 1).expand(*by_distance.shape[:2], -1, -1)
    bias = by_distance.gather(-1, index).masked_fill((distance < 0) | (distance >= extent), 0.0)
    is_hidden = (distance < 0) | (distance >= (window or LENGTH))
    logits = query @ key.repeat_interleave(group, 1).mT / query.shape[-1] + bias
    logits = logits.masked_fill(is_hidden, -torch.inf)
    if hidden is not None:
        logits = logits + hidden
    return logits.softmax(-1) @ value.repeat_interleave(group, 1)


def random_inputs(extent: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 4, LENGTH, 8), (2, 2, LENGTH, 8), (2, 2, LENGTH, 8), (2, 4, LENGTH, 3), (3, extent)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize(("window", "extent"), [(10, 10), (None, 10), (64, 64), (None, 64), (1, 1)])
@pytest.mark.parametrize("block", [1, 8, 256])
@pytest.mark.parametrize("is_evicting", [False, True])
def test_values_and_gradients(
    window: int | None, extent: int, block: int, is_evicting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocked_attention, "QUERY_BLOCK", block)
    inputs = random_inputs(extent)
    extra = hidden = None
    if is_evicting and window is None:
        turn_BT = (torch.arange(LENGTH) // 4).expand(2, -1)
        is_text_BT = torch.rand(2, LENGTH, generator=torch.Generator().manual_seed(1)) < 0.3
        eviction = Eviction.of(turn_BT, is_text_BT, eviction_turns=2, max_kept_text=4)
        assert eviction is not None

        def extra(queries: slice, keys: slice, dtype: torch.dtype) -> Tensor:
            return eviction.bias(queries, keys, dtype, num_heads=4)

        everything = slice(0, LENGTH)
        hidden = extra(everything, everything, torch.float64).unflatten(0, (2, 4))
    ours, expected = attend_whole(*inputs, window, extra), textbook(inputs, window, hidden)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for mine, theirs in zip(
        torch.autograd.grad(ours, inputs, grad), torch.autograd.grad(expected, inputs, grad), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("num_queries", [1, 5])
@pytest.mark.parametrize("num_keys", [5, 9, 30])
def test_both_forms_of_a_streams_bias_agree(num_queries: int, num_keys: int) -> None:
    generator = torch.Generator().manual_seed(3)
    relative_ZQR = torch.randn(4, num_queries, 3, generator=generator)
    profile_RE = torch.randn(3, 9, generator=generator)
    query = torch.arange(num_keys - num_queries, num_keys)
    scattered = scattered_bias(relative_ZQR, profile_RE, query[:, None] - torch.arange(num_keys))
    contiguous = contiguous_bias(relative_ZQR, profile_RE, num_keys, None)
    torch.testing.assert_close(contiguous, scattered)
