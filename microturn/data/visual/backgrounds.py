"""What is behind everything. ``split.TEXTURES`` says which side each kind is on."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from microturn.data import split
from microturn.data.split import Part
from microturn.data.visual.palette import COLOURS, scaled, shade
from microturn.data.visual.view import CANVAS_HEIGHT, CANVAS_WIDTH, RGB

MARGIN = 24
"""Canvas pixels beyond the picture on every side: room for the camera to shake."""
_WIDTH, _HEIGHT = CANVAS_WIDTH + 2 * MARGIN, CANVAS_HEIGHT + 2 * MARGIN


def draw_background(rng: Generator, part: Part) -> Image.Image:
    """A picture of the canvas's size and a margin."""
    kinds = split.TEXTURES[part]
    kind = kinds[int(rng.integers(len(kinds)))]
    image = _KINDS[kind](rng, _muted(rng, part), _muted(rng, part))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.BoxBlur(float(rng.uniform(1, 5))))
    return image


def _muted(rng: Generator, part: Part) -> RGB:
    """Paler or darker than the colours of things."""
    colour = shade(rng, COLOURS[int(rng.integers(len(COLOURS)))], part)
    towards, most = (255, 0.8) if rng.random() < 0.7 else (20, 0.6)
    amount = rng.uniform(0.25, most)
    red, green, blue = (int(v + (towards - v) * amount) for v in colour)
    return red, green, blue


def _blend(weight_HW: NDArray[np.float64], a: RGB, b: RGB) -> Image.Image:
    mix = np.asarray(a, np.float64) * (1 - weight_HW[..., None]) + np.asarray(b, np.float64) * weight_HW[..., None]
    return Image.fromarray(np.clip(mix, 0, 255).astype(np.uint8))


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH]
    return x / _WIDTH, y / _HEIGHT


def _plain(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    return Image.new("RGB", (_WIDTH, _HEIGHT), a)


def _gradient(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    x, y = _grid()
    angle = rng.uniform(0, 2 * np.pi)
    weight = 0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    return _blend(np.clip(weight, 0, 1), a, b)


def _clouds(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    weight = np.zeros((_HEIGHT, _WIDTH))
    for cells in (4, 9, 21):
        coarse = Image.fromarray(rng.uniform(0, 255, (cells, cells)).astype(np.uint8))
        weight += np.asarray(coarse.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC), np.float64) / 255 / cells
    weight -= weight.min()
    return _blend(weight / weight.max(), a, b)


def _stripes(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    x, y = _grid()
    angle, count = rng.uniform(0, np.pi), rng.uniform(4, 16)
    return _blend((np.sin(2 * np.pi * count * (x * np.cos(angle) + y * np.sin(angle))) > 0) * 0.6, a, b)


def _checks(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    x, y = _grid()
    count = rng.uniform(4, 12)
    return _blend(((np.floor(x * count * 1.3) + np.floor(y * count)) % 2) * 0.7, a, b)


def _speckle(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    side = int(rng.integers(1, 4))
    rough = rng.uniform(0, 1, (-(-_HEIGHT // side), -(-_WIDTH // side))) ** 3
    return _blend(rough.repeat(side, 0).repeat(side, 1)[:_HEIGHT, :_WIDTH], a, b)


def _wood(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    x, y = _grid()
    bend = 0.04 * np.sin(2 * np.pi * (x * rng.uniform(0.5, 2) + rng.uniform()))
    return _blend(0.5 + 0.3 * np.sin(2 * np.pi * rng.uniform(6, 14) * (y + bend)), a, b)


def _room(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    """A wall, a floor, and some of a window, a picture, a shelf."""
    image = Image.new("RGB", (_WIDTH, _HEIGHT), a)
    draw = ImageDraw.Draw(image)
    floor = int(_HEIGHT * rng.uniform(0.65, 0.85))
    draw.rectangle((0, floor, _WIDTH, _HEIGHT), fill=b)
    draw.rectangle((0, floor, _WIDTH, floor + 4), fill=scaled(b, 0.7))
    for _ in range(int(rng.integers(0, 4))):
        left, top = rng.uniform(0, _WIDTH * 0.8), rng.uniform(0, floor * 0.6)
        width, height = rng.uniform(30, 90), rng.uniform(25, 80)
        panel = scaled(b, rng.uniform(0.6, 1.7))
        draw.rectangle((left, top, left + width, top + height), fill=panel, outline=scaled(panel, 0.6), width=3)
        if rng.random() < 0.5:
            draw.line((left + width / 2, top, left + width / 2, top + height), fill=scaled(panel, 0.6), width=3)
    return image


def _bricks(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    image = Image.new("RGB", (_WIDTH, _HEIGHT), b)
    draw = ImageDraw.Draw(image)
    height = int(rng.integers(12, 28))
    for row, top in enumerate(range(0, _HEIGHT, height)):
        for left in range(-height if row % 2 else 0, _WIDTH, 2 * height):
            fill = scaled(a, rng.uniform(0.85, 1.1))
            draw.rectangle((left + 1, top + 1, left + 2 * height - 2, top + height - 2), fill=fill)
    return image


def _tiles(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    x, y = _grid()
    count = rng.uniform(5, 10)
    gap = (np.minimum((x * count * 1.3) % 1, (y * count) % 1) < 0.08).astype(np.float64)
    return _blend(gap, a, scaled(a, 0.6))


def _office(rng: Generator, a: RGB, b: RGB) -> Image.Image:
    """A room with a desk and shelves full of things."""
    image = _room(rng, a, b)
    draw = ImageDraw.Draw(image)
    for shelf in range(2):
        top, left = 20 + shelf * 55, int(rng.integers(0, _WIDTH // 2))
        for _ in range(8):
            width = int(rng.integers(5, 14))
            draw.rectangle((left, top, left + width, top + 34), fill=scaled(a, rng.uniform(0.5, 1.5)))
            left += width + 1
    desk = int(_HEIGHT * rng.uniform(0.78, 0.9))
    draw.rectangle((0, desk, _WIDTH, _HEIGHT), fill=scaled(b, 0.6))
    return image


_KINDS: dict[str, Callable[[Generator, RGB, RGB], Image.Image]] = {
    "plain": _plain,
    "gradient": _gradient,
    "clouds": _clouds,
    "stripes": _stripes,
    "checks": _checks,
    "room": _room,
    "wood": _wood,
    "speckle": _speckle,
    "bricks": _bricks,
    "tiles": _tiles,
    "office": _office,
}
