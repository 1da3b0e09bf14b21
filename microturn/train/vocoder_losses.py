"""What the vocoder is trained against: what the synthesiser meant, and what it sounds like.

Dimensions: B clips, T mel frames (hops), M mel bands, K pitches, S samples, F bins and W samples of a window.
"""

import torch
from torch import Tensor

from microturn.features.mel import LEFT_PAD_SAMPLES, mel_of_tensor
from microturn.features.vocoder import Filters, Vocoder, pitch_octaves
from microturn.train.vocoder_data import Batch, blur
from microturn.turns.timing import MEL_HOP_SAMPLES

_STFT_SIZES = (512, 1024, 2048)
# The spectrum's value where the mel's own floor lies: quieter than this is not heard by the vocoder.
_MIN_MAGNITUDE = 2e-3


def vocoder_losses(vocoder: Vocoder, batch: Batch, rng: torch.Generator, num_warm: int) -> dict[str, Tensor]:
    """Each weighted term of the loss, over the frames after the warm ones."""
    num_clips = batch.pitch_hz_BT.shape[0]
    heard_BTM = mel_of_tensor(batch.samples_BS[:, LEFT_PAD_SAMPLES:], batch.samples_BS[:, :LEFT_PAD_SAMPLES])
    filters, _ = vocoder.filters(blur(heard_BTM, rng), vocoder.initial_state(num_clips).convs)
    noise_BTS = torch.randn(batch.pulses_BTS.shape, generator=rng)
    sources_B2TS = torch.stack([batch.pulses_BTS, noise_BTS], dim=1)
    silence_BS = torch.zeros_like(batch.pulses_BTS[:, 0])
    made_BS, _, _ = vocoder.synthesise(filters, sources_B2TS[:, :, 1:], sources_B2TS[:, :, 0], silence_BS)
    meant_BS = batch.target_BTS[:, :-1].flatten(1)
    skip = num_warm * MEL_HOP_SAMPLES
    made_BS, meant_BS = made_BS[:, skip:], meant_BS[:, skip:]
    return {
        **_source_losses(filters, batch, num_warm),
        "complex": 0.5 * _complex_loss(vocoder, filters, batch, num_warm),
        "stft": torch.stack([_stft_loss(made_BS, meant_BS, size) for size in _STFT_SIZES]).mean(),
        "mel": 2.0 * (mel_of_tensor(made_BS) - mel_of_tensor(meant_BS))[:, 3:].abs().mean(),
    }


def _source_losses(filters: Filters, batch: Batch, num_warm: int) -> dict[str, Tensor]:
    """Against what the synthesiser meant: voicing, pitch, and the filter on the pulses."""
    hz_BT = batch.pitch_hz_BT[:, num_warm:]
    voiced_BT = (hz_BT > 0).float()
    num_voiced = voiced_BT.sum().clamp_min(1)
    # The two nearest choices share the weight so that its mean is the pitch itself.
    octaves_K = pitch_octaves()
    spacing = octaves_K[1] - octaves_K[0]
    octave_BT = torch.log2(hz_BT.clamp_min(1.0) / 100.0).clamp(octaves_K[0], octaves_K[-1])
    share_BTK = (1 - (octave_BT[..., None] - octaves_K).abs() / spacing).clamp_min(0)
    pitch_BT = -(share_BTK * filters.pitch_BTK[:, num_warm:]).sum(2)
    mean_error_BT = (filters.pitch_BTK[:, num_warm:].exp() @ octaves_K - octave_BT).abs()
    gain_BTF = batch.gain_BTF[:, num_warm:]
    # Harmonics that can be heard matter; the mask is that of the hop's middle, not of its end.
    heard_BTF = (batch.pulses_BTS[:, 1 + num_warm :].abs().amax(2) > 0).float()[..., None] * (
        (gain_BTF + 14.0) / 5.0
    ).clamp(0.02, 1.0)
    num_heard = heard_BTF.sum().clamp_min(1)
    gain_error = (filters.pulse_gain_BTF[:, num_warm:] - gain_BTF).abs()
    phase_error = 1 - torch.cos(filters.pulse_phase_BTF[:, num_warm:] - batch.phase_BTF[:, num_warm:])
    return {
        "voicing": torch.nn.functional.binary_cross_entropy_with_logits(filters.voicing_BT[:, num_warm:], voiced_BT),
        "pitch": 0.3 * (pitch_BT * voiced_BT).sum() / num_voiced,
        "octave": 5.0 * (mean_error_BT * voiced_BT).sum() / num_voiced,
        "gain": 0.3 * (gain_error * heard_BTF).sum() / num_heard,
        "phase": 0.3 * (phase_error * heard_BTF).sum() / num_heard,
    }


def _complex_loss(vocoder: Vocoder, filters: Filters, batch: Batch, num_warm: int) -> Tensor:
    """The voiced part against the sound itself, phase and all, each bin by the level around it."""
    pulses_BTW = torch.cat([batch.pulses_BTS[:, :-1], batch.pulses_BTS[:, 1:]], 2)[:, num_warm:]
    target_BTW = torch.cat([batch.target_BTS[:, :-1], batch.target_BTS[:, 1:]], 2)[:, num_warm:]
    pulses_BTF = torch.fft.rfft(pulses_BTW * vocoder.window_W)
    target_BTF = torch.fft.rfft(target_BTW * vocoder.window_W)
    gain_BTF = torch.polar(filters.pulse_gain_BTF.exp(), filters.pulse_phase_BTF)[:, num_warm:]
    level_BTF = torch.nn.functional.avg_pool1d(target_BTF.abs(), 31, 1, 15, count_include_pad=False) + 0.01
    error_BTF = (pulses_BTF * gain_BTF - target_BTF).abs() / level_BTF
    voiced_BT1 = (pulses_BTW.abs().amax(2, keepdim=True) > 0).float()
    return (error_BTF * voiced_BT1).mean(2).sum() / voiced_BT1.sum().clamp_min(1)


def _stft_loss(made_BS: Tensor, meant_BS: Tensor, size: int) -> Tensor:
    """Log magnitudes, and magnitudes relative to the clip's level (Yamamoto et al. 2020)."""
    window = torch.hann_window(size)

    def magnitude(samples_BS: Tensor) -> Tensor:
        spectrum = torch.stft(samples_BS, size, size // 4, window=window, center=False, return_complex=True)
        return torch.view_as_real(spectrum).square().sum(-1).clamp_min(_MIN_MAGNITUDE**2).sqrt()

    made, meant = magnitude(made_BS), magnitude(meant_BS)
    return (made.log() - meant.log()).abs().mean() + (made - meant).norm() / meant.norm().clamp_min(1e-3)
