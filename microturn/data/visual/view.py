"""What can be filmed."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from microturn.features.patches import NANO_HEIGHT, NANO_WIDTH

WIDTH, HEIGHT = NANO_WIDTH, NANO_HEIGHT
"""Pixels of a finished frame: the size at which nano sees."""
DRAWN = 2
"""Scenes are drawn so many times larger, and scaled down: smooth edges, movements of half a pixel."""
CANVAS_WIDTH, CANVAS_HEIGHT = WIDTH * DRAWN, HEIGHT * DRAWN

RGB = tuple[int, int, int]
Outlines = list[NDArray[np.float64]]
"""Polygons that together are something's shape, each (corners, 2): x, y."""
Shown = tuple[Outlines, str, str]
"""Something on the canvas of a camera that does not shake: its shape, what it is and of which colour, in
``patch_labels``' words."""
Pixels = NDArray[np.uint8]
"""(HEIGHT, WIDTH, 3)."""


def rectangle(left: float, top: float, right: float, bottom: float) -> Outlines:
    """The shape of a box."""
    return [np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)]


class View(Protocol):
    """Anything that looks like something at every moment."""

    def frame(self, time_ms: float) -> Pixels:
        """The picture at a media time; the same time gives the same picture."""
        ...

    def labels(self, time_ms: float) -> NDArray[np.uint8]:
        """What is at each patch of that picture, as far as it is known: ``PatchLabels``."""
        ...
