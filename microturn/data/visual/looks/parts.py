"""Pieces that several looks are put together from."""

import math
from collections.abc import Iterable

import numpy as np

from microturn.data.visual.shapes import Outline, Role, ellipse, polygon

Look = tuple[Outline, ...]
Corner = tuple[float, float]


def curve(x: float, y: float, width: float, height: float, start_deg: float, end_deg: float) -> tuple[Corner, ...]:
    """Corners along the edge of an ellipse: 0 degrees is to the right, 90 down."""
    angles = [math.radians(start_deg + (end_deg - start_deg) * i / 11) for i in range(12)]
    return tuple((x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles)


def dome(x: float, y: float, width: float, height: float, role: Role = "main") -> Outline:
    """The upper half of an ellipse, or the lower one of a negative height."""
    return polygon(*curve(x, y, width, height, 180, 360), role=role)


def rounded(left: float, top: float, right: float, bottom: float, corner: float, role: Role = "main") -> Outline:
    """An upright rectangle with round corners."""
    corners = ((right, bottom, -1, -1), (left, bottom, 1, -1), (left, top, 1, 1), (right, top, -1, 1))
    quarters = (
        curve(x + i * corner, y + j * corner, corner, corner, start_deg, start_deg + 90)[::3]
        for start_deg, (x, y, i, j) in zip((0, 90, 180, 270), corners, strict=True)
    )
    return polygon(*(point for quarter in quarters for point in quarter), role=role)


def mirrored(*right: Corner, role: Role = "main") -> Outline:
    """A polygon whose sides are alike, by the corners of its right half from the top."""
    return polygon(*right, *((-x, y) for x, y in right[::-1]), role=role)


def stroke(*corners: Corner, thick: float, role: Role = "main") -> Outline:
    """A line through these corners."""
    points = np.array(corners, np.float64)
    steps = np.diff(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    along = np.vstack([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.stack([-along[:, 1], along[:, 0]], 1) * thick / 2
    return Outline(points=np.vstack([points + side, (points - side)[::-1]]), role=role)


def moved(
    outline: Outline, x: float = 0, y: float = 0, width: float = 1, height: float | None = None, turn_deg: float = 0
) -> Outline:
    """Made this much wider and higher, turned clockwise, then moved; a height is like the width where none is given."""
    cos, sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    turn = np.array([[cos, sin], [-sin, cos]])
    scale = np.array([width, width if height is None else height])
    return Outline(points=(outline.points * scale) @ turn + np.array([x, y]), role=outline.role)


def placed(
    look: Iterable[Outline],
    x: float = 0,
    y: float = 0,
    width: float = 1,
    height: float | None = None,
    turn_deg: float = 0,
) -> Look:
    """``moved`` for several outlines."""
    return tuple(moved(outline, x, y, width, height, turn_deg) for outline in look)


def around(count: int, *look: Outline, x: float = 0, y: float = 0, size: float = 1, start_deg: float = 0) -> Look:
    """So many copies, each turned on about (0, 0) from the one before, then moved to a centre."""
    return tuple(o for i in range(count) for o in placed(look, x, y, size, turn_deg=start_deg + 360 * i / count))


def dots(*places: Corner, size: float = 0.1, role: Role = "ink") -> Look:
    """Round spots of one size."""
    return tuple(ellipse(x, y, size, size, role) for x, y in places)
