"""Movements that things repeat: how far along and how far out to where the thing then is."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """What a movement adds to a thing's place; lengths in the thing's own size."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    angle_deg: float = 0.0
    is_hidden: bool = False
    glow: float = 0.0
    """0: its colour, 1: white."""


REST = Offset()
Motion = Callable[[float, float, float], Offset]
"""(share of the repetition, how far out, strength) to an offset; strength is about 1, below 0 the other way."""


def _circle(share: float, out: float, strength: float) -> Offset:
    angle = 2 * math.pi * share
    return Offset(x=strength * math.sin(angle), y=abs(strength) * (math.cos(angle) - 1))


def _pendulum(share: float, out: float, strength: float) -> Offset:
    angle = 0.6 * strength * math.sin(2 * math.pi * share)
    return Offset(x=2 * math.sin(angle), y=2 * (math.cos(angle) - 1), angle_deg=-math.degrees(angle))


MOTIONS: dict[str, Motion] = {
    "bounce": lambda share, out, strength: Offset(y=-1.6 * abs(strength) * out),
    "slide": lambda share, out, strength: Offset(x=2.2 * strength * out),
    "grow": lambda share, out, strength: Offset(scale=1 + 0.7 * abs(strength) * out),
    "tilt": lambda share, out, strength: Offset(angle_deg=55 * strength * out),
    "spin": lambda share, out, strength: Offset(angle_deg=360 * share * (1 if strength > 0 else -1)),
    "blink": lambda share, out, strength: Offset(is_hidden=out > 0.5),
    "circle": _circle,
    "pendulum": _pendulum,
    "flash": lambda share, out, strength: Offset(glow=min(1.0, out * abs(strength))),
}
"""By name; ``split.THING_MOTIONS`` says which side each is on."""
