"""From the mel of our speech to samples: a small causal source-filter vocoder.

A ConvNeXt trunk (as in Vocos, Siuzdak 2023) reads the mel and predicts, for each hop, the pitch and two filters. A
pulse train at that pitch goes through the first, white noise through the second, frame by frame in the Fourier
domain, overlap-added (as in the harmonic-plus-noise vocoders NSF and HiFTNet). Pitch and phase thus come from
an oscillator rather than from the network, which learns one voice well in minutes and keeps it free of buzz when the
mel is generated and blurred.

Streaming is explicit: everything remembered between calls is in ``VocoderState``, and any way of cutting a mel into
pieces gives the same samples.

Dimensions: B sessions, T mel frames (hops), M mel bands, S samples, C channels, K pitches, F bins of the FFT,
W samples of its window.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from microturn.errors import CheckpointError
from microturn.features.mel import NUM_BANDS, SILENT_LOG_MEL
from microturn.turns.timing import MEL_HOP_SAMPLES, OUT_HZ

WINDOW_SAMPLES = 2 * MEL_HOP_SAMPLES
"""Two hops: with a root-Hann window before and after filtering, overlapping frames sum to one exactly."""
NUM_BINS = WINDOW_SAMPLES // 2 + 1

_MIN_PITCH_HZ = 45.0
_PITCH_STEP_HZ = 0.25
"""Far below what can be heard, far above rounding: a batch of another shape has the very same pitch, and so phase."""
_NUM_PITCHES = 65
"""Pitches that the trunk chooses among, from 44 to 400 Hz: a choice learns faster than a number."""
_LOW_OCTAVE, _HIGH_OCTAVE = -1.2, 2.0
_MAX_HARMONIC_HZ = 11_000.0
_MAX_LOG_GAIN = 4.0
# Speech's mel lies between -9 and 3: these bring it near zero mean and unit deviation.
_MEL_SHIFT = 5.0
_MEL_SCALE = 0.4


@dataclass(frozen=True, kw_only=True, slots=True)
class VocoderConfig:
    """The shape of a vocoder."""

    width: int = 256
    """Channels of the trunk."""
    hidden: int = 512
    """Channels inside a block."""
    num_blocks: int = 4
    """Blocks of the trunk."""
    kernel_frames: int = 7
    """Frames that a block's convolution sees, the present one included."""
    lookahead_frames: int = 1
    """Frames of mel that are known beyond the frame being synthesised: better onsets, at a hop of latency each."""
    noise_hops: int = 512
    """Period of the noise, in hops."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VocoderState:
    """What streams remember between calls; one row a session."""

    convs: tuple[Tensor, ...]
    """The frames that each convolution still sees: (B, C, kernel - 1) each, the input's first."""
    pitch_hz_B: Tensor
    """Pitch at the end of the last hop, 0 where it is unvoiced."""
    phase_B: Tensor
    """The oscillator's phase there, in cycles, float64."""
    hop_B: Tensor
    """Hops since the stream began, modulo the noise's period."""
    source_B2S: Tensor
    """Pulses and noise of the last hop, (B, 2, 300)."""
    overlap_BS: Tensor
    """The last frame's second half, still to be added to: (B, 300)."""

    def rows(self, index: Tensor) -> "VocoderState":
        """The state of some sessions, in the order of ``index``."""
        return VocoderState(
            convs=tuple(tail[index] for tail in self.convs),
            pitch_hz_B=self.pitch_hz_B[index],
            phase_B=self.phase_B[index],
            hop_B=self.hop_B[index],
            source_B2S=self.source_B2S[index],
            overlap_BS=self.overlap_BS[index],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What the trunk predicts for each hop."""

    pulse_gain_BTF: Tensor
    """Natural log of the pulses' gain."""
    pulse_phase_BTF: Tensor
    """The pulses' phase, in radians."""
    noise_gain_BTF: Tensor
    """Natural log of the noise's gain."""
    pitch_BTK: Tensor
    """Log probabilities of ``pitch_octaves()``."""
    voicing_BT: Tensor
    """Logit of being voiced."""


class _Block(nn.Module):
    """ConvNeXt: a causal depthwise convolution over time, then a pointwise MLP, around a residual."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(config.width, config.width, config.kernel_frames, groups=config.width)
        self.norm = nn.LayerNorm(config.width)
        self.rise = nn.Linear(config.width, config.hidden)
        self.fall = nn.Linear(config.hidden, config.width)
        self.scale = nn.Parameter(torch.full((config.width,), 0.3))

    def forward(self, x_BCT: Tensor, tail_BCT: Tensor) -> tuple[Tensor, Tensor]:
        seen_BCT = torch.cat([tail_BCT, x_BCT], dim=2)
        y_BTC = self.norm(self.depthwise(seen_BCT).transpose(1, 2))
        y_BTC = self.fall(functional.gelu(self.rise(y_BTC))) * self.scale
        return x_BCT + y_BTC.transpose(1, 2), seen_BCT[:, :, -tail_BCT.shape[2] :]


class Vocoder(nn.Module):
    """Mel to samples at 24 kHz, one hop of 300 samples a frame, ``latency_samples`` behind the mel."""

    window_W: Tensor
    noise_S: Tensor

    def __init__(self, config: VocoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or VocoderConfig()
        self.enter = nn.Conv1d(NUM_BANDS, config.width, config.kernel_frames)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.num_blocks))
        self.norm = nn.LayerNorm(config.width)
        self.leave = nn.Linear(config.width, 3 * NUM_BINS + _NUM_PITCHES + 1)
        turn = torch.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
        self.register_buffer("window_W", torch.sin(math.pi * turn), persistent=False)
        noise = np.random.Generator(np.random.Philox(0)).standard_normal(config.noise_hops * MEL_HOP_SAMPLES)
        self.register_buffer("noise_S", torch.from_numpy(noise.astype(np.float32)), persistent=False)

    @property
    def latency_samples(self) -> int:
        """How far the samples lag behind the sound that the mel was taken from, or would be taken from."""
        return (self.config.lookahead_frames + 1) * MEL_HOP_SAMPLES

    def initial_state(self, num_rows: int) -> VocoderState:
        """The state of streams that have been silent for ever."""
        weight = self.enter.weight
        return VocoderState(
            convs=tuple(tail.repeat(num_rows, 1, 1) for tail in self._silent_tails()),
            pitch_hz_B=weight.new_zeros(num_rows),
            phase_B=weight.new_zeros(num_rows, dtype=torch.float64),
            hop_B=weight.new_zeros(num_rows, dtype=torch.int64),
            source_B2S=weight.new_zeros(num_rows, 2, MEL_HOP_SAMPLES),
            overlap_BS=weight.new_zeros(num_rows, MEL_HOP_SAMPLES),
        )

    @torch.no_grad()
    def _silent_tails(self) -> list[Tensor]:
        # In endless silence each layer's input is one frame, over and over.
        num_tail = self.config.kernel_frames - 1
        silence = self.enter.weight.new_full((1, NUM_BANDS, 1), (SILENT_LOG_MEL + _MEL_SHIFT) * _MEL_SCALE)
        tails = [silence.repeat(1, 1, num_tail)]
        x_BCT = self.enter(silence.repeat(1, 1, num_tail + 1))
        for block in self.blocks:
            tails.append(x_BCT.repeat(1, 1, num_tail))
            x_BCT, _ = block(x_BCT, tails[-1])
        return tails

    def forward(self, mel_BTM: Tensor, state: VocoderState | None = None) -> Tensor:
        """A whole utterance: (B, T, 80) plain log mel -> (B, 300 T) samples, ``latency_samples`` late."""
        return self.step(mel_BTM, state or self.initial_state(mel_BTM.shape[0]))[0]

    def step(self, mel_BTM: Tensor, state: VocoderState) -> tuple[Tensor, VocoderState]:
        """Any number of frames: (B, T, 80) plain log mel -> (B, 300 T) samples, and the state for the next."""
        filters, convs = self.filters(mel_BTM, state.convs)
        pitch_hz_BT = pitch_of(filters)
        pulses_BTS, phase_B = pulses(pitch_hz_BT, state.pitch_hz_B, state.phase_B)
        num_hops = mel_BTM.shape[1]
        hop_BT = (state.hop_B[:, None] + torch.arange(num_hops, device=mel_BTM.device)) % self.config.noise_hops
        noise_BTS = self.noise_S.view(-1, MEL_HOP_SAMPLES)[hop_BT]
        samples_BS, source_B2S, overlap_BS = self.synthesise(
            filters, torch.stack([pulses_BTS, noise_BTS], dim=1), state.source_B2S, state.overlap_BS
        )
        return samples_BS, VocoderState(
            convs=convs,
            pitch_hz_B=pitch_hz_BT[:, -1],
            phase_B=phase_B,
            hop_B=(state.hop_B + num_hops) % self.config.noise_hops,
            source_B2S=source_B2S,
            overlap_BS=overlap_BS,
        )

    def filters(self, mel_BTM: Tensor, convs: tuple[Tensor, ...]) -> tuple[Filters, tuple[Tensor, ...]]:
        """The trunk: what to do with pulses and noise in each hop."""
        mel_BMT = ((mel_BTM + _MEL_SHIFT) * _MEL_SCALE).transpose(1, 2)
        seen_BMT = torch.cat([convs[0], mel_BMT], dim=2)
        tails = [seen_BMT[:, :, -convs[0].shape[2] :]]
        x_BCT = self.enter(seen_BMT)
        for block, tail in zip(self.blocks, convs[1:], strict=True):
            x_BCT, tail = block(x_BCT, tail)
            tails.append(tail)
        out_BTC = self.leave(self.norm(x_BCT.transpose(1, 2)))
        pulse_gain, pulse_phase, noise_gain, pitch, voicing = out_BTC.split([NUM_BINS] * 3 + [_NUM_PITCHES, 1], dim=2)
        filters = Filters(
            pulse_gain_BTF=(pulse_gain - _MEL_SHIFT).clamp_max(_MAX_LOG_GAIN),
            pulse_phase_BTF=pulse_phase,
            noise_gain_BTF=(noise_gain - _MEL_SHIFT).clamp_max(_MAX_LOG_GAIN),
            pitch_BTK=pitch.log_softmax(2),
            voicing_BT=voicing.squeeze(2),
        )
        return filters, tuple(tails)

    def synthesise(
        self, filters: Filters, sources_B2TS: Tensor, last_B2S: Tensor, overlap_BS: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Filter each hop's pulses and noise and overlap-add them.

        ``sources_B2TS`` are (B, 2, T, 300); returns (B, 300 T) samples, the last hop of the sources and the
        half-finished overlap.
        """
        hops = torch.cat([last_B2S[:, :, None], sources_B2TS], dim=2)
        frames_B2TW = torch.cat([hops[:, :, :-1], hops[:, :, 1:]], dim=3) * self.window_W
        spectrum_B2TF = torch.fft.rfft(frames_B2TW)
        pulse_BTF = torch.polar(filters.pulse_gain_BTF.exp(), filters.pulse_phase_BTF)
        mixed_BTF = spectrum_B2TF[:, 0] * pulse_BTF + spectrum_B2TF[:, 1] * filters.noise_gain_BTF.exp()
        out_BTW = torch.fft.irfft(mixed_BTF, n=WINDOW_SAMPLES) * self.window_W
        first_BTS, second_BTS = out_BTW.split(MEL_HOP_SAMPLES, dim=2)
        tails_BTS = torch.cat([overlap_BS[:, None], second_BTS[:, :-1]], dim=1)
        return (first_BTS + tails_BTS).flatten(1), hops[:, :, -1], second_BTS[:, -1]

    def save(self, path: Path) -> None:
        """Write the weights in half precision, with the configuration in the file's metadata."""
        weights = {name: tensor.to(torch.float16).contiguous() for name, tensor in self.state_dict().items()}
        save_file(weights, path, metadata={"format": "microturn-vocoder-1", "config": json.dumps(asdict(self.config))})

    @classmethod
    def load(cls, path: Path) -> "Vocoder":
        """Read what :meth:`save` wrote, in single precision, ready to run. Raises CheckpointError."""
        remedy = "restore it from the checkpoint's source or train it with `python -m microturn.train.vocoder`"
        try:
            with safe_open(path, framework="pt") as file:
                config = VocoderConfig(**json.loads((file.metadata() or {})["config"]))
                weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is not a vocoder ({error}): {remedy}") from error
        vocoder = cls(config)
        try:
            vocoder.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(f"{path} does not fit its own configuration ({error}): {remedy}") from error
        return vocoder.eval().requires_grad_(requires_grad=False)


def pitch_octaves(device: torch.device | None = None) -> Tensor:
    """The pitches to choose among, (K,) evenly spaced: log2 of the pitch in units of 100 Hz."""
    return torch.linspace(_LOW_OCTAVE, _HIGH_OCTAVE, _NUM_PITCHES, device=device)


def pitch_of(filters: Filters) -> Tensor:
    """The pitch that the filters ask for: (B, T) in Hz, 0 where unvoiced."""
    mean_BT = filters.pitch_BTK.exp() @ pitch_octaves(filters.pitch_BTK.device)
    pitch_hz_BT = (100.0 * mean_BT.exp2()).clamp_min(_MIN_PITCH_HZ)
    pitch_hz_BT = (pitch_hz_BT / _PITCH_STEP_HZ).round() * _PITCH_STEP_HZ
    return torch.where(filters.voicing_BT > 0, pitch_hz_BT, torch.zeros_like(pitch_hz_BT))


def pulses(pitch_hz_BT: Tensor, last_hz_B: Tensor, phase_B: Tensor) -> tuple[Tensor, Tensor]:
    """A pulse train: every harmonic below 11 kHz at unit amplitude, in closed form.

    The pitch at the end of each hop is given, with that before the first and the phase there (cycles, float64);
    within a hop it moves evenly, and where one end is unvoiced the other's pitch holds for its half. The phase
    starts anew with each stretch of voice, so that no rounding outlives it. Returns (B, T, 300) and the phase at
    the end.
    """
    before_BT = torch.cat([last_hz_B[:, None], pitch_hz_BT[:, :-1]], dim=1)
    place_S = (torch.arange(MEL_HOP_SAMPLES, device=pitch_hz_BT.device) + 0.5) / MEL_HOP_SAMPLES
    start_BT1 = torch.where(before_BT > 0, before_BT, pitch_hz_BT)[..., None]
    end_BT1 = torch.where(pitch_hz_BT > 0, pitch_hz_BT, before_BT)[..., None]
    voiced_BTS = torch.where(place_S < 0.5, before_BT[..., None], pitch_hz_BT[..., None]) > 0
    pitch_BTS = start_BT1 + (end_BT1 - start_BT1) * place_S

    cycles_BS = ((pitch_BTS * voiced_BTS).double() / OUT_HZ).flatten(1).cumsum(1) + phase_B[:, None]
    silent_BS = ~voiced_BTS.flatten(1)
    # The phase at the latest unvoiced sample so far: what is counted since then is the present stretch's own.
    since_BS = torch.where(silent_BS, cycles_BS, torch.zeros_like(cycles_BS)).cummax(1).values
    cycles_BS = cycles_BS - since_BS
    phase_BTS = cycles_BS.frac().unflatten(1, (-1, MEL_HOP_SAMPLES))

    half_BTS = (phase_BTS - phase_BTS.round()).float() * math.pi
    order_BTS = 2 * torch.floor(_MAX_HARMONIC_HZ / pitch_BTS.clamp_min(_MIN_PITCH_HZ)) + 1
    denominator = half_BTS.sin()
    near = denominator.abs() < 1e-4
    ratio = (order_BTS * half_BTS).sin() / torch.where(near, torch.ones_like(denominator), denominator)
    train_BTS = 0.5 * torch.where(near, order_BTS, ratio) - 0.5
    return train_BTS * voiced_BTS, phase_BTS[:, -1, -1]
