"""Small random models and sequences for the tests of the model."""

import torch
from torch import Tensor, nn

from microturn.model.config import (
    AudioInConfig,
    BackboneConfig,
    FoldConfig,
    HeadsConfig,
    ModelConfig,
    MoeConfig,
    SpeechConfig,
    VideoInConfig,
)
from microturn.model.interaction_model import InteractionModel
from microturn.model.segment import Kind, Segment

WIDTH = 48


def small_config(**backbone: object) -> ModelConfig:
    """Both kinds of attention and of MLP, local heads unlike global, windows that tests outrun."""
    values: dict[str, object] = {
        "vocab_size": 64,
        "num_logits": 61,
        "width": WIDTH,
        "layers": ("sliding", "global", "sliding", "global"),
        "mlps": ("dense", "sparse", "sparse", "dense"),
        "sliding_heads": HeadsConfig(num_heads=4, num_kv_heads=2, head_width=8),
        "global_heads": HeadsConfig(num_heads=6, num_kv_heads=1, head_width=12),
        "sliding_window": 9,
        "relative_width": 5,
        "relative_extent": 13,
        "log_scaling_floor": 7,
        "log_scaling_alpha": 0.3,
        "conv_taps": 4,
        "dense_width": 56,
        "moe": MoeConfig(num_experts=6, num_chosen=2, num_shared=2, expert_width=16, route_scale=2.5),
        "logits_divisor": 3.0,
    }
    return ModelConfig(
        backbone=BackboneConfig(**{**values, **backbone}),  # type: ignore[arg-type]
        audio_in=AudioInConfig(num_bands=10, num_levels=16),
        video_in=VideoInConfig(
            folds=(
                FoldConfig(time=1, space=5, out_width=16),
                FoldConfig(time=1, space=4, out_width=24),
                FoldConfig(time=2, space=2, out_width=WIDTH),
            )
        ),
        speech=SpeechConfig(patch_width=20, in_width=16, head_width=24, time_width=8, num_blocks=2, num_phones=7),
        eviction_turns=3,
        max_kept_text=12,
    )


@torch.no_grad()
def randomise(module: nn.Module, seed: int) -> None:
    """Every parameter and buffer off its default, norms, scales, convolutions and correction biases included."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.copy_(1.0 + 0.3 * noise)
        elif name.endswith(("profile_RE", "rel_logits_proj.proj")) or "conv" in name:
            parameter.copy_(0.5 * noise)
        else:
            parameter.copy_(1.5 * noise * parameter.shape[-1] ** -0.5)
    for name, buffer in module.named_buffers():
        if "correction" in name:
            buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))


def random_model(seed: int, config: ModelConfig | None = None) -> InteractionModel:
    """A model whose every part matters."""
    model = InteractionModel(config or small_config()).eval()
    randomise(model, seed)
    return model


def random_segment(config: ModelConfig, num_rows: int, length: int, seed: int, tokens_per_turn: int = 4) -> Segment:
    """Rows of all kinds mixed, turns of about ``tokens_per_turn`` positions."""
    generator = torch.Generator().manual_seed(seed)

    def integers(high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, shape, generator=generator)

    kind_BT = integers(4, num_rows, length).to(torch.uint8)
    kind_BT[integers(2, num_rows, length) == 0] = Kind.TEXT
    is_token = kind_BT == Kind.TEXT
    num = {kind: int((kind_BT == kind).sum()) for kind in Kind}
    assert config.speech is not None
    token_BT = integers(config.backbone.num_logits or config.backbone.vocab_size, num_rows, length) * is_token
    if config.speech.num_phones:
        token_BT += integers(config.speech.num_phones, num_rows, length) * (kind_BT == Kind.SPEECH)
    return Segment(
        kind_BT=kind_BT,
        token_BT=token_BT,
        dmel_NM=integers(config.audio_in.num_levels, num[Kind.AUDIO], config.audio_in.num_bands).to(torch.uint8),
        image_NP=torch.randn(num[Kind.IMAGE], 2, 40, 40, 3, generator=generator),
        speech_NP=torch.randn(num[Kind.SPEECH], config.speech.patch_width, generator=generator),
        turn_BT=(integers(tokens_per_turn, num_rows, length) == 0).cumsum(1).to(torch.int32),
        is_text_BT=is_token & (integers(3, num_rows, length) > 0),
    )


def row_slice(segment: Segment, row: int, start: int, stop: int) -> Segment:
    """Positions [start, stop) of one row, as a segment of one row."""
    stop = min(stop, segment.kind_BT.shape[1])
    kind_BT = segment.kind_BT
    before = kind_BT.flatten()[: row * kind_BT.shape[1] + start]
    inside = kind_BT[row, start:stop]

    def contents(values: Tensor, kind: Kind) -> Tensor:
        first = int((before == kind).sum())
        return values[first : first + int((inside == kind).sum())]

    return Segment(
        kind_BT=inside[None],
        token_BT=segment.token_BT[row : row + 1, start:stop],
        dmel_NM=contents(segment.dmel_NM, Kind.AUDIO),
        image_NP=contents(segment.image_NP, Kind.IMAGE),
        speech_NP=contents(segment.speech_NP, Kind.SPEECH),
        turn_BT=segment.turn_BT[row : row + 1, start:stop],
        is_text_BT=segment.is_text_BT[row : row + 1, start:stop],
    )
