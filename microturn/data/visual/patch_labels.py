"""What is to be seen at each patch of a frame: the auxiliary target of each image token.

Where a scene is rendered, what it shows is known by construction, patch by patch. Asked of every image token, that
teaches a model to see long before the few words that depend on sight could.

Dimensions: N image tokens of a frame, 3 labels of each.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from microturn.data.visual.palette import COLOURS
from microturn.data.visual.things import NAMES
from microturn.data.visual.view import HEIGHT, WIDTH, Outlines
from microturn.features.patches import PATCH_PIXELS, num_patches

PatchLabels = NDArray[np.uint8]
"""(N, 3): what is there, its colour, how it moves; ``UNKNOWN`` where nobody knows."""
UNKNOWN = 255
WHAT: tuple[str, ...] = ("nothing", "darkness", "a person", "a raised hand", *NAMES)
COLOUR: tuple[str, ...] = ("none", *COLOURS)
MOVEMENT: tuple[str, ...] = ("still", "on its way", "first quarter", "second quarter", "third quarter", "last quarter")
"""Quarters are those of a repetition."""
NUM_CLASSES: tuple[int, ...] = (len(WHAT), len(COLOUR), len(MOVEMENT))

NUM_ROWS, NUM_COLUMNS = HEIGHT // PATCH_PIXELS, WIDTH // PATCH_PIXELS
NUM_TOKENS = num_patches(HEIGHT, WIDTH)
LEAST_OF_PATCH, LEAST_OF_ACTOR = 0.12, 0.2
"""Shares of a patch's area, or of what is to be seen of something, from which on the patch shows it."""
_CELL = 2
"""Shapes are told to so many pixels."""


def unknown() -> PatchLabels:
    """Labels of a frame of which nothing is known."""
    return np.full((NUM_TOKENS, len(NUM_CLASSES)), UNKNOWN, np.uint8)


def darkness() -> PatchLabels:
    """Labels of a frame that is too dark to see anything."""
    return _tokens(np.array((WHAT.index("darkness"), 0, 0), np.uint8))


def label_patches(shown: Sequence[tuple[Outlines, int, int, int]]) -> PatchLabels:
    """Labels of a frame that shows some shapes, back to front, each with what it is, its colour, how it moves.

    Shapes are in pixels of the frame, and may reach beyond it. A patch's label is that of what fills most of it.
    """
    labels_S3 = np.array([(0, 0, 0), *(them for _, *them in shown)], np.uint8)
    return _tokens(labels_S3[_most_seen([shape for shape, *_ in shown])])


def quarter_of(share: float) -> int:
    """The label of a repetition of which a share is over, 0 to 1."""
    return MOVEMENT.index("first quarter") + min(3, int(4 * share))


def _most_seen(shapes: Sequence[Outlines]) -> NDArray[np.intp]:
    """Of each patch, which of the shapes is seen most of, counted from 1; 0 where none is seen enough of: (R, K)."""
    canvas = Image.new("L", (NUM_COLUMNS * PATCH_PIXELS // _CELL, NUM_ROWS * PATCH_PIXELS // _CELL))
    draw = ImageDraw.Draw(canvas)
    for number, shape in enumerate(shapes, start=1):
        for outline in shape:
            draw.polygon((outline / _CELL - 0.5).ravel().tolist(), fill=number)
    side = PATCH_PIXELS // _CELL
    cells_RKC = np.asarray(canvas).reshape(NUM_ROWS, side, NUM_COLUMNS, side).swapaxes(1, 2)
    cells_RKC = cells_RKC.reshape(NUM_ROWS, NUM_COLUMNS, -1, 1)
    area_RKS = (cells_RKC == np.arange(1, len(shapes) + 1)).sum(2)
    least_S = np.minimum(LEAST_OF_PATCH * side**2, LEAST_OF_ACTOR * area_RKS.sum((0, 1)))
    seen_RKS = np.where(area_RKS >= np.maximum(least_S, 1), area_RKS, 0)
    return np.where(seen_RKS.any(-1), seen_RKS.argmax(-1) + 1, 0)


def _tokens(label_RK3: NDArray[np.uint8]) -> PatchLabels:
    """Labels of each patch, or of all patches (3,), in reading order; the empty column at the right has none."""
    labels = unknown().reshape(NUM_ROWS, NUM_COLUMNS + 1, -1)
    labels[:, :NUM_COLUMNS] = label_RK3
    return labels.reshape(NUM_TOKENS, -1)
