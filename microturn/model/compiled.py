"""A layer for training: what lies before and behind its attention, each compiled into a few loops.

Where matrix products are fast, a layer's time goes into what stands between them: norms, convolutions, casts. Compiled,
all layers share two functions, of any length and number of rows.
"""

import functools
import os
import shutil
from collections.abc import Callable

import torch
from torch import Tensor

from microturn.model.blocks import Block
from microturn.model.flow_head import FlowHead
from microturn.model.passes import Pass, States, WholePass, convolve_whole


def can_compile(device: str) -> bool:
    """Whether ``torch.compile`` finds what it needs: on a CPU, a C++ compiler."""
    return device != "cpu" or any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++"))


class CompiledBlock:
    """One decoder layer over whole sequences, the block's own weights behind it."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def __call__(self, x_BTD: Tensor, history: Pass) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        assert isinstance(history, WholePass), "a stream has layers of its own"
        attention, layer = self.block.attention, self.block.layer
        x_BTD = x_BTD.float()  # as the first convolution makes it, so that the first layer's functions are the others'
        before, after = _compiled()
        states = before(self.block, x_BTD, history.logit_scale(attention.kind))
        mixed_BHTX = history.attend(*states, attention.profile_RE, layer)
        return after(self.block, x_BTD, mixed_BHTX)


@functools.cache
def _compiled() -> tuple[Callable[..., States], Callable[..., Tensor]]:
    """For all layers. When first called, not when imported: the compiler takes seconds to load."""
    return torch.compile(_before, dynamic=True), torch.compile(_after, dynamic=True)


def _before(block: Block, x_BTD: Tensor, tau_B1T1: Tensor | None) -> States:
    return block.before(x_BTD, convolve_whole, tau_B1T1)


def _after(block: Block, x_BTD: Tensor, mixed_BHTX: Tensor) -> Tensor:
    return block.after(x_BTD, mixed_BHTX, convolve_whole)


def compile_flow(head: FlowHead) -> None:
    """The same for the network behind the flow head's loss."""
    head.velocity = torch.compile(head.velocity, dynamic=True)  # pyright: ignore[reportAttributeAccessIssue]
