"""Real clips: read from a folder with a manifest, decoded once, played as a view."""

import bisect
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.error import FFmpegError
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from microturn.data import split
from microturn.data.split import check_part
from microturn.data.visual.camera import Camera
from microturn.data.visual.patch_labels import PatchLabels, unknown
from microturn.data.visual.view import HEIGHT, WIDTH, Pixels
from microturn.errors import MediaError
from microturn.features.patches import letterbox

FilmKind = Literal["repeats", "sign", "scene", "still"]
_KINDS: dict[str, FilmKind] = {"asl": "sign", "asl_repeats": "repeats", "scenes": "scene", "gesture_stills": "still"}
_KEPT_FILMS = 24
"""Decoded clips in memory: long ones take 80 MB."""
_STEP_MS = 100.0


@dataclass(frozen=True, kw_only=True)
class Film:
    """One clip, or a still."""

    path: Path
    kind: FilmKind
    gesture: str
    person: str
    duration_ms: float
    ends_ms: tuple[float, ...] = ()
    """When each repetition ends, where the clip is one movement several times."""
    moves_ms: tuple[float, float] | None = None
    """From when to when something moves, where that is known."""

    def frames(self) -> NDArray[np.uint8]:
        """(frames, HEIGHT, WIDTH, 3), one every 100 ms. Raises MediaError if the file cannot be decoded."""
        return _decoded(self.path)


class Films(Sequence[Film]):
    """The clips of one part."""

    def __init__(self, films: Sequence[Film] = ()) -> None:
        self._films = tuple(films)

    def __len__(self) -> int:
        return len(self._films)

    def __getitem__(self, index: Any) -> Any:
        return self._films[index]

    def of(self, kind: FilmKind, *gestures: str) -> list[Film]:
        """Clips of a kind, of these gestures if any are named."""
        return [film for film in self._films if film.kind == kind and (not gestures or film.gesture in gestures)]

    @classmethod
    def load(cls, part: str, data_dir: Path) -> "Films":
        """What ``split.FILMS`` gives to a part; none if the folder is not there. Nothing is decoded yet.

        Raises:
            MediaError: the manifest cannot be read.
        """
        folder = data_dir / split.FILMS[check_part(part)]
        manifest = folder / "manifest.jsonl"
        if not manifest.exists():
            return cls()
        try:
            lines = manifest.read_text(encoding="utf-8").splitlines()
            return cls([_film(folder, json.loads(line)) for line in lines])
        except (OSError, ValueError, KeyError) as error:
            raise MediaError(f"{manifest} is no list of clips ({error}): fetch it again") from error


def _film(folder: Path, entry: dict[str, Any]) -> Film:
    moves = (entry["motion_onset_s"], entry["motion_offset_s"]) if "motion_onset_s" in entry else None
    view = f"{entry['view']} " if "view" in entry else ""
    return Film(
        path=folder / entry["file"],
        kind=_KINDS[entry["file"].split("/")[0]],
        gesture=view + entry.get("gesture", entry["kind"]),
        person=entry.get("person") or "",
        duration_ms=1000 * entry.get("duration", 0.0),
        ends_ms=tuple(1000 * end for end in entry.get("rep_end_s", ())),
        moves_ms=None if moves is None else (1000 * moves[0], 1000 * moves[1]),
    )


class FilmView:
    """Clips one after the other, each from a moment on; its last picture stays until the next begins."""

    def __init__(self, rng: Generator, camera: Camera) -> None:
        self.camera = camera
        self._is_mirrored = bool(rng.random() < 0.5)
        self._zoom = float(rng.uniform(1.0, 1.2))
        self._starts_ms: list[float] = []
        self._pictures: list[tuple[NDArray[np.uint8], float]] = []

    def show(self, film: Film, at_ms: float, *, speed: float = 1.0, is_frozen: bool = False) -> None:
        """Play a clip from a moment on; ``is_frozen`` shows its first picture alone."""
        frames = film.frames()
        self._starts_ms.append(at_ms)
        self._pictures.append((frames[:1] if is_frozen else frames, speed))

    def frame(self, time_ms: float) -> Pixels:
        """See ``View``."""
        place = max(0, bisect.bisect_right(self._starts_ms, time_ms) - 1)
        frames, speed = self._pictures[place]
        index = int(max(0.0, time_ms - self._starts_ms[place]) * speed // _STEP_MS)
        image = Image.fromarray(frames[min(index, len(frames) - 1)])
        if self._is_mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        dx, dy = self.camera.shift_at(time_ms)
        width, height = WIDTH / self._zoom, HEIGHT / self._zoom
        left = min(max(0.0, (WIDTH - width) / 2 - dx / 2), WIDTH - width)
        top = min(max(0.0, (HEIGHT - height) / 2 - dy / 2), HEIGHT - height)
        region = (left, top, left + width, top + height)
        return self.camera.expose(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, region), time_ms, 1.0)

    def labels(self, time_ms: float) -> PatchLabels:
        """See ``View``: nobody has labelled a film's patches."""
        return unknown()


@functools.lru_cache(_KEPT_FILMS)
def _decoded(path: Path) -> NDArray[np.uint8]:
    try:
        if path.suffix in (".jpg", ".jpeg", ".png"):
            with Image.open(path) as image:
                return letterbox(np.asarray(image.convert("RGB")))[None]
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            decoded = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
            frames = [letterbox(pixels.astype(np.uint8, copy=False)) for pixels in decoded]
    except (OSError, FFmpegError, UnidentifiedImageError, IndexError) as error:
        raise MediaError(f"{path} cannot be decoded ({error}): fetch it again") from error
    if not frames:
        raise MediaError(f"{path} holds no picture: fetch it again")
    return np.stack(frames)
