"""A layer for streaming: the same arithmetic as ``Block`` in fewer and larger products.

One token's step is bound by the number of operations and by the weights that it reads, so what reads the same input
is one matrix, laid out the way that a single row multiplies fastest, with the norm's weight before it and the scale
after it folded in. A fused layer is a copy: it does not follow its block's weights, and does not train.

Legend: B rows, T positions, D width, C channels, L taps, H query heads, J key/value heads, R relative width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from microturn.model.attention import Attention
from microturn.model.blocks import Block
from microturn.model.config import AttentionKind, BackboneConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.moe import DenseMlp
from microturn.model.passes import Pass, Place

FEW_POSITIONS = 16
"""Up to so many, windows are multiplied out: 6 us instead of 56 for seven positions of 256 channels."""


class FusedConvolution(ShortConvolution):
    """Short convolutions side by side, the residual among their taps."""

    def __init__(self, *parts: ShortConvolution) -> None:
        weight_CL = torch.cat([part.weight_CL.detach() for part in parts]).float()
        super().__init__(*weight_CL.shape)
        self.weight_CL = nn.Parameter(weight_CL, requires_grad=False)
        self.taps_LC = weight_CL.T.contiguous()
        self.taps_LC[-1] += 1.0

    def after(self, history_BSC: Tensor) -> Tensor:
        """See ``ShortConvolution``; for few positions one product and one sum, without a convolution's preparations."""
        num_taps = self.taps_LC.shape[0]
        if history_BSC.shape[1] == num_taps:
            return (history_BSC * self.taps_LC).sum(1, keepdim=True)
        if history_BSC.shape[1] <= FEW_POSITIONS + num_taps - 1:
            return (history_BSC.unfold(1, num_taps, 1).transpose(2, 3) * self.taps_LC).sum(2)
        return super().after(history_BSC)


class FusedBlock:
    """One decoder layer, to run without gradients."""

    def __init__(self, config: BackboneConfig, block: Block) -> None:
        attention, heads = block.attention, config.heads(block.attention.kind)
        self.config, self.layer = config, block.layer
        self.kind: AttentionKind = attention.kind
        self.num_heads, self.num_kv_heads = heads.num_heads, heads.num_kv_heads
        self.split = _widths(attention)
        parts = (attention.query, attention.key, attention.value, attention.relative)
        self.project_DC = _joined(parts, block.attention_norm.weight)
        self.query_norm, self.key_norm = attention.query_norm.weight.detach(), attention.key_norm.weight.detach()
        self.profile_RE = attention.profile_RE.detach()
        self.output_CD = _joined((attention.output,), None)
        self.kv_convolution = FusedConvolution(attention.key_convolution, attention.value_convolution)
        self.attention_convolution = FusedConvolution(block.attention_convolution)
        self.mlp_convolution = FusedConvolution(block.mlp_convolution)
        self.mlp_norm, self.mlp = block.mlp_norm, block.mlp
        if isinstance(block.mlp, DenseMlp):
            self.mlp = _FusedMlp(block.mlp, block.mlp_norm.weight)
            self.mlp_norm = self._normalised

    def __call__(self, x_BTD: Tensor, history: Pass) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        mixed = self._attention(x_BTD, history) @ self.output_CD
        x_BTD = x_BTD + history.convolve(self.attention_convolution, mixed, self.layer, Place.ATTENTION)
        mixed = self.mlp(self.mlp_norm(x_BTD))
        return x_BTD + history.convolve(self.mlp_convolution, mixed, self.layer, Place.MLP)

    def _normalised(self, x_BTD: Tensor) -> Tensor:
        return F.rms_norm(x_BTD, x_BTD.shape[-1:], None, self.config.norm_eps)

    def _attention(self, x_BTD: Tensor, history: Pass) -> Tensor:
        projected_BTC = self._normalised(x_BTD) @ self.project_DC
        query, raw_kv, relative = projected_BTC.split(self.split, dim=2)
        kv = history.convolve(self.kv_convolution, raw_kv, self.layer, Place.KEY)
        # Keys' heads, then values': one split for both.
        key_BTJX, value_BTJX = kv.unflatten(2, (2 * self.num_kv_heads, -1)).chunk(2, dim=2)
        query_BTHX, relative_BTHR = (part.unflatten(2, (self.num_heads, -1)) for part in (query, relative))
        eps, width = self.config.norm_eps, self.query_norm.shape
        query_BHTX = F.rms_norm(query_BTHX, width, self.query_norm, eps).transpose(1, 2)
        key_BJTX = F.rms_norm(key_BTJX, width, self.key_norm, eps).transpose(1, 2)
        relative_BHTR, tau_B1T1 = relative_BTHR.transpose(1, 2), history.logit_scale(self.kind)
        if tau_B1T1 is not None:
            query_BHTX, relative_BHTR = query_BHTX * tau_B1T1, relative_BHTR * tau_B1T1
        value_BJTX = value_BTJX.transpose(1, 2)
        mixed_BHTX = history.attend(query_BHTX, key_BJTX, value_BJTX, relative_BHTR, self.profile_RE, self.layer)
        return mixed_BHTX.transpose(1, 2).flatten(2)


class _FusedMlp:
    """SwiGLU, gate and up as one product."""

    def __init__(self, mlp: DenseMlp, norm_weight: Tensor) -> None:
        self.gate_up_DC = _joined((mlp.gate, mlp.up), norm_weight)
        self.down_CD = _joined((mlp.down,), None) * mlp.scale.detach()

    def __call__(self, x_BTD: Tensor) -> Tensor:
        gate, up = (x_BTD @ self.gate_up_DC).chunk(2, dim=2)
        return (F.silu(gate) * up) @ self.down_CD


def _widths(attention: Attention) -> tuple[int, int, int]:
    """Channels of the queries, of keys and values together, and of the relative states."""
    kv_width = attention.key.out_features + attention.value.out_features
    return attention.query.out_features, kv_width, attention.relative.out_features


def _joined(linears: tuple[nn.Linear, ...], norm_weight: Tensor | None) -> Tensor:
    """Linear maps of one input as one matrix, input first; a norm's weight before them folded in."""
    weight_CD = torch.cat([linear.weight.detach() for linear in linears])
    if norm_weight is not None:
        weight_CD = weight_CD * norm_weight.detach()
    return weight_CD.T.contiguous()
