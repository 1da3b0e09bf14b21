"""Train the vocoder on the assistant's voice: `python -m microturn.train.vocoder DATA --run DIR`.

The trunk learns from what the synthesiser meant (pitch, filter) and from what it sounds like (spectra at three
resolutions, the mel itself). The pulses come from the synthesiser while training, so that sound and target
stay in step; evaluation uses the vocoder's own. The learning rate falls with the time spent, so a run fits the
minutes that it is given; stopped early, the same command goes on from the last checkpoint.

Dimensions as in ``vocoder_data``; W samples of the vocoder's window.
"""

import argparse
import json
import math
import os
import random
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from microturn.features.mel import LEFT_PAD_SAMPLES, mel, mel_of_tensor
from microturn.features.vocoder import Filters, Vocoder, VocoderConfig, pitch_octaves, pitch_of
from microturn.train.vocoder_data import Batch, Pool, Teacher, blur, read_texts, some_text
from microturn.turns.timing import MEL_HOP_SAMPLES

_STFT_SIZES = (512, 1024, 2048)
# The spectrum's value where the mel's own floor lies: quieter than this is not heard by the vocoder.
_MIN_MAGNITUDE = 2e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class VocoderTraining:
    """How to train."""

    max_minutes: float = 55.0
    """Time over which the learning rate falls to nothing."""
    learning_rate: float = 1.5e-3
    num_clips: int = 12
    """Crops in a batch."""
    num_frames: int = 96
    """Frames in a crop."""
    num_warm_frames: int = 24
    """Frames at a crop's start that carry no loss: the convolutions have not seen their past yet."""
    pool_seconds: float = 1800.0
    """Speech kept in memory."""
    steps_per_utterance: int = 2
    """Steps between fresh utterances."""
    report_every: int = 200
    """Steps between reports and checkpoints."""
    average_decay: float = 0.998
    """Of the running average of the weights, which is what is kept."""
    seed: int = 0


def train(data: Path, run: Path, training: VocoderTraining, config: VocoderConfig, pool: Pool | None = None) -> Vocoder:
    """Train, or go on training, in the folder ``run``; returns the averaged vocoder."""
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(training.seed)
    texts = read_texts(data)
    random.Random(0).shuffle(texts)
    held_out, texts = texts[:16], texts[16:]
    teacher = Teacher()
    pool = pool or _filled_pool(teacher, texts, training)
    vocoder = Vocoder(config)
    average = Vocoder(config)
    optimizer = torch.optim.AdamW(vocoder.parameters(), training.learning_rate, betas=(0.8, 0.95), weight_decay=0.01)
    progress = _resume(run, vocoder, average, optimizer)
    if not progress["step"]:
        average.load_state_dict(vocoder.state_dict())
    noise = torch.Generator().manual_seed(training.seed + progress["step"])

    columns = (
        TextColumn("step {task.fields[step]}"),
        BarColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar, (run / "log.jsonl").open("a", encoding="utf-8") as log:
        task = bar.add_task("", total=training.max_minutes * 60, step=progress["step"], loss="")
        sums: defaultdict[str, float] = defaultdict(float)
        while progress["seconds"] < training.max_minutes * 60:
            started = time.monotonic()
            share = progress["seconds"] / (training.max_minutes * 60)
            for group in optimizer.param_groups:
                warm = min(1.0, (progress["step"] + 1) / 200)
                group["lr"] = training.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * share))
            if progress["step"] % training.steps_per_utterance == 0:
                pool.add()
            batch = pool.batch(training.num_clips, training.num_frames, config.lookahead_frames)
            losses = _losses(vocoder, batch, noise, training.num_warm_frames)
            total = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            torch.nn.utils.clip_grad_norm_(vocoder.parameters(), 3.0)
            optimizer.step()
            with torch.no_grad():
                decay = min(training.average_decay, (1 + progress["step"]) / (10 + progress["step"]))
                for kept, new in zip(average.parameters(), vocoder.parameters(), strict=True):
                    kept.lerp_(new, 1 - decay)
            for name, loss in losses.items():
                sums[name] += loss.item()
            progress["step"] += 1
            progress["seconds"] += time.monotonic() - started
            bar.update(task, completed=progress["seconds"], step=progress["step"], loss=f"{total.item():.3f}")
            if progress["step"] % training.report_every == 0:
                means = {name: round(value / training.report_every, 4) for name, value in sums.items()}
                sums.clear()
                record = {**progress, **means, **evaluate(average, teacher, held_out)}
                log.write(json.dumps(record) + "\n")
                log.flush()
                _checkpoint(run, vocoder, average, optimizer, progress)
    _checkpoint(run, vocoder, average, optimizer, progress)
    return average


