"""What the model learns from a batch: tokens, speech patches, and auxiliaries that vanish at inference."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from microturn.data.packed import NUM_LETTER_CLASSES
from microturn.data.visual.patch_labels import NUM_CLASSES
from microturn.features.phones import NUM_PHONES, PAUSE, UNKNOWN_PHONE
from microturn.features.sequence import PATCH_VALUES
from microturn.model.interaction_model import InteractionModel
from microturn.model.normalisation import RmsNorm
from microturn.model.segment import Segment
from microturn.train.batches import Batch
from microturn.turns.vocabulary import Kind

NORM_EPS = 1e-6
OWN_FLOW_STEPS = 4
"""As many as when it is served."""


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights and noise."""

    token_weight: float = 2.0
    """Of the tokens' cross-entropy, most of whose terms are silence and soon cost nothing."""
    speech_weight: float = 1.0
    """Of the flow-matching loss."""
    flow_draws: int = 2
    """Draws of noise and time for each patch: the head is cheap beside the layers that its gradient steadies."""
    unguided_share: float = 0.1
    """Share of the flow's draws in training that are not told what to say, so that sampling can be guided."""
    letter_weight: float = 0.3
    """Of the auxiliary letters."""
    sound_weight: float = 1.0
    """Of the auxiliary phones of what is heard."""
    phone_weight: float = 1.0
    """Of the phones' cross-entropy."""
    next_word_weight: float = 0.15
    """Of the auxiliary next word."""
    patch_weight: float = 0.5
    """Of the auxiliary patch."""
    label_weight: float = 0.3
    """Of the auxiliary labels of what is seen, at the embedding and at the end."""
    patch_noise: float = 0.8
    """Greatest deviation of the noise on an utterance's patches that are fed back, in normalised units."""
    misspoken_share: float = 0.1
    """Greatest share of an utterance's phones that are fed back as any other phone, in training."""
    misheard_share: float = 0.1
    """Greatest share of a session's heard tokens that are fed back as any other token, in training."""
    hidden_share: float = 0.3
    """Share of utterances whose patches are fed back as nothing but noise."""
    own_batches: float = 0.0
    """Share of batches in which the model first speaks itself, which costs a forward pass more."""
    own_share: float = 0.7
    """In those, share of utterances that are fed back as the model spoke them."""


@dataclass(slots=True)
class Losses:
    """One batch's losses, with what people want to see beside them."""

    total: Tensor
    metrics: dict[str, Tensor]


