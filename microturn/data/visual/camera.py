"""What a camera does to what it looks at: shake, exposure, colour cast, noise, blur, a format that is not ours."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from microturn.data.visual.view import CANVAS_HEIGHT, CANVAS_WIDTH, HEIGHT, WIDTH, Outlines, Pixels, rectangle

_NOISE_BANK = 7


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One camera, as it is held."""

    shake: tuple[tuple[float, float, float, float], ...] = ()
    """Swings: pixels to the side, pixels up, hertz, phase."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Exposure of each colour."""
    flicker: float = 0.0
    """Share by which the exposure comes and goes."""
    noise: float = 0.0
    """Deviation, in levels of 256."""
    blur_px: float = 0.0
    picture: tuple[int, int] = (WIDTH, HEIGHT)
    """Size of the picture in the frame: smaller for other formats, with black bars."""

    def shift_at(self, time_ms: float) -> tuple[float, float]:
        """By how much the picture is off, in canvas pixels."""
        swings = [(dx, dy, math.sin(2 * math.pi * (hz * time_ms / 1000 + phase))) for dx, dy, hz, phase in self.shake]
        return sum(dx * out for dx, _, out in swings), sum(dy * out for _, dy, out in swings)

    def expose(self, image: Image.Image, time_ms: float, light: float) -> Pixels:
        """The finished frame of a picture of our size, under a light of 0 to 1."""
        if self.blur_px > 0:
            image = image.filter(ImageFilter.BoxBlur(self.blur_px))
        level = light * (1 + self.flicker * math.sin(time_ms * 0.019))
        if (level, self.gain) != (1.0, (1.0, 1.0, 1.0)):
            image = image.point([min(255, int(v * gain * level)) for gain in self.gain for v in range(256)])
        pixels = np.asarray(image)
        if self.noise > 0:
            grain = _grains()[int(time_ms / 100 * 2.399) % _NOISE_BANK]
            roll = int(time_ms * 7.13) % WIDTH
            pixels = pixels + np.roll(grain, roll, axis=1) * np.float32(self.noise)
            pixels = np.clip(pixels, 0, 255).astype(np.uint8)
        return self._framed(pixels)

    def framed(self, outlines: Outlines, time_ms: float) -> Outlines:
        """Where a shape on the canvas of a camera that does not shake lies in the finished frame."""
        scale = np.array(self.picture) / (CANVAS_WIDTH, CANVAS_HEIGHT)
        return [(outline + self.shift_at(time_ms)) * scale + self._corner for outline in outlines]

    def bars(self) -> Outlines:
        """What of the finished frame is black, because the picture does not reach there."""
        (width, height), (left, top) = self.picture, self._corner
        right, bottom = left + width, top + height
        beside = [(0, 0, left, HEIGHT), (right, 0, WIDTH, HEIGHT)] if left else []
        above = [(0, 0, WIDTH, top), (0, bottom, WIDTH, HEIGHT)] if top else []
        return [outline for box in (*beside, *above) for outline in rectangle(*box)]

    @property
    def _corner(self) -> tuple[int, int]:
        """Left and top of the picture in the frame."""
        width, height = self.picture
        return (WIDTH - width) // 2, (HEIGHT - height) // 2

    def _framed(self, pixels: Pixels) -> Pixels:
        if self.picture == (WIDTH, HEIGHT):
            return np.ascontiguousarray(pixels)
        width, height = self.picture
        small = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
        frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        left, top = self._corner
        frame[top : top + height, left : left + width] = small
        return frame


def make_camera(rng: Generator) -> Camera:
    """Some camera: on a stand or in a hand, good or bad."""
    shake = float(rng.choice([0.0, 0.0, 2.0, 6.0])) * float(rng.uniform(0.5, 1.0))
    swings = tuple(
        (shake * rng.uniform(0.2, 1) / i, shake * rng.uniform(0.2, 1) / i, rng.uniform(0.2, 1.2) * i, rng.uniform())
        for i in (1, 2, 3)
    )
    exposure = float(rng.uniform(0.75, 1.2))
    cast = rng.uniform(0.9, 1.1, 3) if rng.random() < 0.6 else np.ones(3)
    formats = (*[(WIDTH, HEIGHT)] * 6, *[(WIDTH, 90)] * 3, (90, HEIGHT))
    return Camera(
        shake=swings if shake else (),
        gain=(exposure * cast[0], exposure * cast[1], exposure * cast[2]),
        flicker=float(max(0.0, rng.uniform(-0.1, 0.05))),
        noise=float(max(0.0, rng.uniform(-4, 12))),
        blur_px=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.2 else 0.0,
        picture=formats[int(rng.integers(len(formats)))],
    )


@cache
def _grains() -> NDArray[np.float32]:
    """Some frames of unit noise: a fresh one for every frame would cost more than all the drawing."""
    return np.random.default_rng(7).standard_normal((_NOISE_BANK, HEIGHT, WIDTH, 3), np.float32)
