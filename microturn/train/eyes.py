"""Eyes first: what embeds images learns alone, from moments of scenes, what is at each patch.

A model learns to see from sessions, but a session shows one scene for as long as a hundred turns, and thousands of
scenes are too few: an hMLP knows nothing of shapes, and learns those scenes by heart. Alone it costs a fiftieth of what
it costs inside the model, and a moment costs two frames to draw: half of what a step sees no other step saw before.

Dimensions: B moments, N image tokens of a frame, H height, W width, C colours.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from microturn.data.split import Part
from microturn.data.visual.moments import Moment, moments
from microturn.data.visual.patch_labels import NUM_CLASSES, NUM_COLUMNS, NUM_ROWS, UNKNOWN
from microturn.errors import CheckpointError
from microturn.features.patches import pair_patches
from microturn.model.checkpoint import naming
from microturn.model.config import VideoInConfig
from microturn.model.embeddings import ImageEmbedding
from microturn.train.losses import label_loss
from microturn.train.optimizer import Optimizer, OptimizerConfig, rate_factor

EYES_FILE = "eyes.safetensors"
NUM_HELD_OUT = 96
"""Moments of scenes that are drawn once, to see how well new ones are known."""
NEW_SHARE, NUM_KEPT = 0.5, 2_048
"""To draw a moment costs more than to learn from it: a share of a batch is new, the others are of the last drawn."""


@dataclass(frozen=True, kw_only=True)
class EyesTraining:
    """One run."""

    max_minutes: float = 10.0
    moments_per_batch: int = 64
    is_compiled: bool = False
    """Compile the eyes: half a minute at the start, twice as fast from then on."""
    num_workers: int = 1
    """Processes that draw."""
    report_every: int = 100
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    seed: int = 0
    """Of the scenes: another where eyes go on from others, which have seen those."""


class Eyes(nn.Module):
    """What embeds images, and the head that asks it; under the names that they have beside a model's."""

    def __init__(self, config: VideoInConfig) -> None:
        super().__init__()
        self.image_in = ImageEmbedding(config)
        self.auxiliary = nn.ModuleDict({"glimpsed": nn.Linear(config.folds[-1].out_width, sum(NUM_CLASSES))})

    def forward(self, image_N: Tensor) -> Tensor:
        """Patch pairs (N, 2, 40, 40, 3) to the logits of all labels, (N, classes)."""
        return self.auxiliary["glimpsed"](self.image_in(image_N))

    def take(self, path: Path) -> None:
        """Go on from weights that ``save`` wrote.

        Raises:
            CheckpointError: there are none, or of another geometry.
        """
        weights = read_eyes(path)
        try:
            self.load_state_dict(
                {name if name.startswith("image_in.") else f"auxiliary.{name}": it for name, it in weights.items()}
            )
        except RuntimeError as error:
            raise CheckpointError(f"{path} does not hold eyes of this geometry: train them anew ({error})") from None

    def save(self, path: Path) -> None:
        """Write the weights, whole or not at all: ``image_in.…`` for a model, ``glimpsed.…`` for its heads."""
        partial = path.with_suffix(".partial")
        save_file({name.removeprefix("auxiliary."): value for name, value in self.state_dict().items()}, partial)
        partial.rename(path)


def read_eyes(path: Path) -> dict[str, Tensor]:
    """Weights that ``Eyes.save`` wrote, under its names.

    Raises:
        CheckpointError: the file is not there or damaged.
    """
    with naming(path, give=f"the {EYES_FILE} of `microturn.recipes.eyes`", remedy="train eyes anew"):
        return load_file(path)


