"""Several processes that train one model, each on batches of its own: data parallelism as ``torchrun`` starts it.

After each backward pass the gradients are averaged, so that all take the same step from the same weights.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a run, seen from one of them. A process alone is a team of one."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device: str) -> Self:
        """The team that ``torchrun`` called together; alone without it."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        is_cuda = device.startswith("cuda")
        if is_cuda:  # from here on "cuda" is this process's own
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        if not dist.is_initialized():
            dist.init_process_group("nccl" if is_cuda else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all: it logs, validates and saves."""
        return self.rank == 0

    def share_weights(self, modules: nn.Module) -> None:
        """Everybody starts from the first one's weights."""
        if self.size > 1:
            for tensor in (*modules.parameters(), *modules.buffers()):
                dist.broadcast(tensor.data, 0)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """The mean over all processes, in place.

        A parameter that had no part in a process's batch counts as zero there; one that had none in any stays without
        a gradient, as it does where one process trains alone.
        """
        if self.size == 1:
            return
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        has_part_N = torch.stack([grads[0].new_tensor(float(p.grad is not None)) for p in parameters])
        flat = torch.cat([*(grad.flatten() for grad in grads), has_part_N]) / self.size
        dist.all_reduce(flat)
        *means, has_part_N = flat.split([*(p.numel() for p in parameters), len(parameters)])
        for parameter, mean, has_part in zip(parameters, means, has_part_N.tolist(), strict=True):
            parameter.grad = mean.view_as(parameter) if has_part else None

    def agree(self, value: float, device: str) -> float:
        """The first one's value, so that all stop and slow down at the same step."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared)