def _filled_pool(teacher: Teacher, texts: list[str], training: VocoderTraining) -> Pool:
    pool = Pool(teacher, texts, max_seconds=training.pool_seconds, seed=time.time_ns() % 2**31)
    # Enough to begin with; it grows while training.
    while pool.num_frames < min(training.pool_seconds, 600) * 80:
        pool.add()
    return pool


def _losses(vocoder: Vocoder, batch: Batch, rng: torch.Generator, num_warm: int) -> dict[str, Tensor]:
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


@torch.inference_mode()
def evaluate(vocoder: Vocoder, teacher: Teacher, texts: list[str]) -> dict[str, float]:
    """The vocoder by itself on texts that it never learned from: mel error, pitch error, voicing error."""
    rng = random.Random(1)
    mel_errors: list[float] = []
    cents: list[float] = []
    voicing_errors: list[float] = []
    late = vocoder.config.lookahead_frames
    for text in texts:
        utterance = teacher.say(some_text([text], rng), speed=1.0, before=20, after=20, seed=0)
        if utterance is None:
            continue
        frames = torch.from_numpy(mel(utterance.samples))[None]
        made = vocoder(frames)[0].numpy()[vocoder.latency_samples :]
        again = mel(made)
        mel_errors.append(float(np.abs(again - mel(utterance.samples[: len(made)])).mean()))
        filters, _ = vocoder.filters(frames, vocoder.initial_state(1).convs)
        ours = pitch_of(filters)[0].numpy()[late:]
        theirs = utterance.pitch_hz[1 : 1 + len(ours)]
        ours = ours[: len(theirs)]
        both = (ours > 0) & (theirs > 0)
        cents.extend(np.abs(1200 * np.log2(ours[both] / theirs[both])).tolist())
        voicing_errors.append(float(((ours > 0) != (theirs > 0)).mean()))
    return {
        "held_out_mel": round(float(np.mean(mel_errors)), 4),
        "held_out_cents": round(float(np.median(cents)) if cents else math.nan, 2),
        "held_out_voicing": round(float(np.mean(voicing_errors)), 4),
    }


def _checkpoint(
    run: Path, vocoder: Vocoder, average: Vocoder, optimizer: torch.optim.Optimizer, progress: dict[str, float]
) -> None:
    state = {
        "vocoder": vocoder.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": progress,
    }
    torch.save(state, run / "resume.pt.new")
    os.replace(run / "resume.pt.new", run / "resume.pt")
    average.save(run / "vocoder.safetensors.new")
    os.replace(run / "vocoder.safetensors.new", run / "vocoder.safetensors")


def _resume(run: Path, vocoder: Vocoder, average: Vocoder, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    path = run / "resume.pt"
    if not path.exists():
        return {"step": 0, "seconds": 0.0}
    state = torch.load(path, weights_only=True)
    vocoder.load_state_dict(state["vocoder"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return state["progress"]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="the folder that holds train/*/manifest.jsonl")
    parser.add_argument("--run", type=Path, required=True, help="where checkpoints and the log go")
    parser.add_argument("--max-minutes", type=float, default=VocoderTraining().max_minutes)
    parser.add_argument("--lookahead", type=int, default=VocoderConfig().lookahead_frames)
    arguments = parser.parse_args()
    config = VocoderConfig(lookahead_frames=arguments.lookahead)
    training = VocoderTraining(max_minutes=arguments.max_minutes)
    train(arguments.data, arguments.run, training, config)
    print(json.dumps({"config": asdict(config), "training": asdict(training)}))


if __name__ == "__main__":
    main()
