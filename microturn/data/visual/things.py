"""A thing in a scene: a name, a look, a colour, and where it is."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from microturn.data import split
from microturn.data.split import Part
from microturn.data.visual.looks import LOOKS
from microturn.data.visual.motions import MOTIONS, REST, Motion, Offset
from microturn.data.visual.palette import scaled, shade
from microturn.data.visual.shapes import Bend, Role
from microturn.data.visual.tracks import Cycle, Track
from microturn.data.visual.view import CANVAS_HEIGHT, CANVAS_WIDTH, RGB, Outlines, Shown

NAMES: tuple[str, ...] = tuple(LOOKS)
_ANGLE_STEP_DEG, _SIZE_STEP_PX = 4.0, 1.5
"""Sprites are kept for angles and sizes this far apart."""
_BEND = 0.09
"""How far an outline is bent, of half a thing's height."""
_COLOUR_STEP = 12
"""While a colour changes, sprites are kept for values this far apart."""


@dataclass(eq=False)
class Thing:
    """Drawn on the canvas, whose pixels are the unit of places and sizes."""

    name: str
    colour_name: str
    look: str
    size: float
    """Half its height."""
    place: Track
    """Centre: x, y."""
    colour: Track
    """RGB."""
    aspect: float = 1.0
    bend: Bend = field(default_factory=Bend)
    tilt_deg: float = 0.0
    is_mirrored: bool = False
    other: RGB = (120, 90, 60)
    grain: float = 0.0
    """How strongly its surface is mottled, 0 to 1."""
    motions: list[tuple[Cycle, Motion, float]] = field(default_factory=list)
    _recoloured: list[tuple[float, str]] = field(default_factory=list, repr=False)
    """When it took the name of another colour, and the one that it had before."""
    _sprites: dict[tuple[int, ...], Image.Image] = field(default_factory=dict, repr=False)

    @property
    def description(self) -> str:
        """``red ball``."""
        return f"{self.colour_name} {self.name}"

    def take_colour(self, name: str, colour: RGB, at_ms: float, glide_ms: float, plain_ms: float) -> None:
        """Take another colour, which is plain to see from ``plain_ms`` on."""
        self.colour.send(at_ms, *colour, glide_ms=glide_ms)
        self._recoloured.append((plain_ms, self.colour_name))
        self.colour_name = name

    def colour_name_at(self, time_ms: float) -> str:
        """What its colour was called at a time; ``colour_name`` is what it is called in the end."""
        return next((before for plain_ms, before in self._recoloured if time_ms < plain_ms), self.colour_name)

    def repeat(self, cycle: Cycle, motion: str, strength: float) -> None:
        """Move to and fro."""
        self.motions.append((cycle, MOTIONS[motion], strength))

    def offset_at(self, time_ms: float) -> Offset:
        """Where its repeated movement has it."""
        for cycle, motion, strength in self.motions:
            share = cycle.share_at(time_ms)
            if share is not None:
                return motion(share, cycle.wave(share), strength)
        return REST

    def shown_at(self, time_ms: float) -> list[Shown]:
        """Its shape, where it is; nothing while it hides."""
        x, y, offset = self._centre_at(time_ms)
        if offset.is_hidden:
            return []
        shape = self._corners(self.tilt_deg + offset.angle_deg, self.size * offset.scale)
        return [([corners + np.array((x, y)) for corners in shape], self.name, self.colour_name_at(time_ms))]

    def _centre_at(self, time_ms: float) -> tuple[float, float, Offset]:
        """Its middle, and what its repeated movement adds."""
        (x, y), offset = self.place.at(time_ms), self.offset_at(time_ms)
        return x + offset.x * self.size, y + offset.y * self.size, offset

    def draw(self, canvas: Image.Image, time_ms: float, shift: tuple[float, float]) -> None:
        """Put it on the canvas as it is at a time; ``shift`` is the camera's."""
        x, y, offset = self._centre_at(time_ms)
        x, y = x + shift[0], y + shift[1]
        reach = self.size * offset.scale * 1.6
        if offset.is_hidden or not (-reach < x < CANVAS_WIDTH + reach and -reach < y < CANVAS_HEIGHT + reach):
            return
        colour = np.array(self.colour.at(time_ms))
        sprite = self._sprite(colour + (255 - colour) * offset.glow, self.tilt_deg + offset.angle_deg, offset.scale)
        canvas.paste(sprite, (round(x - sprite.width / 2), round(y - sprite.height / 2)), sprite)

    def _sprite(self, colour: np.ndarray, angle_deg: float, scale: float) -> Image.Image:
        size = round(self.size * scale / _SIZE_STEP_PX)
        angle = round(angle_deg / _ANGLE_STEP_DEG)
        is_settled = tuple(colour) == self.colour.last
        tint = colour if is_settled else np.round(colour / _COLOUR_STEP) * _COLOUR_STEP
        red, green, blue = (int(v) for v in np.clip(tint, 0, 255))
        key = (red, green, blue, angle, size)
        if key not in self._sprites:
            self._sprites[key] = self._drawn((red, green, blue), angle * _ANGLE_STEP_DEG, size * _SIZE_STEP_PX)
        return self._sprites[key]

    def _drawn(self, colour: RGB, angle_deg: float, size: float) -> Image.Image:
        half = max(2, math.ceil(size * max(1.0, self.aspect) * 1.5))
        sprite = Image.new("RGBA", (2 * half, 2 * half))
        draw = ImageDraw.Draw(sprite)
        fills = _fills(colour, self.other)
        for outline, corners in zip(LOOKS[self.name][self.look], self._corners(angle_deg, size), strict=True):
            draw.polygon((corners + half).ravel().tolist(), fill=fills[outline.role])
        return _mottled(sprite, self.grain) if self.grain > 0 else sprite

    def _corners(self, angle_deg: float, size: float) -> Outlines:
        """Its outlines around its middle."""
        angle = math.radians(angle_deg)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        stretch = np.array([-self.aspect if self.is_mirrored else self.aspect, 1.0]) * size
        return [(self.bend(outline.points) * stretch) @ turn for outline in LOOKS[self.name][self.look]]


