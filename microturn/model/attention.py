"""Inkling's attention: normalised queries and keys, a learned relative bias instead of rotary positions.

A token's *relative states* mix a bank of *profiles*, each a bias for every distance backwards, so the bias of a query
and a key depends on what the query is and how far back the key lies.

Legend: B rows, T positions, D width, H query heads, J key/value heads, X head width, R relative width, E extent of
the bias; within a block of queries, Q queries and K keys.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from microturn.model.blocked_attention import QUERY_BLOCK, BlockedAttention
from microturn.model.config import AttentionKind, BackboneConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.mask import HIDDEN, Eviction
from microturn.model.normalisation import RmsNorm


class Attention(nn.Module):
    """One attention layer, up to its output projection."""

    def __init__(self, config: BackboneConfig, kind: AttentionKind) -> None:
        super().__init__()
        heads = config.heads(kind)
        self.num_heads, self.num_kv_heads, self.head_width = heads.num_heads, heads.num_kv_heads, heads.head_width
        self.kind = kind
        self.window = config.sliding_window if kind == "sliding" else None
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
        # Column j is the bias at distance E - 1 - j: in the order of the keys, so that a block reads a plain slice.
        self.profile_RE = nn.Parameter(torch.randn(config.relative_width, config.extent(kind)) * 0.02)

    def forward(self, x_BTD: Tensor, tau_T: Tensor | None = None, eviction: Eviction | None = None) -> Tensor:
        """Over a whole sequence from its start: (B, T, D) -> (B, T, D).

        ``tau`` scales the logits by position; ``eviction`` hides keys beyond causality and window.
        """
        raw_key, raw_value = self.key(x_BTD), self.value(x_BTD)
        query_BHTX, relative_BHTR = self.queries(x_BTD, tau_T)
        key_BJTX = self.keys(self.key_convolution(raw_key).to(raw_key.dtype))
        value_BJTX = self.split_heads(self.value_convolution(raw_value).to(raw_value.dtype), self.num_kv_heads)
        mixed_BHTX = self.attend_whole(query_BHTX, key_BJTX, value_BJTX, relative_BHTR, eviction)
        return self.output(mixed_BHTX.transpose(1, 2).flatten(2))

    def queries(self, x_BTD: Tensor, tau_T: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries (B, H, T, X) and relative states (B, H, T, R), both scaled by ``tau``."""
        query = self.query_norm(self.split_heads(self.query(x_BTD), self.num_heads))
        relative = self.split_heads(self.relative(x_BTD), self.num_heads)
        if tau_T is not None:
            query = (query.float() * tau_T[..., None]).to(query.dtype)
            relative = (relative.float() * tau_T[..., None]).to(relative.dtype)
        return query, relative

    def keys(self, key_BTC: Tensor) -> Tensor:
        """Convolved keys, split into heads and normalised: (B, J, T, X)."""
        return self.key_norm(self.split_heads(key_BTC, self.num_kv_heads))

    @staticmethod
    def split_heads(x_BTC: Tensor, num_heads: int) -> Tensor:
        """(B, T, heads x X) -> (B, heads, T, X)."""
        return x_BTC.unflatten(2, (num_heads, -1)).transpose(1, 2)

    def attend_whole(
        self, query_BHTX: Tensor, key_BJTX: Tensor, value_BJTX: Tensor, relative_BHTR: Tensor, eviction: Eviction | None
    ) -> Tensor:
        """Causal attention in blocks of queries, each over the keys that it can reach: (B, H, T, X)."""
        num_rows, num_heads, length, _ = query_BHTX.shape
        group = num_heads // self.num_kv_heads
        query_ZTX = query_BHTX.flatten(0, 1)
        key_ZTX = key_BJTX.repeat_interleave(group, dim=1).flatten(0, 1)
        value_ZTX = value_BJTX.repeat_interleave(group, dim=1).flatten(0, 1)
        # One more relative state, always one, mixes in the profile that hides what is ahead or beyond the window.
        relative_ZTR = F.pad(relative_BHTR.flatten(0, 1), (0, 1), value=1.0)
        profile_RL = self.masked_profile(length, QUERY_BLOCK).to(query_BHTX.dtype)
        extra = None
        if eviction is not None and self.kind == "global":
            extra = partial(eviction.bias, num_heads=num_heads)
        mixed_ZTX = BlockedAttention.apply(
            query_ZTX, key_ZTX, value_ZTX, relative_ZTR, profile_RL, 1.0 / self.head_width, self.window, extra
        )
        return mixed_ZTX.unflatten(0, (num_rows, num_heads))

    def masked_profile(self, num_past: int, num_queries: int) -> Tensor:
        """The bank for distances ``num_past - 1`` down to ``-(num_queries - 1)``, and a last row that hides.

        (R + 1, num_past + num_queries - 1). The bias is zero from the extent on; the last row is zero where a key is
        seen and HIDDEN ahead of the query and beyond the window.
        """
        extent = self.profile_RE.shape[1]
        bank = F.pad(self.profile_RE[:, max(0, extent - num_past) :], (max(0, num_past - extent), num_queries - 1))
        distance = torch.arange(num_past - 1, -num_queries, -1, device=bank.device)
        is_seen = (distance >= 0) & (distance < (self.window or num_past))
        return torch.cat([bank, torch.where(is_seen, 0.0, HIDDEN).to(bank.dtype)[None]])


def log_scale(position: Tensor, floor: int, alpha: float) -> Tensor:
    """The factor on the logits of a query at a position (0 first), fp32: 1 up to ``floor``, then growing."""
    return 1.0 + alpha * torch.log(((position + 1).float() / floor).clamp(min=1.0))
