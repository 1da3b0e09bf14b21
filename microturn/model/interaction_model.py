"""The interaction model: one decoder over a flat sequence of what is heard, seen, read, said and thought.

Legend: B rows, T positions, D width, V vocabulary.
"""

import torch
from torch import Tensor, nn

from microturn.model.attention import log_scale
from microturn.model.blocks import Block
from microturn.model.config import ModelConfig
from microturn.model.embeddings import AudioEmbedding, ImageEmbedding, SpeechEmbedding, TextEmbedding
from microturn.model.flow_head import FlowHead
from microturn.model.initialisation import initialise
from microturn.model.mask import Eviction
from microturn.model.normalisation import RmsNorm
from microturn.model.segment import Kind, Segment


class InteractionModel(nn.Module):
    """Inkling's backbone and inputs, with speech out and back in."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        backbone = config.backbone
        self.config = config
        self.text_in = TextEmbedding(backbone.vocab_size, backbone.width, backbone.norm_eps)
        self.audio_in = AudioEmbedding(config.audio_in, backbone.width)
        self.image_in = ImageEmbedding(config.video_in)
        self.blocks = nn.ModuleList(
            Block(backbone, attention, mlp) for attention, mlp in zip(backbone.layers, backbone.mlps, strict=True)
        )
        self.norm = RmsNorm(backbone.width, backbone.norm_eps)
        self.unembedding = nn.Linear(backbone.width, backbone.vocab_size, bias=False)
        if config.speech is not None:
            self.speech_in = SpeechEmbedding(config.speech, backbone.width, backbone.norm_eps)
            self.flow_head = FlowHead(config.speech, backbone.width)
        initialise(self)

    def embed(self, segment: Segment) -> Tensor:
        """Each position's embedding by its kind: (B, T, D). Padding gets some token's."""
        x_BTD = self.text_in(segment.token_BT)
        parts = (
            (Kind.AUDIO, segment.dmel_NM, "audio_in"),
            (Kind.IMAGE, segment.image_NP, "image_in"),
            (Kind.SPEECH, segment.speech_NP, "speech_in"),
        )
        for kind, values, name in parts:
            if values.shape[0]:
                where = (segment.kind_BT == kind).flatten().nonzero().squeeze(1)
                if len(where) != len(values):
                    raise ValueError(f"{len(values)} {kind.name} values for {len(where)} positions of that kind")
                embedded = getattr(self, name)(values).to(x_BTD.dtype)
                x_BTD = x_BTD.flatten(0, 1).index_copy(0, where, embedded).view(x_BTD.shape)
        return x_BTD

    def forward(self, segment: Segment) -> Tensor:
        """Normalised hidden states over a whole sequence from its start: (B, T, D)."""
        x_BTD = self.embed(segment)
        tau_T = self._log_scale(torch.arange(x_BTD.shape[1], device=x_BTD.device))
        eviction = Eviction.of(
            segment.turn_BT, segment.is_text_BT, self.config.eviction_turns, self.config.max_kept_text
        )
        for block in self.blocks:
            x_BTD = block(x_BTD, tau_T, eviction)
        return self.norm(x_BTD)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (..., D) to logits (..., V)."""
        backbone = self.config.backbone
        return self.unembedding(hidden / backbone.logits_divisor)[..., : backbone.num_logits]

    def _log_scale(self, position: Tensor) -> Tensor | None:
        backbone = self.config.backbone
        if backbone.log_scaling_floor is None:
            return None
        return log_scale(position, backbone.log_scaling_floor, backbone.log_scaling_alpha)
