"""Attention compiled for training on a CPU against the one in blocks, which is tested against the textbook."""

import pytest
import torch
from torch import Tensor

from microturn.model import cpu_attention
from microturn.model.blocked_attention import attend_whole
from microturn.model.cpu_attention import attend_whole_compiled

pytestmark = pytest.mark.skipif(cpu_attention.load() is None, reason="no C++ compiler, or no bfloat16 products")

NAMES = ("output", "query", "key", "value", "relative", "profile")


def random_inputs(num_rows: int, length: int, extent: int) -> list[Tensor]:
    """States that bfloat16 holds exactly, so that both see the same, sharp enough for the bias and scores to matter."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(num_rows, heads, length, width) for heads, width in ((4, 64), (2, 64), (2, 64), (4, 16))]
    states = [torch.randn(shape, generator=generator).bfloat16().float() for shape in shapes]
    return [3 * states[0], 3 * states[1], *states[2:], torch.randn(16, extent, generator=generator)]


def values_and_gradients(attend, inputs: list[Tensor], window: int | None, dtype: torch.dtype) -> list[Tensor]:
    inputs = [x.detach().clone() for x in inputs]
    states = [x.to(dtype).requires_grad_() for x in inputs[:4]]
    profile = inputs[4].requires_grad_()
    output = attend(*states, profile, window, None)
    generator = torch.Generator().manual_seed(1)
    output.backward(torch.randn(output.shape, generator=generator).to(dtype))
    return [x.detach().float() for x in (output, *(x.grad for x in (*states, profile)))]


@pytest.mark.parametrize(
    ("num_rows", "length", "extent", "window"),
    [
        (2, 1, 64, None),
        (1, 64, 64, 64),
        (2, 150, 1024, 1024),
        (2, 333, 64, 64),
        (1, 333, 128, 100),
        (1, 333, 64, None),
        (1, 700, 1024, None),
    ],
)
def test_values_and_gradients_are_those_of_blocked_attention(
    num_rows: int, length: int, extent: int, window: int | None
) -> None:
    inputs = random_inputs(num_rows, length, extent)
    expected = values_and_gradients(attend_whole, inputs, window, torch.float32)
    ours = values_and_gradients(attend_whole_compiled, inputs, window, torch.bfloat16)
    plain = values_and_gradients(attend_whole, inputs, window, torch.bfloat16)
    for name, mine, theirs, rounded in zip(NAMES, ours, expected, plain, strict=True):
        error, usual = ((x - theirs).norm() / theirs.norm().clamp_min(1e-6) for x in (mine, rounded))
        assert error < max(0.01, float(usual)), name


def test_nothing_is_seen_ahead() -> None:
    inputs = random_inputs(1, 200, 64)
    before = values_and_gradients(attend_whole_compiled, inputs, 64, torch.bfloat16)[0]
    for states in inputs[:4]:
        states[:, :, 101:] = 7.0
    after = values_and_gradients(attend_whole_compiled, inputs, 64, torch.bfloat16)[0]
    assert torch.equal(before[:, :, :101], after[:, :, :101])
    assert not torch.equal(before[:, :, 101:], after[:, :, 101:])


def test_a_row_is_the_same_among_strangers() -> None:
    inputs = random_inputs(3, 150, 64)
    together = values_and_gradients(attend_whole_compiled, inputs, 64, torch.bfloat16)[0]
    alone = values_and_gradients(attend_whole_compiled, [x[1:2] for x in inputs[:4]] + inputs[4:], 64, torch.bfloat16)
    assert torch.equal(together[1:2], alone[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_it_cannot_do_blocked_attention_does(dtype: torch.dtype) -> None:
    """Other dtypes, and heads whose width fits no tile."""
    query, key, value, relative, profile = random_inputs(1, 70, 64)
    inputs = [query[..., :24], key[..., :24], value[..., :24], relative, profile]
    ours = values_and_gradients(attend_whole_compiled, inputs, 64, dtype)
    for mine, theirs in zip(ours, values_and_gradients(attend_whole, inputs, 64, dtype), strict=True):
        assert torch.equal(mine, theirs)
