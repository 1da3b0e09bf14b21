"""What the model learns from a batch: tokens, speech patches, and letters, an auxiliary that vanishes at inference."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from microturn.model.interaction_model import InteractionModel
from microturn.train.batches import Batch


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights and noise."""

    token_weight: float = 2.0
    """Of the tokens' cross-entropy, most of whose terms are silence and soon cost nothing."""
    speech_weight: float = 1.0
    """Of the flow-matching loss."""
    letter_weight: float = 0.3
    """Of the auxiliary letter at each audio token."""
    patch_noise: float = 0.3
    """Deviation of the noise on speech patches that are fed back, in normalised units: generation is never exact."""


@dataclass(slots=True)
class Losses:
    """One batch's losses, with what people want to see beside them."""

    total: Tensor
    metrics: dict[str, Tensor]


def compute_losses(
    model: InteractionModel, letter_head: nn.Linear, batch: Batch, config: LossConfig, generator: torch.Generator
) -> Losses:
    """Forward pass and losses. ``letter_head`` maps hidden states to letter classes and is not part of the model.

    ``generator`` is on the batch's device.
    """
    segment = batch.segment
    clean_NP = segment.speech_NP
    if config.patch_noise and len(clean_NP):
        device = clean_NP.device
        scale_N1 = torch.rand(len(clean_NP), 1, generator=generator, device=device) * config.patch_noise
        noise_NP = torch.randn(clean_NP.shape, generator=generator, device=device)
        segment.speech_NP = clean_NP + noise_NP * scale_N1
    hidden_ND = model(segment).flatten(0, 1)
    segment.speech_NP = clean_NP

    logits_NV = model.logits(hidden_ND[batch.token_at_N]).float()
    token_N = F.cross_entropy(logits_NV, batch.token_target_N, reduction="none")
    letters_NC = letter_head(hidden_ND[batch.audio_at_N]).float()
    letter = F.cross_entropy(letters_NC, batch.letter_target_N)
    if len(batch.speech_at_N):
        speech = model.flow_head.loss(batch.speech_target_NP, hidden_ND[batch.speech_at_N], generator).mean()
    else:
        speech = token_N.new_zeros(())
    total = config.token_weight * token_N.mean() + config.speech_weight * speech + config.letter_weight * letter
    with torch.no_grad():
        is_right_N = logits_NV.argmax(-1) == batch.token_target_N
        metrics = {
            "loss": total.detach(),
            "token_loss": token_N.detach().mean(),
            "speech_loss": speech.detach(),
            "letter_loss": letter.detach(),
            "token_accuracy": is_right_N.float().mean(),
            "letter_accuracy": (letters_NC.argmax(-1) == batch.letter_target_N).float().mean(),
        }
    return Losses(total, metrics)
