"""Outlines in unit coordinates: x to the right, y down, a thing fills about -1 to 1."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(corners, 2)."""
Role = Literal["main", "dark", "light", "other", "glass", "metal", "ink"]
"""Which of a thing's colours fills an outline; ``main`` is the colour that it is called by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outline:
    """One filled polygon of a thing."""

    points: Points
    role: Role


@dataclass(frozen=True, kw_only=True)
class Bend:
    """A smooth change of an outline: two things of one look are not of one shape."""

    shear: float = 0.0
    taper: float = 0.0
    """Wider below, or above."""
    swell: float = 0.0
    """Wider in the middle, or narrower."""
    bow: float = 0.0
    """Ends and middle apart."""

    @classmethod
    def drawn(cls, rng: Generator, deviation: float) -> Self:
        """A bend at random, each part of it of that standard deviation."""
        shear, taper, swell, bow = (float(v) for v in rng.normal(0, deviation, 4))
        return cls(shear=shear, taper=taper, swell=swell, bow=bow)

    def __call__(self, points: Points) -> Points:
        """(corners, 2) to the same."""
        x, y = points.T
        wide = x * (1 + self.taper * y + self.swell * (0.5 - y**2)) + self.shear * y + self.bow * (y**2 - 0.5)
        return np.stack([wide, y], 1)


def polygon(*corners: tuple[float, float], role: Role = "main") -> Outline:
    """A polygon by its corners."""
    return Outline(points=np.array(corners, np.float64), role=role)


def box(left: float, top: float, right: float, bottom: float, role: Role = "main") -> Outline:
    """An upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom), role=role)


def ellipse(x: float, y: float, width: float, height: float, role: Role = "main") -> Outline:
    """An ellipse by its centre and half axes."""
    return Outline(points=_circle(20) * (width, height) + (x, y), role=role)


def ring(x: float, y: float, outer: float, inner: float, role: Role = "main") -> Outline:
    """A circle with a hole."""
    return hollow(ellipse(x, y, outer, outer, role), ellipse(x, y, inner, inner))


def hollow(outer: Outline, inner: Outline) -> Outline:
    """The first without the second, which lies within it: out along one edge, back along the other."""
    out, back = (np.vstack([outline.points, outline.points[:1]]) for outline in (outer, inner))
    return Outline(points=np.vstack([out, back[::-1]]), role=outer.role)


def star(num_points: int, inner: float, role: Role = "main") -> Outline:
    """A star with the first point up."""
    angles = np.arange(2 * num_points) * math.pi / num_points - math.pi / 2
    radii = np.where(np.arange(2 * num_points) % 2, inner, 1.0)
    return Outline(points=np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None], role=role)


def heart(width: float, role: Role = "main") -> Outline:
    """The usual curve."""
    t = np.linspace(0, 2 * math.pi, 28, endpoint=False)
    x = np.sin(t) ** 3 * width
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 15
    return Outline(points=np.stack([x, y], 1), role=role)


@cache
def _circle(num_corners: int) -> Points:
    angles = np.arange(num_corners) * 2 * math.pi / num_corners
    return np.stack([np.cos(angles), np.sin(angles)], 1)
