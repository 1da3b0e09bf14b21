"""Inkling's attention layer: normalised queries and keys, a learned relative bias instead of rotary positions.

Legend: B rows, T positions, D width, H query heads, J key/value heads, X head width, R relative width, E extent.
"""

import torch
from torch import Tensor, nn

from microturn.model.config import AttentionKind, BackboneConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.normalisation import RmsNorm
from microturn.model.passes import Convolve, Place, States


class Attention(nn.Module):
    """One attention layer's maps: before ``Pass.attend`` and after it."""

    def __init__(self, config: BackboneConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.kind: AttentionKind = config.layers[layer]
        heads = config.heads(self.kind)
        self.num_heads, self.num_kv_heads = heads.num_heads, heads.num_kv_heads
        q_width, kv_width = heads.num_heads * heads.head_width, heads.num_kv_heads * heads.head_width
        self.query = nn.Linear(config.width, q_width, bias=False)
        self.key = nn.Linear(config.width, kv_width, bias=False)
        self.value = nn.Linear(config.width, kv_width, bias=False)
        self.relative = nn.Linear(config.width, heads.num_heads * config.relative_width, bias=False)
        self.output = nn.Linear(q_width, config.width, bias=False)
        self.key_convolution = ShortConvolution(kv_width, config.conv_taps)
        self.value_convolution = ShortConvolution(kv_width, config.conv_taps)
        self.query_norm = RmsNorm(heads.head_width, config.norm_eps)
        self.key_norm = RmsNorm(heads.head_width, config.norm_eps)
        # Column j is the bias at distance E - 1 - j: in the order of the keys, so that a span of keys is a plain slice.
        self.profile_RE = nn.Parameter(torch.randn(config.relative_width, config.extent(self.kind)) * 0.02)

    def project(self, x_BTD: Tensor, convolve: Convolve, tau_B1T1: Tensor | None) -> States:
        """What ``Pass.attend`` takes, from (B, T, D)."""
        raw_key, raw_value = self.key(x_BTD), self.value(x_BTD)
        key = convolve(self.key_convolution, raw_key, place=Place.KEY).to(raw_key.dtype)
        value = convolve(self.value_convolution, raw_value, place=Place.VALUE).to(raw_value.dtype)
        query_BHTX = self.query_norm(_split_heads(self.query(x_BTD), self.num_heads))
        relative_BHTR = _split_heads(self.relative(x_BTD), self.num_heads)
        if tau_B1T1 is not None:
            query_BHTX = (query_BHTX.float() * tau_B1T1).to(query_BHTX.dtype)
            relative_BHTR = (relative_BHTR.float() * tau_B1T1).to(relative_BHTR.dtype)
        key_BJTX = self.key_norm(_split_heads(key, self.num_kv_heads))
        return States(query_BHTX, key_BJTX, _split_heads(value, self.num_kv_heads), relative_BHTR)

    def leave(self, mixed_BHTX: Tensor) -> Tensor:
        """What the heads attended to -> (B, T, D)."""
        return self.output(mixed_BHTX.transpose(1, 2).flatten(2))


def _split_heads(x_BTC: Tensor, num_heads: int) -> Tensor:
    """(B, T, heads x X) -> (B, heads, T, X)."""
    return x_BTC.unflatten(2, (num_heads, -1)).transpose(1, 2)
