"""nano: the small model that ships with the project, trained end to end on a CPU or a GPU."""

from dataclasses import replace

from microturn.recipes.geometries import nano
from microturn.train.trainer import TrainConfig

BLIND_POSITIONS = 2_400
"""All but the longest sessions."""
SIGHTED_POSITIONS = 4_200
"""Forty seconds with the camera on: a micro-turn is 15 patches longer."""


def nano_cpu(vocab_size: int) -> TrainConfig:
    """On a few CPU cores: bf16 autocast, compiled."""
    return TrainConfig(
        model=nano(vocab_size), positions_per_batch=8_400, max_positions=BLIND_POSITIONS, is_compiled=True
    )


def nano_sight_cpu(vocab_size: int) -> TrainConfig:
    """The same with sight: from shards with video, and the weights of a blind nano (``--init-from``).

    Batches are half as large: eyes that have seen nothing yet learn by the step.
    """
    return TrainConfig(
        model=nano(vocab_size, can_see=True),
        positions_per_batch=SIGHTED_POSITIONS,
        max_positions=SIGHTED_POSITIONS,
        is_compiled=True,
    )


def nano_sight_gpu(vocab_size: int) -> TrainConfig:
    """On one GPU: larger batches, compiled."""
    return replace(nano_sight_cpu(vocab_size), device="cuda", positions_per_batch=65_536)


def nano_gpu(vocab_size: int) -> TrainConfig:
    """On one GPU: larger batches, compiled."""
    return replace(nano_cpu(vocab_size), device="cuda", positions_per_batch=65_536)
