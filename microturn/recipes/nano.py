"""nano: the small model that ships with the project, trained end to end on a CPU or a GPU."""

from dataclasses import replace

from microturn.recipes.geometries import nano
from microturn.train.trainer import TrainConfig


def nano_cpu(vocab_size: int) -> TrainConfig:
    """On a few CPU cores: bf16 autocast, no compilation."""
    return TrainConfig(model=nano(vocab_size))


def nano_gpu(vocab_size: int) -> TrainConfig:
    """On one GPU: larger batches, compiled."""
    return replace(nano_cpu(vocab_size), device="cuda", positions_per_batch=65_536, is_compiled=True)
