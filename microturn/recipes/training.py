"""`microturn train`: from a recipe's name to a folder with weights, log and curves."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from microturn.errors import CheckpointError
from microturn.features.mel import MelStatistics
from microturn.features.tokenizer import Tokenizer
from microturn.model import checkpoint
from microturn.recipes import RECIPES
from microturn.train.curves import draw_curves
from microturn.train.trainer import Trainer

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
    rate_scale: float = 1.0,
    voice_rate_scale: float | None = None,
    sight_rate_scale: float | None = None,
    eyes: Path | None = None,
) -> None:
    """Train, then leave a checkpoint folder in ``run/checkpoint`` and the training record in ``run``.

    ``rate_scale`` scales the recipe's peak learning rates: less than 1 to go on from trained weights;
    ``voice_rate_scale`` those of the flow head and of the auxiliaries, ``sight_rate_scale`` those of what embeds
    images, the same unless given. ``eyes``: what ``microturn.train.eyes`` left.
    """
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}: choose one of {', '.join(RECIPES)}")
    tokenizer = Tokenizer.load(prepared / "tokenizer.json")
    config = RECIPES[recipe](tokenizer.vocabulary.size)
    if max_minutes is not None:
        config = replace(config, max_minutes=max_minutes)
    config = replace(config, optimizer=config.optimizer.at(rate_scale, voice_rate_scale, sight_rate_scale))
    if not resume and (run / "checkpoint.pt").exists():
        raise CheckpointError(f"{run} holds a run already: give --resume to go on with it, or another folder")
    trainer = Trainer(
        config,
        run,
        shards,
        tokenizer.vocabulary,
        MelStatistics.load(prepared / "mel.json"),
        validation_shards=validation,
        init_from=checkpoint.load(init_from).state_dict() if init_from else None,
        auxiliaries_from=_auxiliaries(init_from) if init_from else None,
        eyes_from=load_file(eyes) if eyes else None,
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


def _auxiliaries(folder: Path) -> dict[str, torch.Tensor] | None:
    """The heads that were trained with a checkpoint's weights; None where it has none."""
    path = folder / AUXILIARIES_FILE
    return load_file(path) if path.exists() else None
