"""Colours that have a name, in many shades."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from microturn.data import split
from microturn.data.split import Part
from microturn.data.visual.view import RGB

COLOURS: tuple[str, ...] = tuple(split.SHADES["train"])
"""Names that scenarios ask for."""
SKINS: Sequence[RGB] = ((255, 224, 196), (238, 200, 166), (205, 160, 120), (160, 112, 78), (112, 76, 52), (78, 52, 38))
HAIR: Sequence[RGB] = ((30, 24, 20), (70, 46, 28), (120, 84, 48), (190, 160, 96), (120, 120, 124), (150, 62, 30))
_SHADE_JITTER = 9


def shade(rng: Generator, name: str, part: Part) -> RGB:
    """A colour of this name, of this part's shades."""
    shades = split.SHADES[part][name]
    return jittered(rng, shades[int(rng.integers(len(shades)))], _SHADE_JITTER)


def jittered(rng: Generator, colour: RGB, by: int) -> RGB:
    """A colour near another."""
    red, green, blue = (int(v) for v in np.clip(np.array(colour) + rng.integers(-by, by + 1, 3), 0, 255))
    return red, green, blue


def scaled(colour: RGB, factor: float) -> RGB:
    """Darker (below 1) or lighter (above)."""
    if factor <= 1:
        return tuple(int(v * factor) for v in colour)  # pyright: ignore[reportReturnType]
    return tuple(int(v + (255 - v) * (factor - 1)) for v in colour)  # pyright: ignore[reportReturnType]
