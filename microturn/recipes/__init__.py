"""Full configurations as functions: what ``microturn train RECIPE`` and ``microturn plan GEOMETRY`` take."""

from collections.abc import Callable

from microturn.model.config import ModelConfig
from microturn.recipes import geometries
from microturn.recipes.nano import nano_cpu, nano_gpu, nano_sight_cpu, nano_sight_gpu
from microturn.train.trainer import TrainConfig

NANO_VOCABULARY = 1050
"""Rows of nano's embedding: 1,024 text tokens, the special ones and the seconds."""

RECIPES: dict[str, Callable[[int], TrainConfig]] = {
    "nano": nano_cpu,
    "nano-gpu": nano_gpu,
    "nano-sight": nano_sight_cpu,
    "nano-sight-gpu": nano_sight_gpu,
}
GEOMETRIES: dict[str, Callable[[], ModelConfig]] = {
    "nano": lambda: geometries.nano(NANO_VOCABULARY),
    "nano-sight": lambda: geometries.nano(NANO_VOCABULARY, can_see=True),
    "small": geometries.small,
}

__all__ = ["GEOMETRIES", "RECIPES"]
