"""Inkling's own ``config.json`` as a configuration of ours."""

from typing import Any

from microturn.errors import CheckpointError
from microturn.model.config import (
    AttentionKind,
    AudioInConfig,
    BackboneConfig,
    FoldConfig,
    HeadsConfig,
    MlpKind,
    ModelConfig,
    MoeConfig,
    VideoInConfig,
)

_FOLDS = ((1, 5, 128), (1, 2, 320), (1, 4, 4800), (2, 1, None))
"""Time, space and width of the four layers over patches of 2 x 40 x 40; the last is as wide as the backbone."""


def from_inkling_config(values: dict[str, Any]) -> ModelConfig:
    """A model without speech or eviction, which is what Inkling is.

    Takes both the released files and what `transformers` writes. Raises CheckpointError for what we do not build.
    """
    try:
        text, audio, vision = values["text_config"], values["audio_config"], values["vision_config"]
        backbone = _backbone(text)
        layers = vision.get("n_layers", vision.get("num_hidden_layers"))
        patch = (vision["patch_size"], vision["temporal_patch_size"], vision.get("n_channels", 3), layers)
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"config.json is not Inkling's (no {error}): give Inkling's own config.json") from error
    if patch != (40, 2, 3, len(_FOLDS)):
        raise CheckpointError(
            f"patches of (pixels, frames, channels, layers) {patch}: only Inkling's (40, 2, 3, 4) is built"
        )
    folds = tuple(FoldConfig(time=t, space=s, out_width=width or backbone.width) for t, s, width in _FOLDS)
    return ModelConfig(
        backbone=backbone,
        audio_in=AudioInConfig(num_bands=audio["n_mel_bins"], num_levels=audio["mel_vocab_size"]),
        video_in=VideoInConfig(folds=folds),
        speech=None,
        eviction_turns=None,
    )


def _backbone(text: dict[str, Any]) -> BackboneConfig:
    if text.get("hidden_act", "silu") != "silu":
        raise CheckpointError(f"MLPs with {text['hidden_act']}: only silu is built")
    # Released files give the dense width apart; there ``intermediate_size`` is the experts'.
    is_released = text.get("dense_intermediate_size") is not None
    return BackboneConfig(
        vocab_size=text["vocab_size"],
        num_logits=text.get("unpadded_vocab_size"),
        width=text["hidden_size"],
        layers=_layers(text),
        mlps=_mlps(text),
        sliding_heads=_heads(text, "swa_"),
        global_heads=_heads(text, ""),
        sliding_window=text["sliding_window_size"],
        relative_width=text["d_rel"],
        relative_extent=text["rel_extent"],
        log_scaling_floor=text.get("log_scaling_n_floor"),
        log_scaling_alpha=text.get("log_scaling_alpha", 0.1),
        conv_taps=text.get("sconv_kernel_size") or text["conv_kernel_size"],
        dense_width=text["dense_intermediate_size" if is_released else "intermediate_size"],
        moe=MoeConfig(
            num_experts=text["n_routed_experts"],
            num_chosen=text["num_experts_per_tok"],
            num_shared=text["n_shared_experts"],
            expert_width=text["intermediate_size" if is_released else "moe_intermediate_size"],
            route_scale=text["route_scale"],
        ),
        logits_divisor=text["logits_mup_width_multiplier"],
        norm_eps=text["rms_norm_eps"],
    )


def _heads(text: dict[str, Any], prefix: str) -> HeadsConfig:
    return HeadsConfig(
        num_heads=text[f"{prefix}num_attention_heads"],
        num_kv_heads=text[f"{prefix}num_key_value_heads"],
        head_width=text[f"{prefix}head_dim"],
    )


def _layers(text: dict[str, Any]) -> tuple[AttentionKind, ...]:
    if text.get("layer_types") is not None:
        return tuple("sliding" if kind == "hybrid_sliding" else "global" for kind in text["layer_types"])
    local = set(text["local_layer_ids"])
    return tuple("sliding" if layer in local else "global" for layer in range(text["num_hidden_layers"]))


def _mlps(text: dict[str, Any]) -> tuple[MlpKind, ...]:
    if text.get("mlp_layer_types") is not None:
        return tuple(text["mlp_layer_types"])
    num_dense = text.get("dense_mlp_idx", 0)
    return tuple("dense" if layer < num_dense else "sparse" for layer in range(text["num_hidden_layers"]))
