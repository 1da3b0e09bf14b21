"""The members of the family, each a function that returns its configuration."""

import torch

from microturn.features.phones import NUM_PHONES
from microturn.model.config import (
    AttentionKind,
    BackboneConfig,
    FoldConfig,
    HeadsConfig,
    MlpKind,
    ModelConfig,
    MoeConfig,
    SpeechConfig,
    VideoInConfig,
)
from microturn.model.interaction_model import InteractionModel


def layer_pattern(num_layers: int, global_every: int) -> tuple[AttentionKind, ...]:
    """Sliding layers, every ``global_every``-th global."""
    return tuple("sliding" if (i + 1) % global_every else "global" for i in range(num_layers))


def mlp_pattern(num_layers: int, num_dense: int) -> tuple[MlpKind, ...]:
    """Dense layers first, then sparse ones."""
    return tuple("dense" if i < num_dense else "sparse" for i in range(num_layers))


def nano(vocab_size: int, *, can_see: bool = False) -> ModelConfig:
    """The model that ships with the project: live on two CPU cores. Sight is 0.8M parameters more."""
    width, heads = 256, HeadsConfig(num_heads=4, num_kv_heads=2, head_width=64)
    return ModelConfig(
        backbone=BackboneConfig(
            vocab_size=vocab_size,
            width=width,
            layers=layer_pattern(8, global_every=4),
            mlps=mlp_pattern(8, num_dense=8),
            sliding_heads=heads,
            global_heads=heads,
            sliding_window=1024,
            relative_extent=1024,
            dense_width=704,
        ),
        video_in=nano_sight(width) if can_see else None,
        speech=SpeechConfig(num_phones=NUM_PHONES, guidance=2.5),
    )


def nano_sight(width: int) -> VideoInConfig:
    """Three layers instead of Inkling's four, and narrow: a token of what is seen costs half as much to embed as to
    run through the layers. By Inkling's proportions (128, 1216) it would cost four times as much. The two frames are
    folded before the last layer: that is linear, and movement is a difference of either sign."""
    return VideoInConfig(
        folds=(
            FoldConfig(time=1, space=5, out_width=64),
            FoldConfig(time=2, space=4, out_width=256),
            FoldConfig(time=1, space=2, out_width=width),
        )
    )


def small() -> ModelConfig:
    """Inkling-Small's geometry with a flow head: 263.7B parameters in the backbone, 12.0B active."""
    width, heads = 4096, HeadsConfig(num_heads=32, num_kv_heads=8, head_width=128)
    return ModelConfig(
        backbone=BackboneConfig(
            vocab_size=201_024,
            num_logits=200_058,
            width=width,
            layers=layer_pattern(42, global_every=6),
            mlps=mlp_pattern(42, num_dense=2),
            sliding_heads=heads,
            global_heads=heads,
            sliding_window=512,
            relative_extent=1024,
            log_scaling_floor=128_000,
            log_scaling_alpha=0.1,
            dense_width=16_384,
            moe=MoeConfig(num_experts=256, num_chosen=6, num_shared=2, expert_width=2048, route_scale=8.0),
            logits_divisor=16.0,
        ),
        video_in=VideoInConfig(
            folds=(
                FoldConfig(time=1, space=5, out_width=128),
                FoldConfig(time=1, space=2, out_width=320),
                FoldConfig(time=1, space=4, out_width=4800),
                FoldConfig(time=2, space=1, out_width=width),
            )
        ),
        speech=SpeechConfig(in_width=1024, head_width=1024, num_blocks=6, num_phones=NUM_PHONES),
    )


def count_parameters(config: ModelConfig) -> tuple[int, int]:
    """Parameters of a whole model: in all, and those that one token's step reads.

    A step reads one row of the text table, the chosen experts (a router's row counts as its expert's), and everything
    else once; what embeds audio and images is read only where they come in.
    """
    model = _on_meta(config)
    inputs = sum(p.numel() for name, p in model.named_parameters() if name.startswith(("audio_in.", "image_in.")))
    table = model.text_in.table.numel() - config.backbone.width
    total = sum(p.numel() for p in model.parameters())
    return total, total - inputs - table - _idle_experts(config)


def count_backbone(config: ModelConfig) -> tuple[int, int]:
    """Parameters of the backbone with both its text tables, as the published labels count: in all, and active."""
    model = _on_meta(config)
    parts = (model.text_in, model.blocks, model.norm, model.unembedding)
    total = sum(p.numel() for part in parts for p in part.parameters())
    return total, total - _idle_experts(config)


def _on_meta(config: ModelConfig) -> InteractionModel:
    with torch.device("meta"):
        return InteractionModel(config)


def _idle_experts(config: ModelConfig) -> int:
    moe = config.backbone.moe
    if moe is None:
        return 0
    per_expert = 3 * moe.expert_width * config.backbone.width + config.backbone.width
    return config.backbone.mlps.count("sparse") * (moe.num_experts - moe.num_chosen) * per_expert
