"""The training loop: batches in, weights, checkpoints and a log out. Time-boxed, resumable, in one process or many.

A run is boxed by minutes of training rather than by steps: the learning rate follows the share of the time used, so
that a run of any length ends annealed. What is saved is enough to go on exactly where the run stood.
"""

import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from microturn.data.shards import Entry, list_shards, read_episode, read_index
from microturn.errors import CheckpointError, MicroturnError
from microturn.features.mel import MelStatistics
from microturn.model.compiled import can_compile
from microturn.model.config import ModelConfig
from microturn.model.interaction_model import InteractionModel
from microturn.train.augment import AugmentConfig
from microturn.train.average import WeightAverage
from microturn.train.batches import Batch, BatchReader, Cursor, collate, warn_of_long
from microturn.train.losses import AuxiliaryHeads, LossConfig, Losses, compute_ears_losses, compute_losses
from microturn.train.optimizer import Optimizer, OptimizerConfig, rate_factor
from microturn.train.parallel import Team
from microturn.turns.vocabulary import Vocabulary

logger = logging.getLogger(__name__)

NEW_PARTS = ("image_in.", "phone_head.", "speech_in.phones")
"""Of the model, by the start of their names: what older or smaller weights may lack."""
CHECKPOINT_FILE = "checkpoint.pt"
KEPT = ("max_minutes", "seed", "positions_per_batch")
"""Of a run's configuration, beside its model and its optimiser: what its checkpoint keeps."""
MAX_SKIPPED_IN_A_ROW = 20
"""Steps whose gradient is not finite, after which the run is given up."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run."""

    model: ModelConfig
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    augment: AugmentConfig | None = field(default_factory=AugmentConfig)
    """Of what is heard; None: as it was rendered."""
    positions_per_batch: int = 4_200
    """Positions in a batch, padding included."""
    average_steps: int = 60
    """The weights that are validated and kept at the end are the mean of about so many of the latest steps."""
    max_positions: int = 1_600
    """Longer episodes are left out."""
    max_minutes: float = 60.0
    """Training time of the whole run, evaluation and saving included."""
    validate_every_minutes: float = 4.0
    save_every_minutes: float = 4.0
    log_every_steps: int = 10
    is_bf16: bool = True
    """Autocast; the master weights stay in float32."""
    is_compiled: bool = False
    """Layers and flow head by torch.compile; on a CPU attention too. Without a C++ compiler it is left
    out, with a warning."""
    device: str = "cpu"
    seed: int = 0


@dataclass(slots=True)
class Progressed:
    """How far a run has come."""

    step: int = 0
    num_positions: int = 0
    num_ears_positions: int = 0
    """Positions that only the lower half of the layers has read."""
    elapsed_s: float = 0.0
    num_skipped: int = 0
    """Steps that changed nothing, since their gradient was not finite."""


def as_it_began(config: TrainConfig, folder: Path) -> TrainConfig:
    """The configuration with the rates, the length, the seed and the batches of the run in a folder.

    As it is where the run's checkpoint keeps none of them. Raises CheckpointError if there is no checkpoint.
    """
    kept = _read_checkpoint(folder / CHECKPOINT_FILE, "cpu", is_mapped=True).get("training")
    if kept is None:
        return config
    return replace(config, optimizer=OptimizerConfig(**kept["optimizer"]), **{name: kept[name] for name in KEPT})


def _read_checkpoint(path: Path, device: str, *, is_mapped: bool = False) -> dict[str, Any]:
    """What ``Trainer.save`` wrote. Mapped, what is not looked at is not read."""
    if not path.exists():
        raise CheckpointError(f"{path} does not exist: start without --resume")
    return torch.load(path, map_location=device, weights_only=True, mmap=is_mapped)


