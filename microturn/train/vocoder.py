"""Train the vocoder on the assistant's voice: `python -m microturn.train.vocoder DATA --run DIR`.

The trunk learns from what the synthesiser meant (pitch, filter) and from what it sounds like (spectra at three
resolutions, the mel itself). The pulses come from the synthesiser while training, so that sound and target stay in
step; evaluation uses the vocoder's own. The learning rate falls with the processor time spent, so a run fits the
minutes that it is given, however busy the machine; stopped early, the same command goes on from where it was.
"""

import argparse
import json
import math
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from microturn.features.mel import mel
from microturn.features.vocoder import Vocoder, VocoderConfig, pitch_of
from microturn.train.vocoder_data import Batch, Pool, Teacher, read_texts, sentence
from microturn.train.vocoder_losses import vocoder_losses

_NUM_HELD_OUT = 16
_FRAMES_PER_SECOND = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class VocoderTraining:
    """How to train."""

    max_minutes: float = 55.0
    """Processor time over which the learning rate falls to nothing."""
    learning_rate: float = 1.5e-3
    num_clips: int = 12
    """Crops in a batch."""
    num_frames: int = 96
    """Frames in a crop."""
    num_warm_frames: int = 24
    """Frames at a crop's start that carry no loss: the convolutions have not seen their past yet."""
    pool_seconds: float = 1800.0
    """Speech kept in memory."""
    first_pool_seconds: float = 600.0
    """Speech rendered before the first step; the pool grows while training."""
    steps_per_utterance: int = 2
    """Steps between fresh utterances."""
    report_every: int = 200
    """Steps between reports and checkpoints."""
    num_warm_steps: int = 200
    """Steps over which the learning rate rises."""
    max_gradient_norm: float = 3.0
    average_decay: float = 0.998
    """Of the running average of the weights, which is what is kept."""
    seed: int = 0


class Trainer:
    """A vocoder under training, its running average, and how far it has come."""

    def __init__(self, config: VocoderConfig, training: VocoderTraining) -> None:
        torch.manual_seed(training.seed)
        self.training = training
        self.vocoder = Vocoder(config)
        self.average = Vocoder(config)
        self.average.load_state_dict(self.vocoder.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.vocoder.parameters(), training.learning_rate, betas=(0.8, 0.95), weight_decay=0.01
        )
        self.num_steps = 0
        self.seconds = 0.0
        self._noise = torch.Generator()

    @property
    def is_done(self) -> bool:
        """Whether the time is spent."""
        return self.seconds >= self.training.max_minutes * 60

    def step(self, batch: Batch) -> dict[str, float]:
        """One step; returns the terms of the loss."""
        started = time.process_time()
        self._noise.manual_seed(self.training.seed * 1_000_003 + self.num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        losses = vocoder_losses(self.vocoder, batch, self._noise, self.training.num_warm_frames)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.vocoder.parameters(), self.training.max_gradient_norm)
        self.optimizer.step()
        self._follow()
        self.num_steps += 1
        self.seconds += time.process_time() - started
        return {name: loss.item() for name, loss in losses.items()}

    def _learning_rate(self) -> float:
        share = min(1.0, self.seconds / (self.training.max_minutes * 60))
        warm = min(1.0, (self.num_steps + 1) / self.training.num_warm_steps)
        return self.training.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * share))

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(self.training.average_decay, (1 + self.num_steps) / (10 + self.num_steps))
        for kept, new in zip(self.average.parameters(), self.vocoder.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)

    def save(self, run: Path) -> None:
        """Write what :meth:`resume` reads, and the averaged vocoder; each file whole or not at all."""
        state = {
            "vocoder": self.vocoder.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": {"step": self.num_steps, "seconds": self.seconds},
        }
        torch.save(state, run / "resume.pt.new")
        os.replace(run / "resume.pt.new", run / "resume.pt")
        self.average.save(run / "vocoder.safetensors.new")
        os.replace(run / "vocoder.safetensors.new", run / "vocoder.safetensors")

    def resume(self, run: Path) -> None:
        """Go on from the last checkpoint in ``run``, if there is one."""
        if not (run / "resume.pt").exists():
            return
        state = torch.load(run / "resume.pt", weights_only=True)
        self.vocoder.load_state_dict(state["vocoder"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.num_steps, self.seconds = state["progress"]["step"], state["progress"]["seconds"]


def train(data: Path, run: Path, training: VocoderTraining, config: VocoderConfig) -> Vocoder:
    """Train, or go on training, in the folder ``run``; returns the averaged vocoder.

    ``data`` holds train/*/manifest.jsonl. ``run`` gets log.jsonl, resume.pt and vocoder.safetensors.
    """
    run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, training)
    trainer.resume(run)
    texts = read_texts(data)
    random.Random(0).shuffle(texts)
    held_out, texts = texts[:_NUM_HELD_OUT], texts[_NUM_HELD_OUT:]
    teacher = Teacher()
    # A run that goes on draws other utterances than those it began with.
    pool = Pool(teacher, texts, max_seconds=training.pool_seconds, seed=training.seed + trainer.num_steps)
    while pool.num_frames < training.first_pool_seconds * _FRAMES_PER_SECOND:
        pool.add()

    recent: Counter[str] = Counter()
    num_recent = 0
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"), TimeRemainingColumn())
    with Progress(*columns) as bar, (run / "log.jsonl").open("a", encoding="utf-8") as log:
        task = bar.add_task("vocoder", total=training.max_minutes * 60, loss="")
        try:
            while not trainer.is_done:
                if trainer.num_steps % training.steps_per_utterance == 0:
                    pool.add()
                losses = trainer.step(pool.batch(training.num_clips, training.num_frames, config.lookahead_frames))
                recent.update(losses)
                num_recent += 1
                bar.update(
                    task,
                    completed=trainer.seconds,
                    description=f"step {trainer.num_steps}",
                    loss=f"loss {sum(losses.values()):.3f}",
                )
                if trainer.num_steps % training.report_every == 0:
                    record = {
                        "step": trainer.num_steps,
                        "seconds": round(trainer.seconds, 1),
                        **{name: round(total / num_recent, 4) for name, total in recent.items()},
                        **evaluate(trainer.average, teacher, held_out),
                    }
                    recent.clear()
                    num_recent = 0
                    print(json.dumps(record), file=log, flush=True)
                    trainer.save(run)
        finally:
            trainer.save(run)
    return trainer.average


@torch.inference_mode()
def evaluate(vocoder: Vocoder, teacher: Teacher, texts: list[str]) -> dict[str, float]:
    """The vocoder by itself on texts that it never learned from: mel error, pitch error, voicing error."""
    mel_errors: list[float] = []
    cents: list[float] = []
    voicing_errors: list[float] = []
    late = vocoder.config.lookahead_frames
    for text in texts:
        utterance = teacher.say(sentence(text), speed=1.0, before=20, after=20, seed=0)
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


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Train the vocoder on the assistant's voice.")
    parser.add_argument("data", type=Path, help="the folder that holds train/*/manifest.jsonl")
    parser.add_argument("--run", type=Path, required=True, help="where checkpoints and the log go")
    parser.add_argument("--max-minutes", type=float, default=VocoderTraining().max_minutes)
    parser.add_argument("--lookahead", type=int, default=VocoderConfig().lookahead_frames)
    arguments = parser.parse_args()
    config = VocoderConfig(lookahead_frames=arguments.lookahead)
    training = VocoderTraining(max_minutes=arguments.max_minutes)
    train(arguments.data, arguments.run, training, config)


if __name__ == "__main__":
    main()
