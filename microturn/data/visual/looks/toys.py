"""How toys and signs are drawn: balls, stars and hearts."""

from microturn.data.visual.looks.parts import Look, around, curve, dots, mirrored, moved, placed, stroke
from microturn.data.visual.shapes import Outline, box, ellipse, heart, hollow, polygon, ring, star

_CRACK = ((0.0, 1.13), (-0.08, 0.85), (0.14, 0.6), (-0.14, 0.3), (0.12, 0.0), (0.0, -0.33))


def _half_heart(*, is_right: bool) -> Outline:
    """What is on one side of a crack."""
    points = heart(1.0).points.tolist()
    return polygon(*points[:14], *_CRACK) if is_right else polygon(*points[15:], *_CRACK[::-1])


TOYS: dict[str, dict[str, Look]] = {
    "ball": {
        "plain": (ellipse(0, 0, 1, 1), ellipse(-0.35, -0.4, 0.25, 0.18, "light")),
        "beach": (
            ellipse(0, 0, 1, 1),
            polygon((0, 0), (-0.5, -0.86), (0.5, -0.86), role="light"),
            polygon((0, 0), (1, 0), (0.5, 0.86), role="light"),
            polygon((0, 0), (-1, 0), (-0.5, 0.86), role="light"),
        ),
        "stripe": (ellipse(0, 0, 1, 1), box(-0.97, -0.2, 0.97, 0.2, "dark")),
        "basket": (
            ellipse(0, 0, 1, 1),
            box(-0.06, -1, 0.06, 1, "dark"),
            box(-1, -0.06, 1, 0.06, "dark"),
            ring(-1.1, 0, 0.8, 0.7, "dark"),
        ),
        "football": (
            ellipse(0, 0, 1, 1),
            moved(star(5, 0.81, "ink"), width=0.38),
            *around(5, stroke((0, -0.3), (0, -0.8), thick=0.07, role="ink")),
            *around(5, mirrored((0, -1), (0.36, -0.92), (0.2, -0.7), role="ink")),
        ),
        "tennis": (
            ellipse(0, 0, 1, 1),
            stroke(*curve(-1.15, 0, 0.85, 0.85, -57, 57), thick=0.13, role="light"),
            stroke(*curve(1.15, 0, 0.85, 0.85, 123, 237), thick=0.13, role="light"),
        ),
        "rugby": placed(
            (
                polygon(*curve(0, 0.45, 1.15, 1.12, 204, 336), *curve(0, -0.45, 1.15, 1.12, 24, 156)),
                polygon((0.55, -0.53), (0.72, -0.42), (0.72, 0.42), (0.55, 0.53), role="light"),
                polygon((-0.55, -0.53), (-0.72, -0.42), (-0.72, 0.42), (-0.55, 0.53), role="light"),
                box(-0.35, -0.2, 0.35, -0.12, "light"),
                *(box(x, -0.3, x + 0.07, -0.02, "light") for x in (-0.28, -0.04, 0.2)),
            ),
            turn_deg=-25,
        ),
        "bowling": (
            ellipse(0, 0, 1, 1),
            ellipse(-0.55, 0.15, 0.12, 0.3, "light"),
            *dots((-0.05, -0.6), (0.4, -0.55), (0.1, -0.2), size=0.14),
        ),
        "billiard": (
            ellipse(0, 0, 1, 1),
            ellipse(0, -0.05, 0.5, 0.5, "glass"),
            ring(0, -0.22, 0.17, 0.07, "ink"),
            ring(0, 0.09, 0.21, 0.1, "ink"),
        ),
        "hopper": (
            moved(ellipse(0, 0, 0.13, 0.38, "dark"), -0.4, -0.7, turn_deg=-25),
            moved(ellipse(0, 0, 0.13, 0.38, "dark"), 0.4, -0.7, turn_deg=25),
            ellipse(0, 0.2, 0.88, 0.8),
            *dots((-0.3, 0.05), (0.3, 0.05)),
            stroke(*curve(0, 0.2, 0.45, 0.4, 20, 160), thick=0.1, role="ink"),
        ),
        "shaded": (
            ellipse(0.1, 0.92, 0.85, 0.12, "ink"),
            ellipse(0, -0.03, 0.97, 0.97, "dark"),
            ellipse(-0.1, -0.13, 0.84, 0.84),
            ellipse(-0.35, -0.45, 0.3, 0.22, "light"),
        ),
        "yarn": (
            stroke((0.1, 0.7), (0.45, 0.9), (0.8, 0.75), (1.1, 0.95), thick=0.1),
            ellipse(-0.1, -0.08, 0.9, 0.9),
            *(stroke(*curve(-0.1, -0.08, 0.86, h, 180, 360), thick=0.06, role="dark") for h in (0.1, 0.35, 0.6)),
            *(stroke(*curve(-0.1, -0.08, w, 0.86, 20, 95), thick=0.06, role="dark") for w in (0.2, 0.45, 0.7)),
            *(stroke(*curve(-0.1, -0.08, w, 0.8, 100, 160), thick=0.06, role="light") for w in (0.25, 0.55)),
        ),
    },
    "star": {
        "five": (star(5, 0.42),),
        "six": (star(6, 0.55),),
        "slim": (star(5, 0.3),),
        "four": (star(4, 0.36),),
        "compass": (moved(star(4, 0.35, "dark"), width=0.72, turn_deg=45), star(4, 0.34)),
        "nautical": (star(5, 0.42), *around(5, polygon((0, -1), (0, 0), (0.247, -0.34), role="dark"))),
        "hollow": (hollow(star(5, 0.45), moved(star(5, 0.45), width=0.5)),),
        "chubby": (
            *around(5, mirrored((0, -0.97), (0.14, -0.88), (0.32, -0.44), (0, 0.1))),
            *dots((-0.2, -0.15), (0.2, -0.15), size=0.09),
            stroke(*curve(0, 0, 0.25, 0.25, 20, 160), thick=0.08, role="ink"),
        ),
        "sheriff": (
            moved(star(6, 0.5), width=0.88),
            *around(6, ellipse(0, -0.86, 0.14, 0.14)),
            ring(0, 0, 0.38, 0.3, "dark"),
        ),
        "shooting": (
            polygon((-1, 0.45), (-0.1, -0.5), (0.1, -0.25), role="dark"),
            polygon((-0.95, 1), (0, -0.3), (0.4, 0.1), role="dark"),
            polygon((-0.35, 1), (0.3, 0.0), (0.55, 0.2), role="dark"),
            moved(star(5, 0.45), 0.33, -0.28, 0.78, turn_deg=15),
        ),
        "wand": (
            stroke((0.2, -0.2), (-0.65, 1), thick=0.12, role="other"),
            moved(star(5, 0.42), 0.25, -0.23, 0.8, turn_deg=18),
        ),
    },
    "heart": {
        "plain": (heart(1.0),),
        "wide": (heart(1.15), ellipse(-0.4, -0.4, 0.2, 0.14, "light")),
        "slim": (heart(0.8),),
        "arrow": (
            stroke((-1, 0.55), (1, -0.55), thick=0.1, role="other"),
            polygon((1.1, -0.62), (0.95, -0.28), (0.75, -0.62), role="other"),
            polygon((-1.1, 0.4), (-0.85, 0.3), (-0.7, 0.55), (-0.95, 0.7), role="other"),
            moved(heart(0.95), 0, -0.05, 0.8),
            stroke((0.2, -0.11), (0.5, -0.28), thick=0.1, role="other"),
        ),
        "broken": (
            moved(_half_heart(is_right=False), -0.12, -0.05, 0.9, turn_deg=-8),
            moved(_half_heart(is_right=True), 0.12, -0.05, 0.9, turn_deg=8),
        ),
        "balloon": (
            stroke((0, 0.4), (0.08, 0.6), (-0.08, 0.8), (0.05, 1), thick=0.06, role="ink"),
            polygon((0, 0.35), (0.12, 0.52), (-0.12, 0.52), role="dark"),
            moved(heart(1.0), 0, -0.35, 0.72),
            ellipse(-0.3, -0.6, 0.16, 0.12, "light"),
        ),
        "pixel": (
            *(box(x, -0.9, x + 0.58, -0.6) for x in (-0.72, 0.14)),
            box(-1, -0.6, 1, 0.0),
            *(box(-x, y, x, y + 0.3) for x, y in ((0.72, 0.0), (0.43, 0.3), (0.14, 0.6))),
            box(-0.72, -0.6, -0.43, -0.3, "light"),
        ),
        "winged": (
            *(
                moved(ellipse(0.5, 0, 0.5, 0.15, "light"), 0.25 * side, 0, side, 1, turn_deg=-side * turn_deg)
                for side in (-1, 1)
                for turn_deg in (0, 22, 44)
            ),
            moved(heart(0.9), 0, 0, 0.75),
        ),
        "pair": (
            moved(heart(1.0, "dark"), 0.42, -0.4, 0.55, turn_deg=14),
            moved(heart(1.0), -0.25, 0.15, 0.75, turn_deg=-10),
        ),
        "hollow": (hollow(heart(1.05), moved(heart(1.05), 0, 0.05, 0.6)),),
        "face": (
            heart(1.1),
            *dots((-0.35, -0.2), (0.35, -0.2), size=0.12),
            stroke(*curve(0, 0.05, 0.35, 0.35, 15, 165), thick=0.1, role="ink"),
        ),
    },
}
