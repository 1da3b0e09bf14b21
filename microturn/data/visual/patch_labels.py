"""What is to be seen at each patch of a frame: the auxiliary target of each image token.

Where a scene is rendered, what it shows is known by construction, patch by patch. Asked of every image token, that
teaches a model to see long before the few words that depend on sight could.

Dimensions: N image tokens of a frame, 3 labels of each.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from microturn.data.visual.palette import COLOURS
from microturn.data.visual.things import NAMES
from microturn.data.visual.view import HEIGHT, WIDTH, Box
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
LEAST_OF_PATCH, LEAST_OF_ACTOR = 0.15, 0.2
"""Shares of a patch's area, or of what is there, from which on the patch shows it."""


def unknown() -> PatchLabels:
    """Labels of a frame of which nothing is known."""
    return np.full((NUM_TOKENS, len(NUM_CLASSES)), UNKNOWN, np.uint8)


def darkness() -> PatchLabels:
    """Labels of a frame that is too dark to see anything."""
    return _tokens(np.full((NUM_ROWS, NUM_COLUMNS), WHAT.index("darkness")), *_blank(2))


def label_patches(shown: Sequence[tuple[Box, int, int, int]]) -> PatchLabels:
    """Labels of a frame that shows some boxes, back to front, each with what it is, its colour, how it moves.

    Boxes are in pixels of the frame, and may reach beyond it.
    """
    what_RK, colour_RK, movement_RK = _blank(3)
    for box, what, colour, movement in shown:
        is_there_RK = _covered(box)
        what_RK[is_there_RK], colour_RK[is_there_RK], movement_RK[is_there_RK] = what, colour, movement
    return _tokens(what_RK, colour_RK, movement_RK)


def quarter_of(share: float) -> int:
    """The label of a repetition of which a share is over, 0 to 1."""
    return MOVEMENT.index("first quarter") + min(3, int(4 * share))


def _covered(box: Box) -> NDArray[np.bool_]:
    """Which patches show what fills a box: (rows, columns)."""
    left, top, right, bottom = box
    edge_K, edge_R = (np.arange(num) * PATCH_PIXELS for num in (NUM_COLUMNS, NUM_ROWS))
    wide_K = np.minimum(right, edge_K + PATCH_PIXELS) - np.maximum(left, edge_K)
    high_R = np.minimum(bottom, edge_R + PATCH_PIXELS) - np.maximum(top, edge_R)
    area_RK = np.clip(high_R, 0, None)[:, None] * np.clip(wide_K, 0, None)[None]
    least = min(LEAST_OF_PATCH * PATCH_PIXELS**2, LEAST_OF_ACTOR * max(1.0, (right - left) * (bottom - top)))
    return area_RK >= least


def _blank(num: int) -> list[NDArray[np.uint8]]:
    return [np.zeros((NUM_ROWS, NUM_COLUMNS), np.uint8) for _ in range(num)]


def _tokens(*labels_RK: NDArray) -> PatchLabels:
    """In reading order; the empty column at the right has none."""
    labels = unknown().reshape(NUM_ROWS, NUM_COLUMNS + 1, -1)
    labels[:, :NUM_COLUMNS] = np.stack(labels_RK, axis=-1)
    return labels.reshape(NUM_TOKENS, -1)