class AuxiliaryHeads(nn.Module):
    """Hidden states to what their own losses tell late and dimly. Not part of the model.

    The letter just heard tells where in a word a hidden state stands. The phone just heard is asked half way up, so
    that the layers above have sounds to make words of: words say three times a second what was right, phones twenty
    times, and the same ones in every word (Toshniwal et al. 2017). The word that will be said next, if any will be
    soon, is asked at every decision and patch after a word: in a count, whether the number under way is the last is one
    decision in dozens of positions, and all of them can learn to know it. The mean of the next patch is told without
    the noise and the times that the flow's loss draws, so that its gradient says more about which sounds the words have
    (the prior loss of Grad-TTS, Popov et al. 2021). What is at each patch of a frame is asked of its image token, as
    the words that depend on what is seen are few: of its embedding, so that the eyes learn at once, and of its hidden
    state, which knows the rest of the picture and the time before (deep supervision, Lee et al. 2015).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heard = nn.Linear(width, NUM_LETTER_CLASSES)
        self.sounds = nn.Sequential(RmsNorm(width, NORM_EPS), nn.Linear(width, NUM_PHONES))
        self.ahead = nn.Linear(width, width)
        self.patch = nn.Linear(width, PATCH_VALUES)
        self.glimpsed = nn.Linear(width, sum(NUM_CLASSES))
        self.seen = nn.Linear(width, sum(NUM_CLASSES))
        for head in (self.ahead, self.patch):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def next_word(self, hidden_ND: Tensor) -> Tensor:
        """The hidden states that the model would have just before it says its next word, (N, D) to (N, D)."""
        return hidden_ND + self.ahead(hidden_ND)


def compute_losses(
    model: InteractionModel, auxiliaries: AuxiliaryHeads, batch: Batch, config: LossConfig, generator: torch.Generator
) -> Losses:
    """Forward pass and losses. ``generator`` is on the batch's device."""
    segment = batch.segment
    clean_NP = segment.speech_NP
    if len(clean_NP):
        segment.speech_NP = noisy_patches(segment, config, generator)
        if model.training and float(torch.rand((), generator=generator, device=clean_NP.device)) < config.own_batches:
            segment.speech_NP = own_patches(model, batch, config, generator)
    clean_BT = segment.token_BT
    if model.training:
        segment.token_BT = misheard_tokens(batch, config, generator)
        if len(clean_NP):
            segment.token_BT = misspoken_phones(segment, config, generator)
    embedded_BTD = model.embed(segment)
    halfway_ND, hidden_ND = (x_BTD.flatten(0, 1) for x_BTD in model.read_in_halves(embedded_BTD, segment))
    segment.speech_NP, segment.token_BT = clean_NP, clean_BT

    logits_NV = model.logits(hidden_ND[batch.token_at_N]).float()
    token_N = F.cross_entropy(logits_NV, batch.token_target_N, reduction="none")
    letters_NC = auxiliaries.heard(hidden_ND[batch.audio_at_N]).float()
    letter = F.cross_entropy(letters_NC, batch.letter_target_N)
    sounds_NC = auxiliaries.sounds(halfway_ND[batch.audio_at_N]).float()
    sound = _mean_known(sounds_NC, batch.sound_target_N)
    speech = phone = next_word = patch = label = token_N.new_zeros(())
    seen: dict[str, Tensor] = {}
    if len(batch.image_at_N):
        glimpsed_ND, seen_ND = embedded_BTD.flatten(0, 1)[batch.image_at_N], hidden_ND[batch.image_at_N]
        glimpse, _ = label_loss(auxiliaries.glimpsed(glimpsed_ND), batch.label_target_N3)
        at_the_end, label_accuracy = label_loss(auxiliaries.seen(seen_ND), batch.label_target_N3)
        label = glimpse + at_the_end
        seen = {
            "glimpse_loss": glimpse.detach(),
            "label_loss": at_the_end.detach(),
            "label_accuracy": label_accuracy.detach(),
        }
    if len(batch.next_word_at_N):
        next_words_NV = model.logits(auxiliaries.next_word(hidden_ND[batch.next_word_at_N])).float()
        next_word = F.cross_entropy(next_words_NV, batch.next_word_target_N)
    if len(batch.speech_at_N):
        speaking_ND = hidden_ND[batch.speech_at_N]
        if model.chooses_phones:
            phone = _mean_known(model.phone_head(speaking_ND).float(), batch.phone_target_N)
        cond_ND = model.flow_condition(speaking_ND, batch.phone_target_N)
        drawn_NP, drawn_ND = (x.repeat(config.flow_draws, 1) for x in (batch.speech_target_NP, cond_ND))
        if model.training:
            drawn_ND = without_condition(drawn_ND, config.unguided_share, generator)
        speech = model.flow_head.loss(drawn_NP, drawn_ND, generator).mean()
        patch = F.mse_loss(auxiliaries.patch(cond_ND).float(), batch.speech_target_NP)
    total = (
        config.token_weight * token_N.mean()
        + config.speech_weight * speech
        + config.phone_weight * phone
        + config.letter_weight * letter
        + config.sound_weight * sound
        + config.next_word_weight * next_word
        + config.patch_weight * patch
        + config.label_weight * label
    )
    with torch.no_grad():
        is_right_N = logits_NV.argmax(-1) == batch.token_target_N
        metrics = {
            "loss": total.detach(),
            "token_loss": token_N.detach().mean(),
            "speech_loss": speech.detach(),
            "letter_loss": letter.detach(),
            "sound_loss": sound.detach(),
            "phone_loss": phone.detach(),
            "next_word_loss": next_word.detach(),
            "patch_loss": patch.detach(),
            "token_accuracy": is_right_N.float().mean(),
            "sound_accuracy": _phone_accuracy(sounds_NC, batch.sound_target_N),
            "letter_accuracy": (letters_NC.argmax(-1) == batch.letter_target_N).float().mean(),
            **seen,
        }
    return Losses(total, metrics)