def make_thing(rng: Generator, part: Part, name: str, colour_name: str, size: float, x: float, y: float) -> Thing:
    """A thing that looks like others of its name, and unlike any of them."""
    looks = split.LOOKS[part][name]
    others = tuple(split.SHADES[part])
    return Thing(
        name=name,
        colour_name=colour_name,
        look=looks[int(rng.integers(len(looks)))],
        size=size,
        place=Track(x, y),
        colour=Track(*shade(rng, colour_name, part)),
        aspect=float(rng.uniform(0.8, 1.25)),
        bend=Bend.drawn(rng, _BEND),
        tilt_deg=float(rng.normal(0, 8)),
        is_mirrored=bool(rng.random() < 0.5),
        other=shade(rng, others[int(rng.integers(len(others)))], part),
        grain=float(max(0.0, rng.uniform(-0.15, 0.35))),
    )


def _fills(main: RGB, other: RGB) -> dict[Role, RGB]:
    return {
        "main": main,
        "dark": scaled(main, 0.6),
        "light": scaled(main, 1.6),
        "other": other,
        "glass": (206, 222, 232),
        "metal": (146, 150, 156),
        "ink": (24, 24, 28),
    }


def _mottled(sprite: Image.Image, grain: float) -> Image.Image:
    """A surface with dabs of light and dark."""
    pixels = np.array(sprite)
    rng = np.random.default_rng(pixels.shape[0])
    dabs = rng.uniform(1 - grain, 1 + grain, (-(-pixels.shape[0] // 6), -(-pixels.shape[1] // 6)))
    whole = dabs.repeat(6, 0).repeat(6, 1)[: pixels.shape[0], : pixels.shape[1], None]
    pixels[..., :3] = np.clip(pixels[..., :3] * whole, 0, 255)
    return Image.fromarray(pixels)
