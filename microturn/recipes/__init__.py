"""Full configurations as functions: what ``microturn train RECIPE`` and ``microturn plan GEOMETRY`` take."""

from collections.abc import Callable

from microturn.recipes.geometries import nano, small
from microturn.recipes.nano import nano_cpu, nano_gpu
from microturn.train.trainer import TrainConfig

RECIPES: dict[str, Callable[[int], TrainConfig]] = {"nano": nano_cpu, "nano-gpu": nano_gpu}

__all__ = ["RECIPES", "nano", "nano_cpu", "nano_gpu", "small"]