class Trainer:
    """One run in one folder: ``checkpoint.pt``, ``log.jsonl`` and, at the end, the weights."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        shards: Path,
        vocabulary: Vocabulary,
        statistics: MelStatistics,
        validation_shards: Path | None = None,
        init_from: dict[str, torch.Tensor] | None = None,
        auxiliaries_from: dict[str, torch.Tensor] | None = None,
        eyes_from: dict[str, torch.Tensor] | None = None,
        ears_shards: Path | None = None,
    ) -> None:
        """With ``ears_shards``, every other step asks the lower half of the layers for the phones that are heard in
        those, and for nothing else."""
        torch.manual_seed(config.seed)
        self.config = config
        self.team = Team.join(config.device)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary, self.statistics = vocabulary, statistics
        self.model = InteractionModel(config.model).to(config.device)
        if init_from is not None:
            self._start_from(init_from)
        self.auxiliaries = AuxiliaryHeads(config.model.backbone.width).to(config.device)
        if auxiliaries_from is not None:
            self._take_heads(auxiliaries_from)
        if eyes_from is not None:
            self._take_eyes(eyes_from)
        trained = nn.ModuleDict({"model": self.model, "auxiliary": self.auxiliaries})
        self.team.share_weights(trained)
        self.optimizer = Optimizer(trained, config.optimizer)
        self.average = WeightAverage(trained.parameters(), config.average_steps)
        self.generator = torch.Generator(config.device).manual_seed(config.seed + self.team.rank)
        self.progressed = Progressed()
        self._num_skipped_in_a_row = 0
        self.reader = self._reader(shards)
        self.ears_reader = self._reader(ears_shards) if ears_shards else None
        self._ears_metrics: dict[str, torch.Tensor] = {}
        self.validation = self._validation_groups(validation_shards) if validation_shards else []
        if config.is_compiled and can_compile(config.device):
            self.model.compile_training()
        elif config.is_compiled:
            logger.warning("layers are not compiled, training will take twice as long: install a C++ compiler (g++)")

    def _reader(self, shards: Path) -> BatchReader:
        return BatchReader(
            shards,
            self.vocabulary,
            self.statistics,
            positions_per_batch=self.config.positions_per_batch,
            max_positions=self.config.max_positions,
            seed=self.config.seed,
            team=self.team,
            augment=self.config.augment,
        )

    def _start_from(self, weights: dict[str, torch.Tensor]) -> None:
        """Take weights; what they lack because they could not see, or chose no phones, starts untrained."""
        absent, unknown = self.model.load_state_dict(weights, strict=False)
        if wrong := [*unknown, *(name for name in absent if not name.startswith(NEW_PARTS))]:
            raise CheckpointError(f"--init-from is of another geometry ({wrong[0]}): give the recipe that it fits")

    def _take_heads(self, heads: dict[str, torch.Tensor]) -> None:
        """Take the auxiliaries' heads; those that are newer than the checkpoint start untrained."""
        heads = {name: value for name, value in heads.items() if not name.startswith("said.")}
        _, unknown = self.auxiliaries.load_state_dict(heads, strict=False)
        if unknown:
            raise CheckpointError(f"the auxiliaries' heads beside the weights are of another kind ({unknown[0]})")

    def _take_eyes(self, eyes: dict[str, torch.Tensor]) -> None:
        """Take what embeds images, and the head that asks it, as they learnt alone (``microturn.train.eyes``)."""
        if self.config.model.video_in is None:
            raise CheckpointError("--eyes are for a model that can see: give a recipe such as nano-sight")
        parts = {"image_in.": self.model.image_in, "glimpsed.": self.auxiliaries.glimpsed}
        try:
            for prefix, part in parts.items():
                taken = {name.removeprefix(prefix): v for name, v in eyes.items() if name.startswith(prefix)}
                part.load_state_dict(taken)
        except RuntimeError as error:
            raise CheckpointError(f"--eyes are of another geometry ({error}): give the recipe that they fit") from error

    # --- the loop --------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Run until the time is used up."""
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        due = {"validate": self.config.validate_every_minutes * 60, "save": self.config.save_every_minutes * 60}
        next_at = {name: self.progressed.elapsed_s + period for name, period in due.items()}
        with Progress(*columns, disable=not self.team.is_first) as bar:
            task = bar.add_task(
                "training", total=self.config.max_minutes * 60, completed=int(self.progressed.elapsed_s)
            )
            for batch, is_for_ears in self._timed(self.batches()):
                losses = self.step(batch, is_for_ears=is_for_ears)
                if self.progressed.step % self.config.log_every_steps == 0 and not is_for_ears:
                    self._log("train", {name: float(value) for name, value in losses.metrics.items()})
                    description = f"step {self.progressed.step} loss {float(losses.metrics['loss']):.3f}"
                    bar.update(task, completed=self.progressed.elapsed_s, description=description)
                if self.progressed.elapsed_s >= next_at["validate"]:
                    self.validate()
                    next_at["validate"] = self.progressed.elapsed_s + due["validate"]
                if self.progressed.elapsed_s >= next_at["save"] and not self._num_skipped_in_a_row:
                    self.save()
                    next_at["save"] = self.progressed.elapsed_s + due["save"]
        self.validate()
        self.save()

    def batches(self) -> Iterator[tuple[Batch, bool]]:
        """What the steps of this run are taken with: batches, and whether each is for the ears alone. Endless."""
        batches, for_ears = iter(self.reader), iter(self.ears_reader or ())
        while True:
            is_for_ears = self.ears_reader is not None and self.progressed.step % 2 == 0
            yield next(for_ears if is_for_ears else batches), is_for_ears

    def _timed(self, batches: Iterator[tuple[Batch, bool]]) -> Iterator[tuple[Batch, bool]]:
        """Count the time of everything between two batches, reading included."""
        started = time.monotonic() - self.progressed.elapsed_s
        for batch, is_for_ears in batches:
            yield batch, is_for_ears
            self.progressed.elapsed_s = self.team.agree(time.monotonic() - started, self.config.device)
            if self.progressed.elapsed_s >= self.config.max_minutes * 60:
                return

    def step(self, batch: Batch, is_for_ears: bool = False) -> Losses:
        """One step of the optimiser, at the rate of the time used so far. Returns the losses that it went by.

        ``is_for_ears``: the lower half of the layers alone, on phones alone.

        A gradient that is not finite is skipped. Raises MicroturnError when too many of them come in a row.
        """
        self.model.train()
        losses = self._losses(batch, self.generator, is_for_ears)
        losses.total.backward()
        self.team.average_gradients(self.optimizer.parameters)
        progress = self.progressed.elapsed_s / (self.config.max_minutes * 60)
        schedule = self.config.optimizer
        factor = rate_factor(progress, warmup=schedule.warmup, decay_from=schedule.decay_from)
        norm = self.optimizer.step(factor)
        losses.metrics["gradient_norm"] = torch.tensor(norm)
        self.progressed.step += 1
        if math.isfinite(norm):
            self.average.update()
            self._num_skipped_in_a_row = 0
        else:
            self._skip()
        num_positions = batch.num_positions * self.team.size  # the others' are about as long
        if is_for_ears:
            self.progressed.num_ears_positions += num_positions
            self._ears_metrics = dict(losses.metrics)
        else:
            self.progressed.num_positions += num_positions
            losses.metrics |= self._ears_metrics  # for the log, which has every tenth step's
        return losses

    def _skip(self) -> None:
        self.progressed.num_skipped += 1
        self._num_skipped_in_a_row += 1
        if self._num_skipped_in_a_row == MAX_SKIPPED_IN_A_ROW:
            raise MicroturnError(
                f"step {self.progressed.step}: no finite gradient in {MAX_SKIPPED_IN_A_ROW} steps; "
                f"{self.checkpoint_path} is as it was last saved: begin another run, with a lower --rate-scale"
            )

    def _losses(self, batch: Batch, generator: torch.Generator, is_for_ears: bool = False) -> Losses:
        batch = batch.to(self.config.device)
        with torch.autocast(self.config.device.split(":")[0], torch.bfloat16, enabled=self.config.is_bf16):
            if is_for_ears:
                return compute_ears_losses(self.model, self.auxiliaries, batch)
            return compute_losses(self.model, self.auxiliaries, batch, self.config.loss, generator)

    # --- validation ------------------------------------------------------------------------------------------

    def _validation_groups(self, folder: Path) -> list[list[tuple[Path, Entry]]]:
        """Where the episodes of each batch lie: with their pictures they would fill the memory."""
        places = [(shard, entry) for shard in list_shards(folder) for entry in read_index(shard)]
        if self.team.is_first:
            warn_of_long(folder, (entry for _, entry in places), self.config.max_positions)
        places = [place for place in places if place[1].num_positions <= self.config.max_positions][:48]
        return [places[i : i + 8] for i in range(0, len(places), 8)]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean losses over the validation episodes, the same noise each time, of the averaged weights.

        The first process's work.
        """
        if not self.team.is_first:
            return {}
        with self.average.in_place():
            return self._validate()

    def _validate(self) -> dict[str, float]:
        self.model.eval()
        generator = torch.Generator(self.config.device).manual_seed(1)
        values: dict[str, list[float]] = {}
        for group in self.validation:
            batch = collate([read_episode(*place) for place in group], self.vocabulary, self.statistics)
            for name, value in self._losses(batch, generator).metrics.items():
                values.setdefault(name, []).append(float(value))
        means = {name: sum(row) / len(row) for name, row in values.items()}
        if means:
            self._log("validation", means)
        return means

    def _log(self, kind: str, metrics: dict[str, float]) -> None:
        if not self.team.is_first:
            return
        record = {"kind": kind, **asdict(self.progressed), **{name: round(v, 5) for name, v in metrics.items()}}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    # --- going on --------------------------------------------------------------------------------------------

    @property
    def checkpoint_path(self) -> Path:
        """What ``resume`` reads."""
        return self.folder / CHECKPOINT_FILE

    def save(self) -> None:
        """Write everything that going on needs, whole or not at all. The first process's work."""
        if not self.team.is_first:
            return
        state = {
            "model": self.model.state_dict(),
            "auxiliaries": self.auxiliaries.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "generator": self.generator.get_state(),
            "progressed": asdict(self.progressed),
            "cursor": asdict(self.reader.cursor),
            "ears_cursor": asdict(self.ears_reader.cursor) if self.ears_reader else None,
            "config": self.config.model.to_json(),
            "training": {
                "optimizer": asdict(self.config.optimizer),
                **{name: getattr(self.config, name) for name in KEPT},
            },
        }
        partial = self.checkpoint_path.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(self.checkpoint_path)

    def resume(self) -> None:
        """Go on from ``checkpoint.pt``, with a configuration that is ``as_it_began``.

        Raises CheckpointError if it is absent, or of another model, version or optimiser.
        """
        state = _read_checkpoint(self.checkpoint_path, self.config.device)
        if state["config"] != self.config.model.to_json():
            raise CheckpointError(f"{self.checkpoint_path} is of another model: give the recipe that it began with")
        ears_cursor = state.get("ears_cursor")
        if ears_cursor and self.ears_reader is None:
            raise CheckpointError(f"{self.checkpoint_path} is of a run with --ears-shards: give them again")
        self.model.load_state_dict(state["model"])
        try:
            self.auxiliaries.load_state_dict(state["auxiliaries"])
        except RuntimeError as error:
            raise CheckpointError(
                f"{self.checkpoint_path} is of another version, with other auxiliaries: begin a run from its weights"
            ) from error
        try:
            self.optimizer.load_state_dict(state["optimizer"])
        except ValueError as error:
            raise CheckpointError(
                f"{self.checkpoint_path} is of another version, with other groups of parameters, or began with other "
                "rate scales: give those, or begin a run from its weights"
            ) from error
        self.average.load_state_dict(state.get("average"))
        if self.team.is_first:
            self.generator.set_state(state["generator"].cpu())
        else:  # any noise will do, if it is not the first one's
            self.generator.manual_seed(self.config.seed + self.team.rank + state["progressed"]["step"] * self.team.size)
        self.progressed = Progressed(**state["progressed"])
        self.reader.cursor = Cursor(**state["cursor"])
        if self.ears_reader and ears_cursor:
            self.ears_reader.cursor = Cursor(**ears_cursor)