class Moments(IterableDataset):
    """Endless batches of moments, other ones in each worker; a moment is seen twice or so, either way round."""

    def __init__(self, part: Part, moments_per_batch: int, seed: int) -> None:
        self.part: Part = part
        self.moments_per_batch, self.seed = moments_per_batch, seed

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Frames (B, 2, H, W, C) and labels (B, N, 3)."""
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        stream = moments(rng, self.part)
        kept: list[Moment] = []
        num_new = self.moments_per_batch
        while True:
            batch = [next(stream) for _ in range(num_new)]
            kept = [*kept, *batch][-NUM_KEPT:]
            seen_before = rng.integers(len(kept), size=self.moments_per_batch - num_new)
            batch += [kept[index] for index in seen_before]
            frames, labels = zip(*(mirrored(it) if rng.random() < 0.5 else it for it in batch), strict=True)
            yield np.stack(frames), np.stack(labels)
            num_new = round(NEW_SHARE * self.moments_per_batch)


def mirrored(moment: Moment) -> Moment:
    """Left is right: frames (2, H, W, C) and labels (N, 3), whose last column is beyond the frame and stays."""
    frames, label_N3 = moment
    label_RK3 = label_N3.reshape(NUM_ROWS, NUM_COLUMNS + 1, -1).copy()
    label_RK3[:, :NUM_COLUMNS] = label_RK3[:, NUM_COLUMNS - 1 :: -1]
    return frames[:, :, ::-1], label_RK3.reshape(label_N3.shape)


def known_patches(frames_B2HWC: np.ndarray, label_BN3: np.ndarray) -> tuple[Tensor, Tensor]:
    """The patch pairs of which something is known, and their labels."""
    image_N = np.concatenate([pair_patches(older, newer) for older, newer in frames_B2HWC])
    label_N3 = label_BN3.reshape(-1, label_BN3.shape[-1])
    is_known_N = (label_N3 != UNKNOWN).all(-1)
    return torch.from_numpy(image_N[is_known_N]), torch.from_numpy(label_N3[is_known_N].astype(np.int64))


def train(run: Path, training: EyesTraining, config: VideoInConfig, *, init_from: Path | None = None) -> Eyes:
    """Train in the folder ``run``, which gets ``log.jsonl`` and ``eyes.safetensors``; returns the eyes.

    Args:
        init_from: eyes to go on from.

    Raises:
        CheckpointError: ``init_from`` holds none of this geometry.
    """
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(training.seed)
    eyes = Eyes(config)
    if init_from:
        eyes.take(init_from)
    look = torch.compile(eyes) if training.is_compiled else eyes
    optimizer = Optimizer(eyes, training.optimizer)
    held_out = {
        part: known_patches(*next(iter(Moments(part, NUM_HELD_OUT, seed=10**6)))) for part in ("train", "heldout")
    }
    batches = DataLoader(
        Moments("train", training.moments_per_batch, training.seed),
        batch_size=None,
        num_workers=training.num_workers,
        prefetch_factor=4 if training.num_workers else None,
    )
    num_seconds = training.max_minutes * 60
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"), TimeRemainingColumn())
    with Progress(*columns) as bar, (run / "log.jsonl").open("a", encoding="utf-8") as log:
        task = bar.add_task("eyes", total=num_seconds, loss="")
        for step, (frames, labels) in enumerate(batches, start=1):
            image_N, label_N3 = known_patches(np.asarray(frames), np.asarray(labels))
            with torch.autocast("cpu", torch.bfloat16):
                loss, _ = label_loss(look(image_N), label_N3)
            loss.backward()
            seconds = time.monotonic() - started
            optimizer.step(rate_factor(min(1.0, seconds / num_seconds), warmup=0.01, decay_from=0.3))
            bar.update(task, completed=seconds, description=f"step {step}", loss=f"loss {loss.item():.3f}")
            if step % training.report_every == 0 or seconds > num_seconds:
                record = {"step": step, "seconds": round(seconds, 1), "loss": round(loss.item(), 4)}
                record |= {f"{part}_{name}": v for part, them in held_out.items() for name, v in _known(eyes, *them)}
                print(json.dumps(record), file=log, flush=True)
                eyes.save(run / EYES_FILE)
            if seconds > num_seconds:
                break
    return eyes


@torch.inference_mode()
def _known(eyes: Eyes, image_N: Tensor, label_N3: Tensor) -> Iterator[tuple[str, float]]:
    """How well scenes are known that were never learnt from."""
    loss, accuracy = label_loss(eyes(image_N), label_N3)
    yield from (("loss", round(loss.item(), 4)), ("accuracy", round(accuracy.item(), 4)))