def compute_ears_losses(model: InteractionModel, auxiliaries: AuxiliaryHeads, batch: Batch) -> Losses:
    """Of the phones of what is heard alone: the upper half of the layers, the voice and the words take no part."""
    halfway_ND = model.read_halfway(batch.segment).flatten(0, 1)[batch.audio_at_N]
    sounds_NC = auxiliaries.sounds(halfway_ND).float()
    loss = _mean_known(sounds_NC, batch.sound_target_N)
    with torch.no_grad():
        metrics = {"ears_loss": loss.detach(), "ears_accuracy": _phone_accuracy(sounds_NC, batch.sound_target_N)}
    return Losses(loss, metrics)


def label_loss(logits_NL: Tensor, label_N3: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the three labels of each image token, and the share of tokens with all three right."""
    losses, is_right_N = [], torch.ones(len(label_N3), dtype=torch.bool, device=label_N3.device)
    for logits_NC, label_N in zip(logits_NL.float().split(NUM_CLASSES, 1), label_N3.unbind(1), strict=True):
        losses.append(F.cross_entropy(logits_NC, label_N))
        is_right_N &= logits_NC.argmax(-1) == label_N
    return torch.stack(losses).sum(), is_right_N.float().mean()


def without_condition(cond_ND: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Conditions with a share of them zero: what classifier-free guidance leads away from (Ho & Salimans 2022)."""
    is_left_N = torch.rand(len(cond_ND), generator=generator, device=cond_ND.device) >= share
    return cond_ND * is_left_N[:, None]


def misheard_tokens(batch: Batch, config: LossConfig, generator: torch.Generator) -> Tensor:
    """What is fed back of the words heard, (B, T): a share of them is replaced by other heard tokens, at random.

    The targets stay true. A model that is only shown true transcripts learns to guess the next word from those before
    it where it should listen, and one error of its own leads it astray (exposure bias; Bengio et al. 2015).
    """
    token_BT, at_N = batch.segment.token_BT, batch.heard_at_N
    return _confused(token_BT, at_N, at_N // token_BT.shape[1], len(token_BT), config.misheard_share, generator)


def misspoken_phones(segment: Segment, config: LossConfig, generator: torch.Generator) -> Tensor:
    """What is fed back of the phones, (B, T), beside all other tokens: a share of each utterance's is any other phone.

    The targets stay true, so that one wrong sound is not the end of a word (as ``misheard_tokens``).
    """
    at_N = (segment.kind_BT == Kind.SPEECH).flatten().nonzero().squeeze(1)
    utterance_N = _utterances(segment)
    num_utterances = int(utterance_N[-1]) + 1
    return _confused(segment.token_BT, at_N, utterance_N, num_utterances, config.misspoken_share, generator)


def _confused(
    token_BT: Tensor, at_N: Tensor, group_N: Tensor, num_groups: int, greatest_share: float, generator: torch.Generator
) -> Tensor:
    """Tokens of which some of those at ``at_N`` are another of them, at random: in each group a share of its own."""
    device = token_BT.device
    share_G = torch.rand(num_groups, generator=generator, device=device) * greatest_share
    is_wrong_N = torch.rand(len(at_N), generator=generator, device=device) < share_G[group_N]
    true_N = token_BT.flatten()[at_N]
    others_N = true_N[torch.randperm(len(true_N), generator=generator, device=device)]
    return token_BT.flatten().index_copy(0, at_N, torch.where(is_wrong_N, others_N, true_N)).view_as(token_BT)


def _mean_known(logits_NC: Tensor, target_N: Tensor) -> Tensor:
    """Mean cross-entropy over the targets that are known; 0 if none is."""
    loss_N = F.cross_entropy(logits_NC, target_N, ignore_index=UNKNOWN_PHONE, reduction="none")
    return loss_N.sum() / (target_N != UNKNOWN_PHONE).sum().clamp_min(1)


def _phone_accuracy(logits_NC: Tensor, target_N: Tensor) -> Tensor:
    """Share of the phones that are known and no pause that are right; 0 if there is none."""
    is_phone_N = (target_N != UNKNOWN_PHONE) & (target_N != PAUSE)
    is_right_N = (logits_NC.argmax(-1) == target_N) & is_phone_N
    return is_right_N.sum() / is_phone_N.sum().clamp_min(1)


def noisy_patches(segment: Segment, config: LossConfig, generator: torch.Generator) -> Tensor:
    """What is fed back of the model's own speech, (N, P): true patches under noise, one deviation an utterance.

    Each patch is easily told from the ones before it, so that with true patches alone the model learns to go on with a
    sound and not to read its own text, and what it says drifts from what it meant as soon as its own patches come back
    (exposure bias; noise as the cure: Rouard et al. 2025). Where patches are hidden, the text is all that there is.
    """
    clean_NP = segment.speech_NP
    utterance_N = _utterances(segment)
    num_utterances = int(utterance_N[-1]) + 1
    device = clean_NP.device
    scale_U = torch.rand(num_utterances, generator=generator, device=device) * config.patch_noise
    is_hidden_U = torch.rand(num_utterances, generator=generator, device=device) < config.hidden_share
    noise_NP = torch.randn(clean_NP.shape, generator=generator, device=device)
    noisy_NP = clean_NP + noise_NP * scale_U[utterance_N, None]
    return torch.where(is_hidden_U[utterance_N, None], noise_NP, noisy_NP)


def own_patches(model: InteractionModel, batch: Batch, config: LossConfig, generator: torch.Generator) -> Tensor:
    """What is fed back of the model's own speech, (N, P): for a share of the utterances what the model says there.

    Noise is not what its errors are like: a sound that is a little another sound, for several patches on end. So it
    speaks first, each patch after what is fed back already, all of them at once, and then learns to go on from that
    (scheduled sampling in parallel: Duckworth et al. 2019, Mihaylova & Martins 2019). The target stays clean.
    """
    fed_back_NP = batch.segment.speech_NP
    utterance_N = _utterances(batch.segment)
    device = fed_back_NP.device
    noise_NP = torch.randn(fed_back_NP.shape, generator=generator, device=device)
    is_own_U = torch.rand(int(utterance_N[-1]) + 1, generator=generator, device=device) < config.own_share
    guidance = model.config.speech.guidance if model.config.speech else 1.0
    with torch.no_grad():
        hidden_ND = model(batch.segment).flatten(0, 1)[batch.speech_at_N]
        schedule = model.flow_head.schedule(OWN_FLOW_STEPS, guidance)  # anew: the weights have changed
        cond_ND = model.flow_condition(hidden_ND, batch.phone_target_N)
        own_NP = model.flow_head.sample(cond_ND, noise_NP, schedule=schedule)
    return torch.where(is_own_U[utterance_N, None], own_NP.to(fed_back_NP.dtype), fed_back_NP)


def _utterances(segment: Segment) -> Tensor:
    """The number of the utterance that each speech patch belongs to, (N,): patches of turns that follow each other."""
    row_N, place_N = (segment.kind_BT == Kind.SPEECH).nonzero(as_tuple=True)
    turn_N = segment.turn_BT[row_N, place_N]
    begins_N = torch.cat([row_N.new_ones(1), ((row_N.diff() != 0) | (turn_N.diff() > 1)).long()])
    return begins_N.cumsum(0) - 1
