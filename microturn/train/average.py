"""The mean of a run's recent weights: what is validated and what ships.

One step's gradient is mostly noise where batches are small, and the weights jitter about where they are going. Their
exponential moving average does not (Polyak & Juditsky 1992; Tarvainen & Valpola 2017), at no cost in training.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class WeightAverage:
    """A running mean of parameters.

    Args:
        parameters: What is trained; their values now are the first of the mean.
        horizon_steps: About so many of the latest steps count; until there are so many, all do.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], horizon_steps: int) -> None:
        self._live = list(parameters)
        self._horizon_steps = horizon_steps
        self._mean = [parameter.detach().clone() for parameter in self._live]
        self._num_values = 1

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step in."""
        self._num_values = min(self._num_values + 1, self._horizon_steps)
        for mean, live in zip(self._mean, self._live, strict=True):
            mean.lerp_(live, 1 / self._num_values)

    @contextmanager
    def in_place(self) -> Generator[None, None, None]:
        """Let the model have the mean meanwhile, and its own weights afterwards."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state_dict(self) -> dict[str, Any]:
        """What going on needs."""
        return {"mean": self._mean, "num_values": self._num_values}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Go on from a saved mean; without one, from the weights as they are."""
        values: list[torch.Tensor] = state["mean"] if state else [live.detach() for live in self._live]
        for mean, value in zip(self._mean, values, strict=True):
            mean.copy_(value)
        self._num_values = state["num_values"] if state else 1

    @torch.no_grad()
    def _exchange(self) -> None:
        for mean, live in zip(self._mean, self._live, strict=True):
            value = live.clone()
            live.copy_(mean)
            mean.copy_(value)
