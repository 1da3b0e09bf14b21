"""Single moments of scenes that nobody plays in: what eyes learn from before they see a session.

A session of twenty seconds shows one or two scenes, and all its frames look alike. A moment costs as much as a frame.

Dimensions: H height, W width, C colours, N image tokens of a frame.
"""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from microturn.data.draw import pick
from microturn.data.split import PERSON_MOTIONS, THING_MOTIONS, Part
from microturn.data.visual.camera import make_camera
from microturn.data.visual.patch_labels import PatchLabels
from microturn.data.visual.people import RAISED_BOTH, RAISED_LEFT, RAISED_RIGHT, Person
from microturn.data.visual.scene import MAX_THINGS, Scene
from microturn.data.visual.tracks import Track
from microturn.turns.slicer import SLOT_MS

MOMENTS_PER_SCENE = 4
"""Arrangements before one background, each through a camera of its own: a background costs as much as a frame."""
PERSON_CHANCE, RAISED_CHANCE, DARK_CHANCE, REPEAT_CHANCE, MOVE_CHANCE = 0.4, 0.4, 0.08, 0.35, 0.2


Moment = tuple[NDArray[np.uint8], PatchLabels]
"""Two frames that follow each other, oldest first (2, H, W, C), and the labels of the newer (N, 3)."""


def moments(rng: Generator, part: Part) -> Iterator[Moment]:
    """Moments without end."""
    while True:
        scene = Scene(rng, part)
        for _ in range(MOMENTS_PER_SCENE):
            scene.actors.clear()
            scene.camera = make_camera(rng)
            time_ms = _arrange(scene)
            yield np.stack([scene.frame(time_ms - SLOT_MS), scene.frame(time_ms)]), scene.labels(time_ms)


def _arrange(scene: Scene) -> float:
    """Somebody, or some things, at rest or on the move. Returns the moment to look at."""
    rng = scene.rng
    begin_ms = float(rng.uniform(0, 60_000))
    if rng.random() < PERSON_CHANCE:
        person = scene.add_person()
        if rng.random() < RAISED_CHANCE:
            scene.pose(person, pick((RAISED_LEFT, RAISED_RIGHT, RAISED_BOTH), rng), begin_ms)
    for _ in range(int(rng.integers(0, MAX_THINGS + 1))):
        scene.add_thing()
    scene.light = Track(1.0)
    if rng.random() < DARK_CHANCE:
        scene.dim(begin_ms)
    if scene.actors and rng.random() < REPEAT_CHANCE:
        actor = pick(scene.actors, rng)
        motions = (PERSON_MOTIONS if isinstance(actor, Person) else THING_MOTIONS)[scene.part]
        period_ms = float(rng.uniform(700, 2_600))
        scene.repeat(actor, pick(motions, rng), begin_ms, 2, period_ms)
        return begin_ms + float(rng.uniform(0, 2 * period_ms))
    if scene.things and rng.random() < MOVE_CHANCE:
        thing = pick(scene.things, rng)
        moved = pick((scene.move, scene.leave), rng)
        moved(thing, begin_ms)
    return begin_ms + float(rng.uniform(0, 1_500))
