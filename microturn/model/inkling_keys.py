"""Names and layouts of Inkling's weights: as `transformers` has them, and as the hub's files do.

Each ``Link`` ties one of their tensors to one or two of ours. The hub interleaves gate and up rows in one tensor.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from microturn.model.config import BackboneConfig, ModelConfig

Dialect = Literal["transformers", "hub"]


@dataclass(frozen=True, slots=True)
class Link:
    """One tensor of theirs, and what it is of ours."""

    theirs: str
    ours: tuple[str, ...]
    encode: Callable[[list[Tensor]], Tensor] = lambda tensors: tensors[0]
    """Ours to theirs."""
    decode: Callable[[Tensor], list[Tensor]] = lambda tensor: [tensor]
    """Theirs to ours."""


def links(config: ModelConfig, dialect: Dialect) -> Iterator[Link]:
    """Every tensor of a model of this configuration, speech apart: Inkling has none."""
    column = 0 if dialect == "transformers" else 1
    for ours, theirs in _OUTSIDE.items():
        yield Link(theirs[column], (ours,))
    folds = config.video_in.folds if config.video_in is not None else ()
    last = len(folds) - 1
    for fold in range(last + 1):
        linear, norm = _FOLD[column]
        yield Link(linear.format(fold), (f"image_in.folds.{fold}.linear.weight",))
        if fold < last:
            yield Link(norm.format(fold), (f"image_in.folds.{fold}.norm.weight",))
    prefix = ("model.language_model.layers", "model.llm.layers")[column]
    for layer in range(len(config.backbone.layers)):
        for link in _layer(config.backbone, layer, column):
            ours = tuple(f"blocks.{layer}.{name}" for name in link.ours)
            yield Link(f"{prefix}.{layer}.{link.theirs}", ours, link.encode, link.decode)


_OUTSIDE = {
    "text_in.table": ("model.language_model.embed_tokens.weight", "model.llm.embed.weight"),
    "text_in.norm.weight": ("model.language_model.embed_tokens.embed_norm.weight", "model.llm.embed_norm.weight"),
    "norm.weight": ("model.language_model.norm.weight", "model.llm.norm.weight"),
    "unembedding.weight": ("lm_head.weight", "model.llm.unembed.weight"),
    "audio_in.table": (
        "model.audio_tower.embed_audio_tokens.embed_audio_tokens.weight",
        "model.audio.encoder.weight",
    ),
    "audio_in.norm.weight": ("model.audio_tower.norm.weight", "model.audio.final_norm.weight"),
    "image_in.norm.weight": ("model.vision_tower.final_norm.weight", "model.visual.final_norm.weight"),
}
_FOLD = (
    (
        "model.vision_tower.encoder_layers.{}.projection.weight",
        "model.vision_tower.encoder_layers.{}.layer_norm.weight",
    ),
    ("model.visual.layers.linear_{}.weight", "model.visual.layers.norm_{}.weight"),
)
_PLAIN = {
    "attention_norm.weight": ("input_layernorm.weight", "attn_norm.weight"),
    "mlp_norm.weight": ("post_attention_layernorm.weight", "mlp_norm.weight"),
    "attention.query.weight": ("self_attn.q_proj.weight", "attn.wq_du.weight"),
    "attention.key.weight": ("self_attn.k_proj.weight", "attn.wk_dv.weight"),
    "attention.value.weight": ("self_attn.v_proj.weight", "attn.wv_dv.weight"),
    "attention.relative.weight": ("self_attn.r_proj.weight", "attn.wr_du.weight"),
    "attention.output.weight": ("self_attn.o_proj.weight", "attn.wo_ud.weight"),
    "attention.query_norm.weight": ("self_attn.q_norm.weight", "attn.q_norm.weight"),
    "attention.key_norm.weight": ("self_attn.k_norm.weight", "attn.k_norm.weight"),
}
_CONVOLUTIONS = {
    "attention.key_convolution.weight_CL": ("self_attn.k_sconv.conv1d.weight", "attn.k_sconv.weight"),
    "attention.value_convolution.weight_CL": ("self_attn.v_sconv.conv1d.weight", "attn.v_sconv.weight"),
    "attention_convolution.weight_CL": ("attn_sconv.conv1d.weight", "attn_sconv.weight"),
    "mlp_convolution.weight_CL": ("mlp_sconv.conv1d.weight", "mlp_sconv.weight"),
}
_PROFILE = ("self_attn.rel_logits_proj.proj", "attn.rel_logits_proj.proj")
_DENSE = {
    "mlp.down.weight": ("mlp.down_proj.weight", "mlp.w2_md.weight"),
    "mlp.scale": ("mlp.global_scale", "mlp.global_scale"),
}
_SPARSE = {
    "mlp.router.weight": ("mlp.gate.weight", "mlp.gate.weight"),
    "mlp.router.scale": ("mlp.gate.global_scale", "mlp.gate.global_scale"),
    "mlp.router.correction_E": ("mlp.gate.e_score_correction_bias", "mlp.gate.bias"),
    "mlp.down_EDF": ("mlp.experts.down_proj", "mlp.experts.w2_weight"),
    "mlp.shared_down_SDF": ("mlp.shared_experts.down_proj", "mlp.shared_experts.shared_w2_weight"),
}


def _layer(config: BackboneConfig, layer: int, column: int) -> Iterator[Link]:
    is_dense = config.mlps[layer] == "dense"
    for ours, theirs in {**_PLAIN, **(_DENSE if is_dense else _SPARSE)}.items():
        yield Link(theirs[column], (ours,))
    for ours, theirs in _CONVOLUTIONS.items():
        yield Link(theirs[column], (ours,), lambda t: t[0][:, None], lambda t: [t.flatten(1)])
    # Ours stands in the order of the keys, theirs in the order of distance.
    yield Link(_PROFILE[column], ("attention.profile_RE",), lambda t: t[0].flip(1), lambda t: [t.flip(1)])
    yield from _gates(is_dense=is_dense, is_hub=column == 1)


def _gates(*, is_dense: bool, is_hub: bool) -> Iterator[Link]:
    dense, shared = ("mlp.gate.weight", "mlp.up.weight"), ("mlp.shared_gate_SFD", "mlp.shared_up_SFD")
    if is_hub and is_dense:
        yield Link("mlp.w13_dn.weight", dense, lambda t: _interleave(t, 0), lambda t: _deinterleave(t, 0))
    elif is_hub:
        yield Link(
            "mlp.shared_experts.shared_w13_weight", shared, lambda t: _interleave(t, 1), lambda t: _deinterleave(t, 1)
        )
        yield Link(
            "mlp.experts.w13_weight",
            ("mlp.gate_up_EFD",),
            lambda t: _interleave(list(t[0].chunk(2, dim=1)), 1),
            lambda t: [torch.cat(_deinterleave(t, 1), dim=1)],
        )
    elif is_dense:
        yield Link("mlp.gate_proj.weight", dense[:1])
        yield Link("mlp.up_proj.weight", dense[1:])
    else:
        yield Link("mlp.shared_experts.gate_proj", shared[:1])
        yield Link("mlp.shared_experts.up_proj", shared[1:])
        yield Link("mlp.experts.gate_up_proj", ("mlp.gate_up_EFD",))


def _interleave(tensors: list[Tensor], dim: int) -> Tensor:
    return torch.stack(tensors, dim=dim + 1).flatten(dim, dim + 1)


def _deinterleave(tensor: Tensor, dim: int) -> list[Tensor]:
    return list(tensor.unflatten(dim, (-1, 2)).unbind(dim + 1))
