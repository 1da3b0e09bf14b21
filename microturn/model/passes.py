"""How a layer reaches what came before it in the sequence.

A layer's arithmetic is the same over a whole sequence and in a stream. What differs is where the history of its
convolutions and of its attention lies, and that is what a pass knows. ``StreamPass`` has a file of its own.

Legend: B rows, T positions, C channels, H query heads, J key/value heads, X head width, R relative width, E extent.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from microturn.model.attention_bias import log_scale
from microturn.model.blocked_attention import attend_whole
from microturn.model.config import AttentionKind, BackboneConfig, ModelConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.mask import Eviction
from microturn.model.segment import Segment


class Place(IntEnum):
    """Where in a layer a convolution stands."""

    KEY = 0
    VALUE = 1
    ATTENTION = 2
    MLP = 3


class States(NamedTuple):
    """What attention makes of the positions of one layer, before it looks at others."""

    query_BHTX: Tensor
    key_BJTX: Tensor
    value_BJTX: Tensor
    relative_BHTR: Tensor


class Convolve(Protocol):
    """A pass's convolutions in one layer."""

    def __call__(self, convolution: ShortConvolution, x_BTC: Tensor, *, place: Place) -> Tensor:
        """See ``Pass.convolve``."""
        ...


def convolve_whole(convolution: ShortConvolution, x_BTC: Tensor, *, place: Place) -> Tensor:
    """Whole sequences know no history, whatever the place."""
    return convolution(x_BTC)


class Pass(Protocol):
    """One forward's access to history."""

    def convolve(self, convolution: ShortConvolution, x_BTC: Tensor, layer: int, place: Place) -> Tensor:
        """The convolution of (B, T, C), fp32."""
        ...

    def logit_scale(self, kind: AttentionKind) -> Tensor | None:
        """The factor on a layer's logits by position, (B or 1, 1, T, 1); None is one."""
        ...

    def attend(
        self, query_BHTX: Tensor, key_BJTX: Tensor, value_BJTX: Tensor, relative_BHTR: Tensor, profile_RE: Tensor,
        layer: int,
    ) -> Tensor:  # fmt: skip
        """Attention of the new positions over all that they see: (B, H, T, X)."""
        ...


class WholePass:
    """Whole sequences from their start. Padding stands on the right, where causality hides it."""

    def __init__(self, config: ModelConfig, segment: Segment, attention: Callable[..., Tensor] = attend_whole) -> None:
        """``attention`` does as ``attend_whole`` does."""
        self.backbone = config.backbone
        self.attention = attention
        self.tau_11T1 = None
        if config.backbone.log_scaling_floor is not None:
            length = segment.kind_BT.shape[1]
            self.tau_11T1 = position_scale(config.backbone, torch.arange(length, device=segment.kind_BT.device)[None])
        self.eviction = Eviction.of(
            segment.turn_BT, segment.is_text_BT, config.eviction_turns, config.max_kept_text, segment.drop_BT
        )

    def convolve(self, convolution: ShortConvolution, x_BTC: Tensor, layer: int, place: Place) -> Tensor:
        """See ``Pass``."""
        return convolution(x_BTC)

    def logit_scale(self, kind: AttentionKind) -> Tensor | None:
        """See ``Pass``."""
        return self.tau_11T1 if kind == "global" else None

    def attend(
        self, query_BHTX: Tensor, key_BJTX: Tensor, value_BJTX: Tensor, relative_BHTR: Tensor, profile_RE: Tensor,
        layer: int,
    ) -> Tensor:  # fmt: skip
        """See ``Pass``."""
        if self.backbone.layers[layer] == "sliding":
            window, extra = self.backbone.sliding_window, None
        else:
            window = None
            extra = partial(self.eviction.bias, num_heads=query_BHTX.shape[1]) if self.eviction else None
        return self.attention(query_BHTX, key_BJTX, value_BJTX, relative_BHTR, profile_RE, window, extra)


def position_scale(config: BackboneConfig, position_BT: Tensor) -> Tensor:
    """``log_scale`` by position, to multiply heads' logits with: (B, 1, T, 1)."""
    assert config.log_scaling_floor is not None, "asked for only where logits are scaled"
    return log_scale(position_BT, config.log_scaling_floor, config.log_scaling_alpha)[:, None, :, None]
