"""Muon for the hidden matrices, AdamW for everything else (Jordan et al. 2024, as torch ships it)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

NOT_HIDDEN = (
    "embed",
    "table",
    "unembed",
    "relative",
    "speech_in.enter.weight",
    "flow_head.enter.weight",
    "flow_head.time_enter.weight",
    "phone",
    "auxiliary",
)
"""Matrices that are not maps between hidden states, by part of their name: Muon is not for them."""


VOICE = ("flow_head", "phone_head", "auxiliary")
"""Parameters behind the hidden states that no token is read from, by part of their name."""
SIGHT = ("image_in", "auxiliary.glimpsed", "auxiliary.seen")
"""Parameters that only what is seen goes through, and the heads that ask about it."""


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Peak learning rates and decay."""

    matrix_rate: float = 4e-3
    """Of Muon, its update scaled to AdamW's root mean square."""
    other_rate: float = 2e-3
    """Of AdamW."""
    voice_scale: float = 1.0
    """Factor on both rates for the flow head and the auxiliaries' heads: what nothing but speech is read from can learn
    faster than weights that hear as well."""
    sight_scale: float = 1.0
    """The same for what embeds images, which is new to a model that could not see."""
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    warmup: float = 0.02
    """Share of the run in which the rates rise."""
    decay_from: float = 0.3
    """Share of the run after which they fall, in a line: the curves fall fastest while the rates do."""

    def at(self, scale: float, voice_scale: float | None = None, sight_scale: float | None = None) -> "OptimizerConfig":
        """The same with both rates scaled, those of some parts by factors of their own."""
        return replace(
            self,
            matrix_rate=self.matrix_rate * scale,
            other_rate=self.other_rate * scale,
            voice_scale=1.0 if voice_scale is None else voice_scale / scale,
            sight_scale=1.0 if sight_scale is None else sight_scale / scale,
        )

    def scale_of(self, name: str) -> float:
        """The factor on a parameter's rate."""
        if any(part in name for part in SIGHT):
            return self.sight_scale
        return self.voice_scale if any(part in name for part in VOICE) else 1.0


class Optimizer:
    """The two optimisers as one."""

    def __init__(self, modules: nn.Module, config: OptimizerConfig) -> None:
        self.config = config
        matrices: dict[float, list[nn.Parameter]] = {}
        others: dict[float, list[nn.Parameter]] = {}
        for name, parameter in modules.named_parameters():
            is_hidden = parameter.ndim == 2 and min(parameter.shape) > 16 and not any(p in name for p in NOT_HIDDEN)
            (matrices if is_hidden else others).setdefault(config.scale_of(name), []).append(parameter)
        self.parameters = [p for groups in (matrices, others) for group in groups.values() for p in group]
        self.muon = torch.optim.Muon(
            _at_scales(matrices),
            lr=config.matrix_rate,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self.adamw = torch.optim.AdamW(_at_scales(others), lr=config.other_rate, betas=(0.9, 0.95), weight_decay=0.0)

    def step(self, rate_factor: float) -> float:
        """Clip, update and clear the gradients; where their norm is not finite, clear them only.

        Returns the norm before clipping.
        """
        norm = float(nn.utils.clip_grad_norm_(self.parameters, self.config.max_gradient_norm))
        for optimizer, rate in ((self.muon, self.config.matrix_rate), (self.adamw, self.config.other_rate)):
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_factor * group["scale"]
            if math.isfinite(norm):
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return norm

    def state_dict(self) -> dict:
        """Both states."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Both states."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])


def _at_scales(groups: Mapping[float, list[nn.Parameter]]) -> list[dict]:
    """Parameters by the factor on their rate, as PyTorch's optimisers take them."""
    return [{"params": parameters, "scale": scale} for scale, parameters in groups.items()]


def rate_factor(progress: float, *, warmup: float, decay_from: float, floor: float = 0.02) -> float:
    """Share of the peak rate at a share of the run: linear warm-up, constant, linear decay."""
    if progress < warmup:
        return max(floor, progress / warmup)
    if progress < decay_from:
        return 1.0
    return max(floor, 1.0 - (1.0 - floor) * (progress - decay_from) / (1.0 - decay_from))
