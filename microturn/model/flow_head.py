"""Speech out: a flow-matching head that turns a hidden state into a patch of log mel.

Rectified flow (Liu et al. 2022; Lipman et al. 2022): noise at time 0 is joined to the patch at time 1 by a straight
line, and a small network learns the line's velocity from any point on it. Its blocks are MLPs modulated by time and
condition (AdaLN, Peebles & Xie 2022; as a per-token head, Li et al. 2024).

Legend: N patches, P values of a patch, D width of the condition, W width of the head, K Euler steps.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from microturn.model.config import SpeechConfig


def time_features(time_N: Tensor, width: int) -> Tensor:
    """Sines and cosines of a time in [0, 1], periods from a thousandth on geometrically. (N,) -> (N, width)."""
    frequency = torch.exp(torch.arange(width // 2, device=time_N.device) * (-math.log(10_000.0) / (width // 2)))
    angle = 1000.0 * time_N.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)


class Modulation(nn.Module):
    """Shift, scale and gate from time and condition.

    Linear in either, so that sampling computes the condition's part once a patch and time's part once for good.
    """

    def __init__(self, width: int, time_width: int, num_parts: int) -> None:
        super().__init__()
        self.time = nn.Linear(time_width, num_parts * width)
        self.condition = nn.Linear(width, num_parts * width, bias=False)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


class FlowBlock(nn.Module):
    """A residual MLP, its input shifted and scaled and its output gated. Starts as the identity."""

    def __init__(self, width: int, time_width: int) -> None:
        super().__init__()
        self.modulation = Modulation(width, time_width, 3)
        self.enter = nn.Linear(width, width)
        self.leave = nn.Linear(width, width)

    def forward(self, x_NW: Tensor, modulation_NV: Tensor) -> Tensor:
        """(N, W), (N, 3 W) -> (N, W)."""
        shift, scale, gate = modulation_NV.chunk(3, dim=-1)
        y = torch.addcmul(shift, F.layer_norm(x_NW, x_NW.shape[-1:]), 1 + scale)
        return torch.addcmul(x_NW, gate, self.leave(F.silu(self.enter(y))))


GUIDED_TIMES = (0.25, 0.75)
"""Of the flow, from noise at 0 to speech at 1: guidance before and after them costs and gains nothing (Kynkäänniemi et
al. 2024)."""


def guidance_by_step(num_steps: int, guidance: float) -> tuple[float, ...]:
    """How far each of so many evenly spaced steps is led by the condition; 1: not at all."""
    start, end = GUIDED_TIMES
    return tuple(guidance if start <= step / num_steps < end else 1.0 for step in range(num_steps))


@dataclass(frozen=True, slots=True)
class FlowSchedule:
    """What sampling needs of each Euler step's time; the same for every patch."""

    num_steps: int
    modulations: tuple[Tensor, ...]
    """One (K, parts x W) for each modulation."""
    guidance_K: tuple[float, ...]
    """How far each step is led by the condition, 1 for those that are not guided; see ``FlowHead.schedule``."""


