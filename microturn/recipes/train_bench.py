"""``bench train``: how many positions a second a recipe trains on this machine, plain and compiled, side by side.

Whole steps are timed: forward, backward, optimiser. Batches are made up, of the lengths and the make-up of rendered
sessions, so that nothing has to be rendered first; what they say does not matter to what a step costs.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from microturn.data.packed import NUM_LETTER_CLASSES, PackedEpisode
from microturn.engine.loading import nano_folder
from microturn.evals import metric
from microturn.evals.bench import load
from microturn.evals.command import published
from microturn.evals.metric import Metric
from microturn.evals.report import Report, SuiteReport
from microturn.features.dmel import NUM_BINS
from microturn.features.mel import MelStatistics
from microturn.features.phones import NUM_PHONES, PAUSE
from microturn.features.sequence import Run, input_run, output_run
from microturn.features.tokenizer import Tokenizer
from microturn.model.compiled import can_compile
from microturn.recipes import RECIPES
from microturn.train.batches import Batch, collate
from microturn.train.trainer import TrainConfig, Trainer
from microturn.turns.micro_turn import MEL_BANDS, MicroTurnOutput
from microturn.turns.timing import AUDIO_TOKENS_PER_TURN, MEL_FRAMES_PER_TURN, PATCHES_PER_TURN

NUM_TURNS = (90, 180)
"""Micro-turns of a session: 18 to 36 s."""
SPEAKING_SHARE = 0.2
HEARING_SHARE = 0.3
POSITIONS_PER_S = "positions/s"
STATISTICS = MelStatistics(mean=(0.0,) * MEL_BANDS, deviation=(1.0,) * MEL_BANDS)


def bench_training(recipe: str, *, num_steps: int = 6, seed: int = 0) -> dict[str, SuiteReport]:
    """The suite ``train``: positions a second plain and compiled, and how many times as many those are.

    Steps of both take turns on the same batches; the first two of each, in which things are compiled, are left out.
    Raises ValueError for an unknown recipe or less than one step.
    """
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}: choose one of {', '.join(RECIPES)}")
    if num_steps < 1:
        raise ValueError(f"--steps {num_steps} leaves nothing to time: give 1 or more")
    tokenizer = Tokenizer.load(nano_folder() / "tokenizer.json")
    config = RECIPES[recipe](tokenizer.vocabulary.size)
    ways = {"plain": False} | ({"compiled": True} if can_compile(config.device) else {})
    batches = [made_up_batch(config, tokenizer, np.random.default_rng([seed, step])) for step in range(num_steps + 2)]
    rates: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        trainers = {
            name: Trainer(
                replace(config, is_compiled=is_compiled), Path(folder), Path(folder), tokenizer.vocabulary, STATISTICS
            )
            for name, is_compiled in ways.items()
        }
        for batch in track(batches, description="training steps", transient=True):
            for name, trainer in trainers.items():
                rates[name].append(_rate(trainer, batch))
    kept = {name: values[2:] for name, values in rates.items()}
    metrics = {f"{name}_positions_per_s": metric.median(values, POSITIONS_PER_S) for name, values in kept.items()}
    metrics["speedup"] = _speedup(kept)
    return {"train": SuiteReport(metrics=metrics)}


def _speedup(rates: dict[str, list[float]]) -> Metric:
    if "compiled" not in rates:
        return metric.not_run("no C++ compiler", unit="times")
    return metric.median([c / p for c, p in zip(rates["compiled"], rates["plain"], strict=True)], "times")


def _rate(trainer: Trainer, batch: Batch) -> float:
    """Positions a second of one step, which waits for the device: the gradient's norm is a number."""
    start_s = time.perf_counter()
    trainer.step(batch)
    return batch.num_positions / (time.perf_counter() - start_s)


def made_up_batch(config: TrainConfig, tokenizer: Tokenizer, rng: np.random.Generator) -> Batch:
    """As many sessions of one length as fit a batch, without pictures."""
    num_turns = int(rng.integers(*NUM_TURNS))
    num_phones = config.model.speech.num_phones if config.model.speech else 0
    episodes = [_made_up_session(num_turns, num_phones, tokenizer, rng)]
    while (len(episodes) + 1) * max(episode.num_positions for episode in episodes) <= config.positions_per_batch:
        episodes.append(_made_up_session(num_turns, num_phones, tokenizer, rng))
    return collate(episodes, tokenizer.vocabulary, STATISTICS)


def _made_up_session(num_turns: int, num_phones: int, tokenizer: Tokenizer, rng: np.random.Generator) -> PackedEpisode:
    runs: list[Run] = []
    for turn in range(num_turns):
        is_speaking = rng.random() < SPEAKING_SHARE
        output = MicroTurnOutput(
            index=turn,
            hear=" word" if rng.random() < HEARING_SHARE else "",
            say=" word" if is_speaking else "",
            mel=rng.normal(size=(MEL_FRAMES_PER_TURN, MEL_BANDS)).astype(np.float32) if is_speaking else None,
            phones=tuple(rng.integers(0, max(1, num_phones), PATCHES_PER_TURN).tolist()) if is_speaking else (),
        )
        bins_NM = rng.integers(0, NUM_BINS, (AUDIO_TOKENS_PER_TURN, MEL_BANDS), np.uint8)
        runs += [input_run(turn, bins_NM, [], tokenizer.vocabulary), output_run(output, tokenizer)]
    run = Run.concat(runs)
    return PackedEpisode(
        run=run,
        letter_N=rng.integers(0, NUM_LETTER_CLASSES, len(run.dmel_NM), np.uint8),
        sound_N=rng.integers(PAUSE, NUM_PHONES, len(run.dmel_NM), np.uint8),
    )


def bench_training_command(recipe: str, *, num_steps: int, json_path: Path | None) -> Report:
    """Prints the table, writes the result file."""
    settings: dict[str, str | int | None] = {"steps": num_steps, "threads": torch.get_num_threads()}
    suites = bench_training(recipe, num_steps=num_steps)
    return published(Report(model=recipe, suites=suites, settings={**settings, "load": load()}), json_path, None)
