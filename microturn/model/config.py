"""What a model is made of, as values. Every width is written out: nothing is derived behind the reader's back."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from microturn.errors import CheckpointError
from microturn.turns.micro_turn import MEL_BANDS
from microturn.turns.timing import EVICTION_TURNS, MAX_KEPT_TEXT_TOKENS, MEL_FRAMES_PER_PATCH

AttentionKind = Literal["sliding", "global"]
MlpKind = Literal["dense", "sparse"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadsConfig:
    """The heads of one kind of attention layer."""

    num_heads: int
    num_kv_heads: int
    """Each serves ``num_heads / num_kv_heads`` query heads."""
    head_width: int

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}")


@dataclass(frozen=True, kw_only=True, slots=True)
class MoeConfig:
    """A sparse layer: routed experts, of which a few are chosen, and shared ones that always run."""

    num_experts: int
    num_chosen: int
    num_shared: int
    expert_width: int
    route_scale: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneConfig:
    """Inkling's decoder."""

    vocab_size: int
    """Rows of the embedding and of the unembedding."""
    num_logits: int | None = None
    """Logits kept when the unembedding is padded; None keeps all."""
    width: int
    layers: tuple[AttentionKind, ...]
    mlps: tuple[MlpKind, ...]
    sliding_heads: HeadsConfig
    global_heads: HeadsConfig
    sliding_window: int
    """A sliding layer sees this many positions, its own included; also the extent of its relative bias."""
    relative_width: int = 16
    relative_extent: int
    """Global layers: distances from this one on have no relative bias."""
    log_scaling_floor: int | None = None
    """Global layers: position past which logits grow with the logarithm of the position; None never."""
    log_scaling_alpha: float = 0.1
    conv_taps: int = 4
    dense_width: int
    moe: MoeConfig | None = None
    logits_divisor: float = 1.0
    """muP: hidden states are divided by this before the unembedding."""
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.mlps):
            raise ValueError(
                f"{len(self.layers)} attention kinds for {len(self.mlps)} MLP kinds: give one of each a layer"
            )
        if "sparse" in self.mlps and self.moe is None:
            raise ValueError("a sparse layer needs a MoeConfig: set moe")

    def heads(self, kind: AttentionKind) -> HeadsConfig:
        """The heads of a layer of this kind."""
        return self.global_heads if kind == "global" else self.sliding_heads

    def extent(self, kind: AttentionKind) -> int:
        """Distances below this have a relative bias in a layer of this kind."""
        return self.relative_extent if kind == "global" else self.sliding_window


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioInConfig:
    """dMel in: each mel band of a token is one of a few levels."""

    num_bands: int = MEL_BANDS
    num_levels: int = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class FoldConfig:
    """One layer of the hMLP: neighbours in time and space are folded into depth, then mixed."""

    time: int
    space: int
    """Folds space x space neighbours."""
    out_width: int


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInConfig:
    """hMLP over a pair of 40x40 patches. The last layer's width is the backbone's."""

    folds: tuple[FoldConfig, ...]
    patch_pixels: int = 40
    patch_frames: int = 2
    num_channels: int = 3

    def __post_init__(self) -> None:
        space, time = 1, 1
        for fold in self.folds:
            space, time = space * fold.space, time * fold.time
        if (space, time) != (self.patch_pixels, self.patch_frames):
            raise ValueError(
                f"the folds cover {time} frames of {space} pixels, "
                f"a patch has {self.patch_frames} of {self.patch_pixels}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechConfig:
    """Speech out and back in: patches of normalised log mel, and the flow-matching head that makes them."""

    patch_width: int = MEL_BANDS * MEL_FRAMES_PER_PATCH
    in_width: int = 256
    """Hidden width of the embedding of a patch."""
    head_width: int = 384
    time_width: int = 64
    """Width of the code of the flow's time, a single number."""
    num_blocks: int = 4
    num_phones: int = 0
    """Sounds, one of which is chosen before each patch (``PhoneHead``); 0: patches follow from hidden states alone."""
    guidance: float = 1.0
    """How far sampling is led by the condition: see ``FlowHead.schedule``. Changes no weight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """A whole interaction model. Without ``speech`` it is Inkling: text, audio and image in, text out."""

    backbone: BackboneConfig
    audio_in: AudioInConfig = AudioInConfig()
    video_in: VideoInConfig | None = None
    """None: a model that has not learnt to see."""
    speech: SpeechConfig | None = SpeechConfig()
    eviction_turns: int | None = EVICTION_TURNS
    """Global layers see what is not text for this many turns; None for ever."""
    max_kept_text: int = MAX_KEPT_TEXT_TOKENS
    """Global layers see this many of the latest text tokens. Without eviction it has no effect."""

    def __post_init__(self) -> None:
        if self.video_in is not None and self.video_in.folds[-1].out_width != self.backbone.width:
            raise ValueError(
                f"the hMLP ends at width {self.video_in.folds[-1].out_width}, "
                f"the backbone is {self.backbone.width} wide"
            )

    def to_json(self) -> str:
        """As text, for ``config.json``."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote. Raises CheckpointError if it is anything else."""
        try:
            return _build(cls, json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                f"config.json is not a microturn model's ({error}): download the checkpoint again, or convert it "
                "with microturn.model.checkpoint"
            ) from error


_PARTS: dict[str, type] = {
    "backbone": BackboneConfig,
    "sliding_heads": HeadsConfig,
    "global_heads": HeadsConfig,
    "moe": MoeConfig,
    "audio_in": AudioInConfig,
    "video_in": VideoInConfig,
    "folds": FoldConfig,
    "speech": SpeechConfig,
}


def _build(cls: type, values: dict[str, Any]) -> Any:
    unknown = values.keys() - {field.name for field in fields(cls)}
    if unknown:
        raise ValueError(f"{cls.__name__} has no {', '.join(sorted(unknown))}")
    return cls(**{name: _read(name, value) for name, value in values.items()})


def _read(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(name, item) for item in value)
    if isinstance(value, dict):
        return _build(_PARTS[name], value)
    return value
