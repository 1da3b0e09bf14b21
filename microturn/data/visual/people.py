"""People-like figures: a skeleton with clothes, drawn limb by limb, that takes poses and repeats movements."""

import math
from dataclasses import dataclass, field, replace

from numpy.random import Generator
from PIL import Image, ImageDraw

from microturn.data.split import Part
from microturn.data.visual.palette import COLOURS, HAIR, SKINS, jittered, scaled, shade
from microturn.data.visual.tracks import Cycle, Track
from microturn.data.visual.view import CANVAS_WIDTH, RGB, Outlines, Shown, rectangle


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """Angles in degrees, 0 hanging straight down, positive outwards; the left is the picture's left."""

    left_arm: float = 8
    left_elbow: float = 5
    right_arm: float = 8
    right_elbow: float = 5
    left_leg: float = 5
    right_leg: float = 5
    knees: float = 0
    """How far both knees bend."""
    lean: float = 0
    """Of the trunk, to the side."""
    bend: float = 0
    """Of the trunk, forwards, 0 to 1."""
    nod: float = 0
    """Of the head, downwards, in heads."""
    hop: float = 0
    """Off the ground, in heads."""


def values(pose: Pose) -> tuple[float, ...]:
    """A pose as numbers that can glide."""
    return tuple(getattr(pose, name) for name in Pose.__slots__)


def _pose(numbers: tuple[float, ...]) -> Pose:
    return Pose(**dict(zip(Pose.__slots__, numbers, strict=True)))


STANDING = Pose()
RAISED_LEFT = replace(STANDING, left_arm=165, left_elbow=5)
RAISED_RIGHT = replace(STANDING, right_arm=165, right_elbow=5)
RAISED_BOTH = replace(STANDING, left_arm=165, right_arm=165)

HIGH_ARM_DEG = 125.0
"""An arm that is lifted further holds a hand up."""

MOTIONS: dict[str, tuple[Pose, Pose]] = {
    "squats": (STANDING, Pose(left_arm=80, right_arm=80, knees=75, left_leg=20, right_leg=20)),
    "jumping jacks": (STANDING, Pose(left_arm=160, right_arm=160, left_leg=32, right_leg=32, hop=0.3)),
    "waves": (
        Pose(right_arm=125, right_elbow=10),
        Pose(right_arm=125, right_elbow=95),
    ),
    "claps": (
        Pose(left_arm=60, right_arm=60, left_elbow=20, right_elbow=20),
        Pose(left_arm=35, right_arm=35, left_elbow=-125, right_elbow=-125),
    ),
    "nods": (STANDING, Pose(nod=0.45)),
    "arm raises": (STANDING, Pose(left_arm=110, right_arm=110)),
    "kicks": (STANDING, Pose(right_leg=75, lean=-8)),
    "bows": (STANDING, Pose(bend=0.8, nod=0.3)),
    "arm curls": (Pose(left_elbow=2, right_elbow=2), Pose(left_arm=15, right_arm=15, left_elbow=140, right_elbow=140)),
    "punches": (
        Pose(left_arm=30, left_elbow=120, right_arm=30, right_elbow=120),
        Pose(left_arm=30, left_elbow=120, right_arm=88, right_elbow=0),
    ),
    "lunges": (STANDING, Pose(left_leg=48, right_leg=48, knees=35)),
    "side bends": (STANDING, Pose(lean=32, right_arm=30, left_arm=150)),
}
"""Where a movement rests and how far it goes; ``split.PERSON_MOTIONS`` says which side each is on."""


@dataclass(frozen=True, kw_only=True)
class Dress:
    """What somebody looks like."""

    skin: RGB
    hair: RGB
    shirt: RGB
    trousers: RGB
    limb: float
    """Thickness of the limbs, in heads."""
    has_long_sleeves: bool
    has_long_hair: bool


@dataclass(eq=False)
class Person:
    """Drawn on the canvas; ``head`` is the radius of the head in its pixels."""

    dress: Dress
    head: float
    place: Track
    """Middle of the shoulders: x, y."""
    pose: Track
    motions: list[tuple[Cycle, Pose, Pose]] = field(default_factory=list)

    def repeat(self, cycle: Cycle, motion: str) -> None:
        """Do a movement again and again."""
        self.motions.append((cycle, *MOTIONS[motion]))

    def take(self, pose: Pose, at_ms: float, glide_ms: float) -> None:
        """Take a pose."""
        self.pose.send(at_ms, *values(pose), glide_ms=glide_ms)

    def pose_at(self, time_ms: float) -> Pose:
        """How it stands."""
        for cycle, rest, far in self.motions:
            share = cycle.share_at(time_ms)
            if share is not None:
                out = cycle.wave(share)
                return _pose(tuple(a + (b - a) * out for a, b in zip(values(rest), values(far), strict=True)))
        return _pose(self.pose.at(time_ms))

    def shown_at(self, time_ms: float) -> list[Shown]:
        """About its shape as it stands, and the arms that are held up, beside the head and above it."""
        (x, y), pose, head = self.place.at(time_ms), self.pose_at(time_ms), self.head

        def part(left: float, top: float, right: float, bottom: float) -> Outlines:
            return rectangle(x + left * head, y + top * head, x + right * head, y + bottom * head)

        body = [*part(-1, -2.4, 1, 0), *part(-1.6, 0, 1.6, 3), *part(-1.05, 3, 1.05, 7.6)]
        shown: list[Shown] = [(body, "a person", "none")]
        if pose.left_arm > HIGH_ARM_DEG:
            shown.append((part(-2.4, -3.4, -0.8, -0.5), "a raised hand", "none"))
        if pose.right_arm > HIGH_ARM_DEG:
            shown.append((part(0.8, -3.4, 2.4, -0.5), "a raised hand", "none"))
        return shown

    def draw(self, canvas: Image.Image, time_ms: float, shift: tuple[float, float]) -> None:
        """Put it on the canvas as it is at a time; ``shift`` is the camera's."""
        x, y = self.place.at(time_ms)
        x, y = x + shift[0], y + shift[1]
        if not (-8 * self.head < x < CANVAS_WIDTH + 8 * self.head):
            return
        _Drawing(ImageDraw.Draw(canvas), self.dress, self.head, self.pose_at(time_ms)).draw(x, y)