class FlowHead(nn.Module):
    """Conditional flow matching on one patch."""

    def __init__(self, config: SpeechConfig, condition_width: int) -> None:
        super().__init__()
        width, time_width = config.head_width, config.time_width
        self.time_width = time_width
        self.time_enter = nn.Linear(time_width, time_width)
        self.time_leave = nn.Linear(time_width, time_width)
        self.condition = nn.Linear(condition_width, width)
        self.enter = nn.Linear(config.patch_width, width)
        self.blocks = nn.ModuleList(FlowBlock(width, time_width) for _ in range(config.num_blocks))
        self.last_modulation = Modulation(width, time_width, 2)
        self.leave = nn.Linear(width, config.patch_width)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def loss(self, target_NP: Tensor, cond_ND: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean squared error of the velocity at a random time, for each patch: (N,).

        The time is logit-normal (Esser et al. 2024): most weight where the velocity is hardest to tell.
        """
        target_NP = target_NP.float()
        noise_NP = torch.randn(target_NP.shape, generator=generator, device=target_NP.device)
        time_N = torch.randn(len(target_NP), generator=generator, device=target_NP.device).sigmoid()
        point_NP = torch.lerp(noise_NP, target_NP, time_N[:, None])
        velocity_NP = self.velocity(point_NP, time_N, cond_ND)
        return (velocity_NP.float() - (target_NP - noise_NP)).square().mean(1)

    def velocity(self, point_NP: Tensor, time_N: Tensor, cond_ND: Tensor) -> Tensor:
        """The velocity at a point of the line: (N, P), (N,), (N, D) -> (N, P)."""
        time, condition = self._time_parts(time_N), self._condition_parts(cond_ND)
        return self._network(point_NP, [t + c for t, c in zip(time, condition, strict=True)])

    def schedule(self, num_steps: int, guidance: float = 1.0) -> FlowSchedule:
        """Evenly spaced times. Make it once and hand it to ``sample``; weights must not change in between.

        With ``guidance`` above 1 the steps in ``GUIDED_TIMES`` go so many times as far away from what they would do
        without a condition (classifier-free guidance, Ho & Salimans 2022), for which the head must have been trained
        without one at times.
        """
        time_K = torch.arange(num_steps, device=self.leave.weight.device) / num_steps
        return FlowSchedule(num_steps, self._time_parts(time_K), guidance_by_step(num_steps, guidance))

    def sample(
        self, cond_ND: Tensor, noise_NP: Tensor, num_steps: int = 6, schedule: FlowSchedule | None = None
    ) -> Tensor:
        """Follow the velocity from noise to a patch in Euler steps: (N, D), (N, P) -> (N, P)."""
        schedule = schedule or self.schedule(num_steps)
        modulations = self._modulations_of(cond_ND, schedule)
        is_guided = any(guidance != 1 for guidance in schedule.guidance_K)
        unguided = self._modulations_of(torch.zeros_like(cond_ND[:1]), schedule) if is_guided else []
        point_NP = noise_NP
        for step, guidance in enumerate(schedule.guidance_K):
            velocity_NP = self._network(point_NP, [modulation[step] for modulation in modulations])
            if guidance != 1:
                without_NP = self._network(point_NP, [modulation[step] for modulation in unguided])
                velocity_NP = without_NP + guidance * (velocity_NP - without_NP)
            point_NP = point_NP + velocity_NP / schedule.num_steps
        return point_NP

    def _modulations_of(self, cond_ND: Tensor, schedule: FlowSchedule) -> list[Tensor]:
        """(K, N, parts x W) for each modulation."""
        condition = self._condition_parts(cond_ND)
        return [t[:, None] + c for t, c in zip(schedule.modulations, condition, strict=True)]

    def _modulations(self) -> list[Modulation]:
        return [*(cast(FlowBlock, block).modulation for block in self.blocks), self.last_modulation]

    def _time_parts(self, time_N: Tensor) -> tuple[Tensor, ...]:
        features = time_features(time_N, self.time_width).to(self.time_enter.weight.dtype)
        code_NW = F.silu(self.time_leave(F.silu(self.time_enter(features))))
        return tuple(m.time(code_NW) for m in self._modulations())

    def _condition_parts(self, cond_ND: Tensor) -> tuple[Tensor, ...]:
        code_NW = F.silu(self.condition(cond_ND))
        return tuple(m.condition(code_NW) for m in self._modulations())

    def _network(self, point_NP: Tensor, modulations: list[Tensor]) -> Tensor:
        x_NW = self.enter(point_NP.to(self.enter.weight.dtype))
        for block, modulation in zip(self.blocks, modulations[:-1], strict=True):
            x_NW = block(x_NW, modulation)
        shift, scale = modulations[-1].chunk(2, dim=-1)
        return self.leave(F.layer_norm(x_NW, x_NW.shape[-1:]) * (1 + scale) + shift)
