"""What the camera shows over time, as the frames that reach the model."""

import bisect
import functools
from dataclasses import dataclass

from numpy.random import Generator

from microturn.data.visual import PatchLabels, View
from microturn.turns.slicer import SLOT_MS, SlicerLimits
from microturn.turns.timing import FRAMES_PER_TURN, TURN_MS
from microturn.turns.video import VideoFrame

MAX_FRAME_AGE_MS = SlicerLimits().max_frame_age_ms
SLOWEST_MS = 200.0
"""Between the frames of a slow camera."""


@dataclass(frozen=True, slots=True)
class Cut:
    """From a moment on, another view, or none."""

    at_ms: float
    view: View | None


class VideoTrack:
    """Views one after the other, taken in as the live slicer takes frames in: each slot shows the latest fresh one."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        self._cuts: list[Cut] = []
        self._first_ms = 0.0
        self._step_ms = SLOT_MS
        self._picture = functools.lru_cache(FRAMES_PER_TURN)(self._taken)

    def show(self, view: View | None, at_ms: float) -> None:
        """From a media time on show a view; None: the camera is off. Calls come in order of time."""
        assert not self._cuts or at_ms >= self._cuts[-1].at_ms, "views are shown in order of time"
        if not self._cuts:  # a camera of its own rate and phase; drawn only where there is one
            self._first_ms = float(self._rng.uniform(0, SLOT_MS))
            self._step_ms = float(self._rng.choice([SLOT_MS, SLOT_MS, self._rng.uniform(SLOT_MS, SLOWEST_MS)]))
        self._cuts.append(Cut(at_ms, view))

    def frames_of(self, turn: int) -> tuple[VideoFrame, ...]:
        """A micro-turn's pair of frames; none while the camera is off."""
        shown = [self._frame_at(turn * TURN_MS + (slot + 1) * SLOT_MS) for slot in range(FRAMES_PER_TURN)]
        fresh = [frame for frame in shown if frame is not None]
        return (fresh[0], fresh[-1]) if fresh else ()

    def labels_of(self, frame: VideoFrame) -> PatchLabels:
        """What is at each patch of a frame that the camera took."""
        return self._view_at(frame.time_ms).labels(frame.time_ms)

    def _frame_at(self, slot_end_ms: float) -> VideoFrame | None:
        """The last frame taken before a time, while it is fresh."""
        number = -int(-(slot_end_ms - self._first_ms) // self._step_ms) - 1
        while number >= 0:
            time_ms = self._first_ms + number * self._step_ms
            if slot_end_ms - time_ms > MAX_FRAME_AGE_MS:
                return None
            place = bisect.bisect_right(self._cuts, time_ms, key=_start_ms) - 1
            if place >= 0 and self._cuts[place].view is not None:
                return self._picture(time_ms)
            number -= 1
        return None

    def _taken(self, time_ms: float) -> VideoFrame:
        return VideoFrame(time_ms=time_ms, pixels=self._view_at(time_ms).frame(time_ms))

    def _view_at(self, time_ms: float) -> View:
        view = self._cuts[bisect.bisect_right(self._cuts, time_ms, key=_start_ms) - 1].view
        assert view is not None, "a camera that is off takes no frame"
        return view


def _start_ms(cut: Cut) -> float:
    return cut.at_ms