class _Drawing:
    """One figure on one canvas."""

    def __init__(self, draw: ImageDraw.ImageDraw, dress: Dress, head: float, pose: Pose) -> None:
        self.canvas, self.dress, self.head, self.pose = draw, dress, head, pose

    def draw(self, x: float, y: float) -> None:
        head, pose, dress = self.head, self.pose, self.dress
        lean = math.radians(pose.lean)
        trunk = 3.0 * head * (1 - 0.55 * pose.bend)
        sink = 2.2 * head * (1 - math.cos(math.radians(pose.knees)))
        y += sink - pose.hop * head + (3.0 * head - trunk)
        hip = (x - trunk * math.sin(lean), y + trunk * math.cos(lean))
        for side, angle in ((-1, pose.left_leg), (1, pose.right_leg)):
            self._limb(
                (hip[0] + side * 0.55 * head, hip[1]), side, angle, pose.knees, 2.3, dress.trousers, dress.trousers
            )
        wide = 1.25 * head
        corners = ((x - wide, y), (x + wide, y), (hip[0] + 0.95 * head, hip[1]), (hip[0] - 0.95 * head, hip[1]))
        self.canvas.polygon([v for corner in corners for v in corner], fill=dress.shirt)
        for side, angle, elbow in ((-1, pose.left_arm, pose.left_elbow), (1, pose.right_arm, pose.right_elbow)):
            lower = dress.shirt if dress.has_long_sleeves else dress.skin
            hand = self._limb(
                (x + side * wide, y + 0.2 * head), side, angle, elbow, 1.6, scaled(dress.shirt, 0.88), lower
            )
            self._disc(*hand, 0.36 * head, dress.skin)
        self._face(x + 1.5 * head * math.sin(lean), y - (1.35 - pose.nod - 0.8 * pose.bend) * head)

    def _face(self, x: float, y: float) -> None:
        head, dress, nod = self.head, self.dress, self.pose.nod + self.pose.bend
        if dress.has_long_hair:
            self.canvas.rectangle((x - head, y - 0.2 * head, x + head, y + 1.2 * head), fill=dress.hair)
        self._disc(x, y - 0.12 * head, head * 1.04, dress.hair)
        self._disc(x, y + (0.15 + 0.4 * nod) * head, head * 0.88, dress.skin)
        for side in (-0.35, 0.35):
            self._disc(x + side * head, y + 0.5 * nod * head, 0.11 * head, (20, 18, 18))
        mouth = y + (0.5 + 0.5 * nod) * head
        self.canvas.line(
            (x - 0.3 * head, mouth, x + 0.3 * head, mouth), fill=(150, 60, 60), width=max(1, round(0.1 * head))
        )

    def _limb(
        self, joint: tuple[float, float], side: int, angle: float, bend: float, length: float, upper: RGB, lower: RGB
    ) -> tuple[float, float]:
        """Upper and lower half; returns its end. Legs bend inwards at the knee, arms onwards at the elbow."""
        width = max(2, round(self.dress.limb * self.head))
        middle = self._bone(joint, side, angle, length, upper, width)
        is_leg = length > 2
        return self._bone(middle, side, angle - bend if is_leg else angle + bend, length, lower, width)

    def _bone(
        self, start: tuple[float, float], side: int, angle_deg: float, length: float, fill: RGB, width: int
    ) -> tuple[float, float]:
        angle = math.radians(angle_deg)
        end = (start[0] + side * math.sin(angle) * length * self.head, start[1] + math.cos(angle) * length * self.head)
        self.canvas.line((*start, *end), fill=fill, width=width)
        self._disc(*end, width / 2, fill)
        return end

    def _disc(self, x: float, y: float, radius: float, fill: RGB) -> None:
        self.canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def make_person(rng: Generator, part: Part, head: float, x: float, y: float) -> Person:
    """Somebody."""
    shirt, trousers = (COLOURS[int(rng.integers(len(COLOURS)))] for _ in range(2))
    dress = Dress(
        skin=jittered(rng, SKINS[int(rng.integers(len(SKINS)))], 10),
        hair=jittered(rng, HAIR[int(rng.integers(len(HAIR)))], 12),
        shirt=shade(rng, shirt, part),
        trousers=scaled(shade(rng, trousers, part), 0.8),
        limb=float(rng.uniform(0.5, 0.85)),
        has_long_sleeves=bool(rng.random() < 0.6),
        has_long_hair=bool(rng.random() < 0.35),
    )
    return Person(dress=dress, head=head, place=Track(x, y), pose=Track(*values(STANDING)))
