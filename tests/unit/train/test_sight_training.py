"""A blind model that is given eyes learns from shards with video to say what it sees."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from microturn.data.packed import PackedEpisode, letters, sounds
from microturn.data.shards import write_shard
from microturn.data.visual.patch_labels import COLOUR, UNKNOWN
from microturn.features.mel import MelStatistics
from microturn.features.patches import pair_patches
from microturn.features.sequence import Run, input_run, output_run
from microturn.features.tokenizer import Tokenizer
from microturn.model.config import FoldConfig, HeadsConfig, ModelConfig, SpeechConfig, VideoInConfig
from microturn.recipes import RECIPES
from microturn.recipes.geometries import nano
from microturn.train.batches import collate
from microturn.train.losses import LossConfig, compute_losses
from microturn.train.trainer import TrainConfig, Trainer
from microturn.turns.micro_turn import MicroTurnOutput

TOKENIZER = Tokenizer.train([" red green blue"] * 9, 300)
STATISTICS = MelStatistics(mean=(0.0,) * 80, deviation=(1.0,) * 80)
COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


def episode(seed: int) -> PackedEpisode:
    """A silent microphone, a colour before the camera, and its name."""
    rng = np.random.default_rng(seed)
    name = list(COLOURS)[int(rng.integers(3))]
    picture = np.clip(np.array(COLOURS[name]) + rng.normal(0, 20, (120, 160, 3)), 0, 255).astype(np.uint8)
    pair = np.stack([picture, picture])
    runs = []
    for k in range(3):
        image_N = pair_patches(*pair) if k else None
        seen = input_run(k, np.zeros((4, 80), np.uint8), [], TOKENIZER.vocabulary, image_N)
        runs.append(replace(seen, image_N=seen.image_N[:0]))
        runs.append(output_run(MicroTurnOutput(index=k, say=f" {name}" if k else ""), TOKENIZER))
    run = Run.concat(runs)
    return PackedEpisode(
        run=run,
        letter_N=letters([], len(run.dmel_NM)),
        sound_N=sounds([], len(run.dmel_NM)),
        frames_K2HWC=np.stack([pair, pair]),
    )


def tiny(*, can_see: bool) -> ModelConfig:
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
    folds = (FoldConfig(time=1, space=5, out_width=8), FoldConfig(time=2, space=8, out_width=32))
    return replace(
        model,
        backbone=backbone,
        speech=SpeechConfig(in_width=16, head_width=32, num_blocks=1),
        video_in=VideoInConfig(folds=folds) if can_see else None,
    )


def trainer(folder: Path, shards: Path, model: ModelConfig, **more) -> Trainer:
    config = TrainConfig(model=model, positions_per_batch=500, max_minutes=1e9, is_bf16=False)
    return Trainer(config, folder, shards, TOKENIZER.vocabulary, STATISTICS, validation_shards=shards, **more)


@torch.no_grad()
def token_loss(run: Trainer, episodes: list[PackedEpisode]) -> float:
    batch = collate(episodes, TOKENIZER.vocabulary, STATISTICS)
    return float(run._losses(batch, torch.Generator().manual_seed(0)).metrics["token_loss"])


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shard(folder / "00000.tar", [(str(i), "x", episode(i)) for i in range(24)])
    return folder


def test_a_blind_model_learns_to_see(tmp_path: Path, shards: Path) -> None:
    blind = trainer(tmp_path / "blind", shards, tiny(can_see=True)).model.state_dict()
    blind = {name: value for name, value in blind.items() if not name.startswith("image_in.")}
    run = trainer(tmp_path / "run", shards, tiny(can_see=True), init_from=blind)
    run.progressed.elapsed_s = 0.5 * run.config.max_minutes * 60  # the middle of the schedule
    batches = iter(run.reader)
    for _ in range(60):
        run.step(next(batches))
    right = [episode(100 + i) for i in range(12)]
    colours = [packed.frames_K2HWC for packed in right]
    wrong = [replace(packed, frames_K2HWC=255 - frames) for packed, frames in zip(right, colours, strict=True)]
    assert token_loss(run, right) < 0.3 * token_loss(run, wrong)


def labelled(seed: int) -> PackedEpisode:
    """The same, and what colour is at each patch."""
    packed = episode(seed)
    middle = packed.frames_K2HWC[0, 0].mean((0, 1))
    name = min(COLOURS, key=lambda name: float(np.abs(middle - COLOURS[name]).sum()))
    labels = np.full((2, 15, 3), UNKNOWN, np.uint8)
    labels[:, :12] = 0, COLOUR.index(name), 0
    return replace(packed, label_N3=labels.reshape(-1, 3))


def test_labels_alone_teach_it_to_see(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shard(folder / "00000.tar", [(str(i), "x", labelled(i)) for i in range(24)])
    run = trainer(tmp_path / "run", folder, tiny(can_see=True))
    run.config = replace(run.config, loss=LossConfig(token_weight=0.0, letter_weight=0.0))
    run.progressed.elapsed_s = 0.5 * run.config.max_minutes * 60
    batches = iter(run.reader)
    losses = [run.step(next(batches)).metrics for _ in range(90)]
    for name in ("glimpse_loss", "label_loss"):  # of the embedding, of the hidden state
        assert losses[0][name] > 3.0
        assert losses[-1][name] < 0.5
    unlabelled = collate([episode(0)], TOKENIZER.vocabulary, STATISTICS)
    metrics = compute_losses(run.model, run.auxiliaries, unlabelled, run.config.loss, torch.Generator()).metrics
    assert "label_loss" not in metrics


def test_the_recipe_can_see() -> None:
    config = RECIPES["nano-sight"](TOKENIZER.vocabulary.size)
    assert config.model.video_in is not None
    assert replace(config.model, video_in=None) == RECIPES["nano"](TOKENIZER.vocabulary.size).model
