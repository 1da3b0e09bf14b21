"""Inkling's relative bias, and the scaling of logits with position.

A token's *relative states* mix a bank of *profiles*, each a bias for every distance backwards, so the bias of a query
and a key depends on what the query is and on how far back the key lies. A bank's columns stand in the order of the
keys: falling distance, the last one distance 0.

Legend: Z heads (of some rows), R relative width, E extent, L distances; Q queries, K keys.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from microturn.model.mask import HIDDEN


def masked_profile(profile_RE: Tensor, num_past: int, num_queries: int, window: int | None) -> Tensor:
    """The bank for distances ``num_past - 1`` down to ``-(num_queries - 1)``, and a last row that hides.

    (R + 1, num_past + num_queries - 1). The bias is zero from the extent on. The last row, to be mixed in by a
    constant state of one, is zero where a key is seen and HIDDEN ahead of the query and beyond the window.
    """
    extent = profile_RE.shape[1]
    bank = F.pad(profile_RE[:, max(0, extent - num_past) :], (max(0, num_past - extent), num_queries - 1))
    distance = torch.arange(num_past - 1, -num_queries, -1, device=bank.device)
    is_seen = (distance >= 0) & (distance < (window or num_past))
    return torch.cat([bank, torch.where(is_seen, 0.0, HIDDEN).to(bank.dtype)[None]])


def with_mask_state(relative_ZQR: Tensor) -> Tensor:
    """The relative states and the constant one that mixes in the hiding row of ``masked_profile``: (Z, Q, R + 1)."""
    return F.pad(relative_ZQR, (0, 1), value=1.0)


def skewed(by_distance_ZQL: Tensor, num_keys: int) -> Tensor:
    """Values by falling distance, the first column the first key's for the last query, viewed by key: (Z, Q, K).

    Query q reads its row one column further left than query q - 1. Rows shift by themselves when the flat memory is
    read with rows one column shorter (Huang et al. 2018), so nothing is gathered or copied.
    """
    num_heads, num_queries, width = by_distance_ZQL.shape
    stride = (num_queries * width, width - 1, 1)
    offset = by_distance_ZQL.storage_offset() + num_queries - 1
    return by_distance_ZQL.as_strided((num_heads, num_queries, num_keys), stride, offset)


def contiguous_bias(relative_ZQR: Tensor, profile_RE: Tensor, num_keys: int, window: int | None) -> Tensor:
    """The bias, causality and window included, over keys that follow one another up to the last query: (Z, Q, K)."""
    num_queries, extent = relative_ZQR.shape[1], profile_RE.shape[1]
    near = num_keys if window else min(num_keys, extent + num_queries - 1)
    if num_queries == 1:
        bias_ZQK = relative_ZQR @ profile_RE[:, extent - near :]
    else:
        bank_RL = masked_profile(profile_RE, near, num_queries, window)
        bias_ZQK = skewed(with_mask_state(relative_ZQR) @ bank_RL, near)
    return bias_ZQK if near == num_keys else F.pad(bias_ZQK, (num_keys - near, 0))


def scattered_bias(relative_ZQR: Tensor, profile_RE: Tensor, distance_QK: Tensor) -> Tensor:
    """The bias, causality included, over keys at any distances: (Z, Q, K)."""
    extent = profile_RE.shape[1]
    by_distance_ZQE = relative_ZQR @ profile_RE
    column_QK = (extent - 1 - distance_QK).clamp(0, extent - 1)
    bias_ZQK = by_distance_ZQE.gather(2, column_QK.expand(len(by_distance_ZQE), -1, -1))
    return bias_ZQK.masked_fill(distance_QK >= extent, 0.0).masked_fill(distance_QK < 0, HIDDEN)


def log_scale(position: Tensor, floor: int, alpha: float) -> Tensor:
    """The factor on the logits of a query at a position (0 first), fp32: 1 up to ``floor``, then growing."""
    return 1.0 + alpha * torch.log(((position + 1).float() / floor).clamp(min=1.0))
