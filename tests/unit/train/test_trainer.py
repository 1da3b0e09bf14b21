"""The trainer learns, goes on exactly where it stood, and predicts only what the model itself produces."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from microturn.data.packed import PackedEpisode, letters
from microturn.data.shards import write_shard
from microturn.errors import CheckpointError, MediaError
from microturn.features.mel import MelStatistics
from microturn.features.sequence import Run, input_run, output_run
from microturn.features.tokenizer import Tokenizer
from microturn.model.config import HeadsConfig, SpeechConfig
from microturn.recipes.geometries import nano
from microturn.train.batches import BatchReader, collate
from microturn.train.trainer import TrainConfig, Trainer
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.vocabulary import Kind

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
        runs += [output_run(MicroTurnOutput(index=k, say=say, mel=mel), TOKENIZER)]
    run = Run.concat(runs)
    return PackedEpisode(
        run=run,
        letter_N=letters([], len(run.dmel_NM)),
        said_letter_N=np.zeros(len(run.speech_NP), np.uint8),
    )


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(2):
        triples = [(str(i), "x", episode(100 * shard + i, 4 + i % 5)) for i in range(12)]
        write_shard(folder / f"{shard:05d}.tar", triples)
    return folder


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
    speech = SpeechConfig(in_width=16, head_width=32, num_blocks=1)
    return TrainConfig(
        model=replace(model, backbone=backbone, speech=speech),
        positions_per_batch=300,
        max_minutes=1e9,
        is_bf16=False,
    )


def trainer(folder: Path, shards: Path, config: TrainConfig | None = None) -> Trainer:
    return Trainer(config or tiny(), folder, shards, TOKENIZER.vocabulary, STATISTICS, validation_shards=shards)


def steps(run: Trainer, num: int) -> list[float]:
    batches = iter(run.reader)
    return [float(run._step(next(batches)).total.detach()) for _ in range(num)]


def test_it_learns(tmp_path: Path, shards: Path) -> None:
    run = trainer(tmp_path / "run", shards)
    run.config = replace(run.config, max_minutes=1e-9)  # the end of the schedule: a small, constant rate
    before = run.validate()
    run.config = tiny()
    run.progressed.elapsed_s = 0.5 * run.config.max_minutes * 60
    steps(run, 40)
    after = run.validate()
    assert after["token_loss"] < 0.5 * before["token_loss"]
    assert after["speech_loss"] < before["speech_loss"]


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path, shards: Path) -> None:
    whole = trainer(tmp_path / "whole", shards)
    steps(whole, 3)
    whole.save()
    expected = steps(whole, 4)
    resumed = trainer(tmp_path / "whole", shards)
    resumed.resume()
    assert steps(resumed, 4) == pytest.approx(expected, rel=1e-6)


def test_every_episode_comes_once_a_pass(shards: Path) -> None:
    reader = BatchReader(shards, TOKENIZER.vocabulary, STATISTICS, positions_per_batch=300, max_positions=1000, seed=0)
    rows = 0
    for batch in reader:
        if reader.cursor.pass_index == 1:
            break
        rows += batch.segment.num_rows
    assert rows == 24


def test_only_free_tokens_of_the_model_are_predicted() -> None:
    batch = collate([episode(0), episode(1, 9)], TOKENIZER.vocabulary, STATISTICS)
    kind = batch.segment.kind_BT.flatten()
    token = batch.segment.token_BT.flatten()
    assert torch.equal(token[batch.token_at_N + 1], batch.token_target_N)
    assert not (kind[batch.token_at_N] == Kind.SPEECH).any()  # after the last patch, the end is forced
    assert (kind[batch.speech_at_N + 1] == Kind.SPEECH).all()
    assert len(batch.speech_target_NP) == int((kind == Kind.SPEECH).sum())
    special = TOKENIZER.vocabulary.special
    assert set(batch.token_target_N.tolist()) & {special.time, special.pad} == set()


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, shards: Path) -> None:
    run = trainer(tmp_path / "run", shards)
    run.save()
    other = replace(tiny(), model=replace(tiny().model, eviction_turns=7))
    with pytest.raises(CheckpointError, match="recipe"):
        trainer(tmp_path / "run", shards, other).resume()
    with pytest.raises(CheckpointError, match="without --resume"):
        trainer(tmp_path / "new", shards).resume()


def test_an_empty_folder_names_the_command(tmp_path: Path) -> None:
    reader = BatchReader(tmp_path, TOKENIZER.vocabulary, STATISTICS, positions_per_batch=9, max_positions=9, seed=0)
    with pytest.raises(MediaError, match="microturn data make"):
        next(iter(reader))
