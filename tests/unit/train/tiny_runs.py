"""A tiny trainer and what it trains on."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from microturn.data.packed import PackedEpisode, letters, sounds
from microturn.features.mel import MelStatistics
from microturn.features.sequence import Run, input_run, output_run
from microturn.features.tokenizer import Tokenizer
from microturn.model.config import HeadsConfig, SpeechConfig
from microturn.recipes.geometries import nano
from microturn.train.trainer import TrainConfig, Trainer
from microturn.turns.micro_turn import MicroTurnOutput

TOKENIZER = Tokenizer.train([" one two three"] * 9, 300)
STATISTICS = MelStatistics(mean=(0.0,) * 80, deviation=(1.0,) * 80)


def episode(seed: int, num_turns: int = 6) -> PackedEpisode:
    """A user whose sound is a number, and a model that says it."""
    rng = np.random.default_rng(seed)
    word = int(rng.integers(3))
    runs = []
    for k in range(num_turns):
        bins = np.full((4, 80), word * 5, np.uint8)
        mel = np.full((16, 80), word - 1.0, np.float32) if k % 2 else None
        say = " " + ("one", "two", "three")[word] if mel is not None else ""
        runs += [input_run(k, bins, [], TOKENIZER.vocabulary)]
        phones = (word + 2,) * 4 if k % 2 else ()
        runs += [output_run(MicroTurnOutput(index=k, say=say, mel=mel, phones=phones), TOKENIZER)]
    run = Run.concat(runs)
    return PackedEpisode(run=run, letter_N=letters([], len(run.dmel_NM)), sound_N=sounds([], len(run.dmel_NM)))


def tiny() -> TrainConfig:
    model = nano(TOKENIZER.vocabulary.size)
    heads = HeadsConfig(num_heads=2, num_kv_heads=1, head_width=16)
    backbone = replace(
        model.backbone,
        width=32,
        layers=model.backbone.layers[2:4],
        mlps=model.backbone.mlps[:2],
        sliding_heads=heads,
        global_heads=heads,
        dense_width=64,
    )
    speech = SpeechConfig(in_width=16, head_width=32, num_blocks=1, num_phones=5)
    return TrainConfig(
        average_steps=5,
        model=replace(model, backbone=backbone, speech=speech),
        positions_per_batch=300,
        max_minutes=1e9,
        is_bf16=False,
    )


def trainer(
    folder: Path, shards: Path, config: TrainConfig | None = None, *, ears_shards: Path | None = None
) -> Trainer:
    return Trainer(
        config or tiny(),
        folder,
        shards,
        TOKENIZER.vocabulary,
        STATISTICS,
        validation_shards=shards,
        ears_shards=ears_shards,
    )


def steps(run: Trainer, num: int) -> list[float]:
    batches = run.batches()
    return [float(run.step(*next(batches)).total.detach()) for _ in range(num)]
