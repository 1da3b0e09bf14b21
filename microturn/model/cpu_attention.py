"""``attend_whole`` for training on a CPU: one compiled function that keeps no scores, in ``cpu_attention.cpp``.

It is built when it is first asked for, with the C++ compiler that ``torch.compile`` needs too, and kept by torch in its
folder of extensions. Where it cannot be built or cannot run there is ``BlockedAttention``, which it agrees with.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from microturn.model.blocked_attention import BlockBias, attend_whole

logger = logging.getLogger(__name__)

FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-fopenmp-simd", "-ffast-math")
SOURCE = Path(__file__).with_suffix(".cpp")
WIDTH_MULTIPLE = 32
RELATIVE_MULTIPLE = 16
EXTENT_MULTIPLE = 64


@functools.cache
def load() -> Any | None:
    """The extension, built if need be; None where it cannot be had, which a warning says."""
    # Here and not above: who only talks to a model needs neither it nor the setuptools that it imports.
    from torch.utils import cpp_extension

    # Where ninja comes as a Python package, it lies beside the interpreter.
    os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))
    try:
        extension: Any = cpp_extension.load("microturn_cpu_attention", [str(SOURCE)], extra_cflags=list(FLAGS))
    except (OSError, RuntimeError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        logger.warning("attention is not compiled, training will be slower (%s): install g++ and ninja", reason)
        return None
    if not extension.can_run():
        logger.warning("attention is not compiled, training will be slower: this processor multiplies no bfloat16")
        return None
    return extension


class CpuAttention(torch.autograd.Function):
    """See ``BlockedAttention``: states (B, T, heads, X) in bfloat16, the bank of profiles in float32."""

    @staticmethod
    def forward(
        ctx: Any, query_BTHX: Tensor, key_BTJX: Tensor, value_BTJX: Tensor, relative_BTHR: Tensor, profile_RE: Tensor,
        scale: float, window: int,
    ) -> Tensor:  # fmt: skip
        """(B, T, H, X). A ``window`` of 0 reaches back to the start."""
        inputs = query_BTHX, key_BTJX, value_BTJX, relative_BTHR, profile_RE
        output_BTHX, log_sum_BHT = _extension().forward(*inputs, scale, window)
        ctx.save_for_backward(*inputs, output_BTHX, log_sum_BHT)
        ctx.scale, ctx.window = scale, window
        return output_BTHX

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the first five inputs, from that of the output."""
        grad_BTHX = grads[0] if grads[0].stride(3) == 1 else grads[0].contiguous()
        return (*_extension().backward(grad_BTHX, *ctx.saved_tensors, ctx.scale, ctx.window), None, None)


def _extension() -> Any:
    extension = load()
    assert extension is not None, "attention_for_training gives this only where it can be had"
    return extension


def attention_for_training() -> Callable[..., Tensor]:
    """``attend_whole``, compiled where that can be had."""
    return attend_whole if load() is None else attend_whole_compiled


def attend_whole_compiled(
    query_BHTX: Tensor, key_BJTX: Tensor, value_BJTX: Tensor, relative_BHTR: Tensor, profile_RE: Tensor,
    window: int | None, extra: BlockBias | None,
) -> Tensor:  # fmt: skip
    """See ``attend_whole``, which does what this cannot: other dtypes and odd widths, and an ``extra`` mask."""
    width, extent = query_BHTX.shape[3], profile_RE.shape[1]
    is_fit = query_BHTX.dtype == torch.bfloat16 and width % WIDTH_MULTIPLE == 0 and extent % EXTENT_MULTIPLE == 0
    if extra is not None or not is_fit or relative_BHTR.shape[3] % RELATIVE_MULTIPLE:
        return attend_whole(query_BHTX, key_BJTX, value_BJTX, relative_BHTR, profile_RE, window, extra)
    states = (x.transpose(1, 2).to(torch.bfloat16) for x in (query_BHTX, key_BJTX, value_BJTX, relative_BHTR))
    output_BTHX = CpuAttention.apply(
        *(x if x.stride(3) == 1 else x.contiguous() for x in states), profile_RE, 1.0 / width, window or 0
    )
    return output_BTHX.transpose(1, 2)
