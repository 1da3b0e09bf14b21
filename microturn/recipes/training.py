"""`microturn train`: from a recipe's name to a folder with weights, log and curves."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from microturn.errors import CheckpointError
from microturn.features.mel import MelStatistics
from microturn.features.tokenizer import Tokenizer
from microturn.model import checkpoint, difference
from microturn.recipes import RECIPES
from microturn.train.curves import draw_curves
from microturn.train.eyes import read_eyes
from microturn.train.trainer import CHECKPOINT_FILE, TrainConfig, Trainer, as_it_began

AUXILIARIES_FILE = "auxiliaries.safetensors"
"""Beside the weights, for whoever goes on from them: new heads would pull at a trained model until they know its hidden
states. Inference never reads it."""


def run_training(
    recipe: str,
    shards: Path,
    prepared: Path,
    run: Path,
    validation: Path | None = None,
    max_minutes: float | None = None,
    init_from: Path | None = None,
    resume: bool = False,
    rate_scale: float | None = None,
    voice_rate_scale: float | None = None,
    sight_rate_scale: float | None = None,
    eyes: Path | None = None,
    ears_shards: Path | None = None,
) -> None:
    """Train, then leave a checkpoint folder in ``run/checkpoint`` and the training record in ``run``.

    ``rate_scale`` scales the recipe's peak learning rates, 1 unless given: less to go on from trained weights;
    ``voice_rate_scale`` those of the flow head and of the auxiliaries, ``sight_rate_scale`` those of what embeds
    images, the same unless given. ``eyes``: what ``microturn.train.eyes`` left. ``ears_shards``: what every other step
    teaches the lower half of the layers the phones of (``Trainer``).

    A run that is resumed keeps the rates, the length, the seed and the batches that it began with. ``max_minutes``
    gives it another length; scales that are given have to be those that it began with.
    """
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}: choose one of {', '.join(RECIPES)}")
    tokenizer = Tokenizer.load(prepared / "tokenizer.json")
    plain = RECIPES[recipe](tokenizer.vocabulary.size)
    scale = 1.0 if rate_scale is None else rate_scale
    config = replace(plain, optimizer=plain.optimizer.at(scale, voice_rate_scale, sight_rate_scale))
    if resume:
        config = as_it_began(config, run)
        _check_rates(config, plain, rate_scale, voice_rate_scale, sight_rate_scale)
    elif (run / CHECKPOINT_FILE).exists():
        raise CheckpointError(f"{run} holds a run already: give --resume to go on with it, or another folder")
    if max_minutes is not None:
        config = replace(config, max_minutes=max_minutes)
    trainer = Trainer(
        config,
        run,
        shards,
        tokenizer.vocabulary,
        MelStatistics.load(prepared / "mel.json"),
        validation_shards=validation,
        init_from=_weights(init_from) if init_from else None,
        auxiliaries_from=_auxiliaries(init_from) if init_from else None,
        eyes_from=read_eyes(eyes) if eyes else None,
        ears_shards=ears_shards,
    )
    if resume:
        trainer.resume()
    trainer.train()
    if not trainer.team.is_first:
        return
    folder = run / "checkpoint"
    folder.mkdir(exist_ok=True)
    with trainer.average.in_place():
        checkpoint.save(trainer.model, folder, torch.bfloat16)
        heads = {name: value.to(torch.bfloat16) for name, value in trainer.auxiliaries.state_dict().items()}
        save_file(heads, folder / AUXILIARIES_FILE)
    for name in ("tokenizer.json", "mel.json"):
        shutil.copy(prepared / name, folder / name)
    draw_curves(run / "log.jsonl", run / "curves.png")


def _check_rates(
    began: TrainConfig, plain: TrainConfig, rate: float | None, voice: float | None, sight: float | None
) -> None:
    """Refuse scales on the command line that are not those of a run, as factors on its recipe's plain rates."""
    optimizer = began.optimizer
    scale = optimizer.matrix_rate / plain.optimizer.matrix_rate
    flags = (
        ("--rate-scale", rate, scale),
        ("--voice-rate-scale", voice, scale * optimizer.voice_scale),
        ("--sight-rate-scale", sight, scale * optimizer.sight_scale),
    )
    for flag, given, of_run in flags:
        if given is not None and not math.isclose(given, of_run):
            raise CheckpointError(
                f"{flag} {given:g}: the run began with {of_run:g}, and goes on with it; leave the option out, or begin "
                "another run with --init-from"
            )


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of a checkpoint, or of a difference that lies in the folder of the weights that it stands on."""
    is_difference = (folder / difference.DIFFERENCE_NAME).exists()
    return (difference.load(folder, base=folder.parent) if is_difference else checkpoint.load(folder)).state_dict()


def _auxiliaries(folder: Path) -> dict[str, torch.Tensor] | None:
    """The heads that were trained with a checkpoint's weights; None where it has none."""
    path = folder / AUXILIARIES_FILE
    return load_file(path) if path.exists() else None
