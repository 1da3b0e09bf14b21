"""A whole model in miniature with random weights: it babbles, but everything that a real one does, it does."""

from dataclasses import dataclass

import torch

from microturn.features.mel import NUM_BANDS, MelStatistics
from microturn.features.phones import NUM_PHONES
from microturn.features.tokenizer import Tokenizer
from microturn.features.vocoder import Vocoder, VocoderConfig
from microturn.model.config import (
    BackboneConfig,
    FoldConfig,
    HeadsConfig,
    ModelConfig,
    SpeechConfig,
    VideoInConfig,
)
from microturn.model.interaction_model import InteractionModel

_WIDTH = 32
_WORDS = "one two three four five say count stop hello yes no " * 4


@dataclass(frozen=True, kw_only=True, slots=True)
class TinyParts:
    """What a checkpoint holds."""

    model: InteractionModel
    tokenizer: Tokenizer
    statistics: MelStatistics
    vocoder: Vocoder


def tiny_config(vocab_size: int, *, eviction_turns: int | None = 3) -> ModelConfig:
    """Both kinds of attention, windows that a short session outruns."""
    return ModelConfig(
        backbone=BackboneConfig(
            vocab_size=vocab_size,
            width=_WIDTH,
            layers=("sliding", "global", "sliding", "global"),
            mlps=("dense",) * 4,
            sliding_heads=HeadsConfig(num_heads=4, num_kv_heads=2, head_width=8),
            global_heads=HeadsConfig(num_heads=2, num_kv_heads=1, head_width=16),
            sliding_window=24,
            relative_extent=40,
            log_scaling_floor=50,
            dense_width=64,
        ),
        video_in=VideoInConfig(
            folds=(
                FoldConfig(time=1, space=5, out_width=8),
                FoldConfig(time=1, space=4, out_width=16),
                FoldConfig(time=2, space=2, out_width=_WIDTH),
            )
        ),
        speech=SpeechConfig(in_width=16, head_width=24, time_width=8, num_blocks=2, num_phones=NUM_PHONES),
        eviction_turns=eviction_turns,
        max_kept_text=40,
    )


def tiny_parts(seed: int = 0, *, eviction_turns: int | None = 3) -> TinyParts:
    """A tokenizer, a model that now speaks, now writes, now keeps silent, and a vocoder."""
    tokenizer = Tokenizer.train([_WORDS], 280)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = InteractionModel(tiny_config(tokenizer.vocabulary.size, eviction_turns=eviction_turns)).eval()
        _enliven(model, tokenizer)
        vocoder = Vocoder(VocoderConfig(width=16, hidden=16, num_blocks=1)).eval()
    return TinyParts(
        model=model.requires_grad_(requires_grad=False),
        tokenizer=tokenizer,
        statistics=MelStatistics(mean=(-5.0,) * NUM_BANDS, deviation=(1.5,) * NUM_BANDS),
        vocoder=vocoder.requires_grad_(requires_grad=False),
    )


@torch.no_grad()
def _enliven(model: InteractionModel, tokenizer: Tokenizer) -> None:
    """Moves what starts as zero or one, and makes special tokens as likely as all text together."""
    for name, parameter in model.named_parameters():
        if "convolution" in name or "profile" in name:
            parameter.copy_(0.3 * torch.randn_like(parameter))
        elif parameter.ndim == 1:
            parameter.copy_(1.0 + 0.2 * torch.randn_like(parameter))
        elif name.startswith(("flow_head", "phone_head", "speech_in")) and not parameter.any():
            parameter.copy_(0.1 * torch.randn_like(parameter))
    model.unembedding.weight[tokenizer.vocabulary.num_text :] *= 3.0
