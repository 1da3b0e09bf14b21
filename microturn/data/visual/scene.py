"""A rendered scene: things and people come, go, move and change at moments that the caller sets."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import ImageDraw

from microturn.data import split
from microturn.data.split import Part
from microturn.data.visual.backgrounds import MARGIN, draw_background
from microturn.data.visual.camera import Camera, make_camera
from microturn.data.visual.palette import COLOURS, scaled, shade
from microturn.data.visual.patch_labels import COLOUR, MOVEMENT, WHAT, PatchLabels, darkness, label_patches, quarter_of
from microturn.data.visual.people import Person, Pose, make_person
from microturn.data.visual.things import NAMES, Thing, make_thing
from microturn.data.visual.tracks import WAVES, Cycle, Track
from microturn.data.visual.view import CANVAS_HEIGHT, CANVAS_WIDTH, DRAWN, RGB, Pixels, rectangle

Actor = Thing | Person
CLEAR = 45
"""Mean difference of colours, in levels of 256, at which one stands out before the other."""
MAX_THINGS = 3
"""Places for things side by side."""
DARK = (0.06, 0.2)
"""How much is still to be seen when the light is off."""
DIM = 0.5
"""Under less light than this it is dark."""


@dataclass(frozen=True, kw_only=True)
class Occluder:
    """Something in front of everything, in canvas pixels."""

    box: tuple[float, float, float, float]
    colour: RGB


class Scene:
    """A view. Every method that changes something returns the media time at which the change is plain to see."""

    def __init__(self, rng: Generator, part: Part, *, camera: Camera | None = None) -> None:
        self.rng = rng
        self.part: Part = part
        self.camera = camera or make_camera(rng)
        self.light = Track(1.0)
        self.actors: list[Actor] = []
        self._background = draw_background(rng, part)
        self._slots = [int(slot) for slot in rng.permutation(MAX_THINGS)]
        self._occluder = self._make_occluder() if rng.random() < 0.15 else None

    # --- who is there ----------------------------------------------------------------------------------------

    def add_thing(self, name: str | None = None, colour: str | None = None, *, is_outside: bool = False) -> Thing:
        """A thing on its place, or beyond the edge that is nearest to it; of a name and colour that no other has."""
        size = float(self.rng.uniform(28, 50))
        x, y = self._free_place(size)
        name = name or self._unused(NAMES, [thing.name for thing in self.things])
        colour = colour or self.fresh_colour(x, y)
        thing = make_thing(self.rng, self.part, name, colour, size, x, y)
        if is_outside:
            thing.place = Track(*self._beyond(thing, x, y))
        self.actors.append(thing)
        return thing

    def add_person(self, *, is_close: bool | None = None, is_outside: bool = False) -> Person:
        """Somebody standing, or sitting close to the camera."""
        is_close = bool(self.rng.random() < 0.5) if is_close is None else is_close
        head = float(self.rng.uniform(20, 27) if is_close else self.rng.uniform(11, 15))
        x = float(self.rng.uniform(0.38, 0.62) * CANVAS_WIDTH)
        y = CANVAS_HEIGHT * 0.48 if is_close else CANVAS_HEIGHT * 0.42
        if is_outside:
            x = -6 * head if self.rng.random() < 0.5 else CANVAS_WIDTH + 6 * head
        person = make_person(self.rng, self.part, head, x, y + float(self.rng.uniform(-8, 8)))
        self.actors.append(person)
        return person

    def fresh_colour(self, x: float, y: float) -> str:
        """A colour that no thing has, and that stands out where it is to be seen."""
        behind = np.asarray(self._background.resize((8, 6)))[min(5, max(0, int(y / 40))), min(7, max(0, int(x / 40)))]
        used = [thing.colour_name for thing in self.things]
        clear = [name for name in COLOURS if _distance(split.SHADES[self.part][name][0], behind) > CLEAR]
        return self._unused(tuple(clear), used)

    @property
    def things(self) -> list[Thing]:
        """The things, in order of coming."""
        return [actor for actor in self.actors if isinstance(actor, Thing)]

    # --- what happens ----------------------------------------------------------------------------------------

    def enter(self, actor: Actor, at_ms: float) -> float:
        """Something that was outside comes in, or is there from one frame to the next."""
        if isinstance(actor, Thing):
            x, y = self._home(actor)
            glide_ms = 0.0 if self.rng.random() < 0.4 else float(self.rng.uniform(400, 1000))
        else:
            x, y = float(self.rng.uniform(0.38, 0.62) * CANVAS_WIDTH), actor.place.last[1]
            glide_ms = float(self.rng.uniform(800, 1500))
        actor.place.send(at_ms, x, y, glide_ms=glide_ms)
        return at_ms + 0.5 * glide_ms

    def leave(self, actor: Actor, at_ms: float) -> float:
        """Something goes out of the picture, or is gone from one frame to the next."""
        x, y = actor.place.last
        if isinstance(actor, Thing):
            glide_ms = 0.0 if self.rng.random() < 0.4 else float(self.rng.uniform(400, 1000))
            x, y = self._beyond(actor, x, y)
        else:
            glide_ms = float(self.rng.uniform(800, 1500))
            x = -6 * actor.head if x < CANVAS_WIDTH / 2 else CANVAS_WIDTH + 6 * actor.head
        actor.place.send(at_ms, x, y, glide_ms=glide_ms)
        return at_ms + 0.8 * glide_ms

    def move(self, thing: Thing, at_ms: float) -> float:
        """A thing goes somewhere else within the picture."""
        x, y = thing.place.last
        away = float(self.rng.uniform(35, 70)) * (1 if x < CANVAS_WIDTH / 2 else -1)
        glide_ms = float(self.rng.uniform(500, 1200))
        thing.place.send(at_ms, x + away, y - float(self.rng.uniform(-25, 25)), glide_ms=glide_ms)
        return at_ms + 0.35 * glide_ms

    def recolour(self, thing: Thing, colour: str, at_ms: float) -> float:
        """A thing takes another colour."""
        glide_ms = 0.0 if self.rng.random() < 0.5 else float(self.rng.uniform(100, 500))
        plain_ms = at_ms + 0.6 * glide_ms
        thing.take_colour(colour, shade(self.rng, colour, self.part), at_ms, glide_ms, plain_ms)
        return plain_ms

    def pose(self, person: Person, pose: Pose, at_ms: float) -> float:
        """Somebody takes a pose."""
        glide_ms = float(self.rng.uniform(300, 700))
        person.take(pose, at_ms, glide_ms)
        return at_ms + 0.7 * glide_ms

    def dim(self, at_ms: float) -> float:
        """The light goes off."""
        self.light.send(at_ms, float(self.rng.uniform(*DARK)), glide_ms=float(self.rng.uniform(0, 250)))
        return at_ms + 100

    def brighten(self, at_ms: float) -> float:
        """The light goes on."""
        self.light.send(at_ms, 1.0, glide_ms=float(self.rng.uniform(0, 250)))
        return at_ms + 100

    def repeat(self, actor: Actor, motion: str, at_ms: float, count: int, period_ms: float) -> Cycle:
        """A movement, some times in a row, each repetition a little longer or shorter. Returns when each is."""
        names = split.WAVES[self.part]
        wave = WAVES[names[int(self.rng.integers(len(names)))]]
        starts, ends, now_ms = list[float](), list[float](), at_ms
        for _ in range(count):
            length_ms = period_ms * float(self.rng.uniform(0.88, 1.12))
            starts.append(now_ms)
            now_ms += length_ms
            ends.append(now_ms)
        cycle = Cycle(starts_ms=starts, ends_ms=ends, wave=wave)
        if isinstance(actor, Thing):
            inwards = 1 if actor.place.last[0] < CANVAS_WIDTH / 2 else -1
            actor.repeat(cycle, motion, inwards * float(self.rng.uniform(0.7, 1.15)))
        else:
            actor.repeat(cycle, motion)
        return cycle

    # --- the picture -----------------------------------------------------------------------------------------

    def frame(self, time_ms: float) -> Pixels:
        """See ``View``."""
        dx, dy = self.camera.shift_at(time_ms)
        left, top = round(MARGIN - dx), round(MARGIN - dy)
        canvas = self._background.crop((left, top, left + CANVAS_WIDTH, top + CANVAS_HEIGHT))
        for actor in self.actors:
            actor.draw(canvas, time_ms, (dx, dy))
        if self._occluder is not None:
            x0, y0, x1, y1 = self._occluder.box
            ImageDraw.Draw(canvas).rectangle((x0 + dx, y0 + dy, x1 + dx, y1 + dy), fill=self._occluder.colour)
        return self.camera.expose(canvas.reduce(DRAWN), time_ms, self.light.at(time_ms)[0])

    def labels(self, time_ms: float) -> PatchLabels:
        """See ``View``."""
        if self.light.at(time_ms)[0] < DIM:
            return darkness()
        shown = [
            (self.camera.framed(shape, time_ms), WHAT.index(what), COLOUR.index(colour), _movement(actor, time_ms))
            for actor in self.actors
            for shape, what, colour in actor.shown_at(time_ms)
        ]
        before = self.camera.framed(rectangle(*self._occluder.box), time_ms) if self._occluder else []
        shown.append(([*before, *self.camera.bars()], 0, 0, 0))
        return label_patches(shown)

    def _make_occluder(self) -> Occluder:
        """A post or a ledge at the edge of the picture."""
        colour = scaled(shade(self.rng, COLOURS[int(self.rng.integers(len(COLOURS)))], self.part), 0.6)
        if self.rng.random() < 0.5:
            x = float(self.rng.choice([-20, CANVAS_WIDTH - 20]))
            return Occluder(box=(x, -40, x + 40, CANVAS_HEIGHT + 40), colour=colour)
        return Occluder(box=(-40, CANVAS_HEIGHT - 22, CANVAS_WIDTH + 40, CANVAS_HEIGHT + 40), colour=colour)

    def _free_place(self, size: float) -> tuple[float, float]:
        """The middle of the next slot, a little off."""
        slot = self._slots[len(self.things) % MAX_THINGS]
        x = CANVAS_WIDTH * (slot + 0.5) / MAX_THINGS + float(self.rng.uniform(-10, 10))
        return x, float(self.rng.uniform(0.35, 0.7) * CANVAS_HEIGHT)

    def _home(self, thing: Thing) -> tuple[float, float]:
        slot = self._slots[self.things.index(thing) % MAX_THINGS]
        return CANVAS_WIDTH * (slot + 0.5) / MAX_THINGS, float(self.rng.uniform(0.35, 0.7) * CANVAS_HEIGHT)

    def _beyond(self, thing: Thing, x: float, y: float) -> tuple[float, float]:
        away = thing.size * 2.2
        outside = (
            (-away, y),
            (CANVAS_WIDTH + away, y),
            (x, -away),
        )
        distances = [math.dist((x, y), place) for place in outside]
        nearest = outside[distances.index(min(distances))]
        return outside[2] if self.rng.random() < 0.25 else nearest

    def _unused(self, options: tuple[str, ...], used: list[str]) -> str:
        free = [option for option in options if option not in used]
        return free[int(self.rng.integers(len(free)))]


def _movement(actor: Actor, time_ms: float) -> int:
    """A label of ``patch_labels.MOVEMENT``."""
    shares = [cycle.share_at(time_ms) for cycle, *_ in actor.motions]
    under_way = next((share for share in shares if share is not None), None)
    if under_way is not None:
        return quarter_of(under_way)
    tracks = (actor.place,) if isinstance(actor, Thing) else (actor.place, actor.pose)
    return MOVEMENT.index("on its way" if any(track.is_gliding_at(time_ms) for track in tracks) else "still")


def _distance(a: RGB, b: NDArray[np.uint8]) -> float:
    return float(np.abs(np.asarray(a, np.float64) - b).mean())
