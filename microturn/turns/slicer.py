"""Timestamped audio, frames and text events in; micro-turns out.

Rules, each counted in ``SlicerCounts``:

- **Lost** samples stand as zeros once their turn is cut without them.
- **Late** samples, whose turn was cut, are dropped. A late frame is still shown if nothing newer has been.
- **Overlapping** samples: the first arrival wins, so that what was ready can never change.
- **Early** media is held; media too far ahead of everything else (a client's broken clock) is refused.
- **A backlog** beyond ``max_backlog_turns`` is not made up: one gap turn stands for its oldest turns.
- **Video** is resampled to one frame per 100 ms slot: the latest one taken in or before the slot, while it is fresh.
- **Text** enters the turn in whose time it arrived, and is never dropped once accepted.

The slicer knows no clock. Whoever holds one calls ``ready`` for turns that have come in whole, and ``cut`` when the
deadline of a turn has passed.
"""

import bisect
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from microturn.errors import CapacityError
from microturn.turns.micro_turn import MicroTurnInput, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import FRAMES_PER_TURN, IN_HZ, IN_SAMPLES_PER_TURN, TURN_MS, in_samples, turn_of_ms
from microturn.turns.video import VideoFrame

SLOT_MS = TURN_MS // FRAMES_PER_TURN


@dataclass(frozen=True, kw_only=True, slots=True)
class SlicerLimits:
    """Bounds on what a slicer holds."""

    max_ahead_ms: int = 5_000
    """Media that starts further than this beyond everything received or cut so far is refused."""
    max_backlog_turns: int = 25
    """Uncut turns held; past it the oldest become one gap turn."""
    max_frame_age_ms: int = 1_000
    """How long a frame stands in for those that do not come."""
    max_frames: int = 16
    """Frames held; past it the oldest is skipped."""
    max_events: int = 64
    """Text events held; past it ``push_text`` refuses."""
    max_event_chars: int = 16_384
    """Length of one text event."""
    max_waiting_chars: int = 65_536
    """Length of all text events held; past it ``push_text`` refuses."""


@dataclass(kw_only=True, slots=True)
class SlicerCounts:
    """What happened to the media of one session so far."""

    num_received_samples: int = 0
    num_late_samples: int = 0
    """Dropped: their turn had been cut."""
    num_duplicate_samples: int = 0
    """Dropped: these positions were already filled."""
    num_refused_samples: int = 0
    """Dropped: too far ahead."""
    num_missing_samples: int = 0
    """Never came in time; zeros in their place."""
    num_gap_turns: int = 0
    """Turns that were not made up after a stall."""
    num_received_frames: int = 0
    num_late_frames: int = 0
    """Their turn had been cut; shown in a later turn or not at all."""
    num_duplicate_frames: int = 0
    """Dropped: a frame of the same time was held."""
    num_refused_frames: int = 0
    """Dropped: too far ahead, or of no time at all."""
    num_skipped_frames: int = 0
    """Never shown: others were nearer to the slots."""
    num_refused_events: int = 0
    """Refused: too long, or too many waiting."""


@dataclass(slots=True)
class _OpenTurn:
    """Samples of a turn that is not cut yet."""

    samples: NDArray[np.int16] = field(default_factory=lambda: np.zeros(IN_SAMPLES_PER_TURN, np.int16))
    is_filled: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(IN_SAMPLES_PER_TURN, np.bool_))
    num_filled: int = 0


class Slicer:
    """Cuts the media of one session into micro-turns.

    Samples are held as 16-bit integers: what the model hears is then exactly what the journal keeps.
    """

    def __init__(self, *, first_index: int = 0, limits: SlicerLimits | None = None) -> None:
        self.limits = limits or SlicerLimits()
        self.counts = SlicerCounts()
        self.next_index = first_index
        """Index of the next turn to collect; everything before it is cut, or stands in the pending gap."""
        self._gap_turns = 0
        self._open: dict[int, _OpenTurn] = {}
        self._end_sample = first_index * IN_SAMPLES_PER_TURN
        self._frames: list[VideoFrame] = []
        self._last_shown_ms = -math.inf
        self._events: deque[tuple[int, TextEvent]] = deque()

    # In

    def push_audio(self, chunk: PcmChunk) -> None:
        """Takes samples in, in any order."""
        num_samples = len(chunk.samples)
        self.counts.num_received_samples += num_samples
        if chunk.start_sample > self._end_sample + in_samples(self.limits.max_ahead_ms):
            self.counts.num_refused_samples += num_samples
            return
        samples = _quantise(chunk.samples)
        position = chunk.start_sample
        while position < chunk.end_sample:
            turn, offset = divmod(position, IN_SAMPLES_PER_TURN)
            part = samples[position - chunk.start_sample :][: IN_SAMPLES_PER_TURN - offset]
            self._fill(turn, offset, part)
            position += len(part)
        self._end_sample = max(self._end_sample, chunk.end_sample)

    def push_frame(self, frame: VideoFrame) -> None:
        """Takes a frame in, in any order."""
        self.counts.num_received_frames += 1
        newest_ms = self._end_sample * 1000 / IN_HZ
        if not 0 <= frame.time_ms <= newest_ms + self.limits.max_ahead_ms:  # also false for NaN
            self.counts.num_refused_frames += 1
            return
        if turn_of_ms(frame.time_ms) < self.next_index:
            self.counts.num_late_frames += 1
            if frame.time_ms < self._last_shown_ms:
                return
        place = bisect.bisect_left(self._frames, frame.time_ms, key=_frame_time_ms)
        if place < len(self._frames) and self._frames[place].time_ms == frame.time_ms:
            self.counts.num_duplicate_frames += 1
            return
        self._frames.insert(place, frame)
        if len(self._frames) > self.limits.max_frames:
            self._forget_frames(1)

    def push_text(self, event: TextEvent, *, time_ms: float | None = None) -> None:
        """Takes a text event in, for the turn that is being received, or for that of a known media time.

        Raises:
            ValueError: the text is too long.
            CapacityError: too many events wait.
        """
        if len(event.text) > self.limits.max_event_chars:
            self.counts.num_refused_events += 1
            raise ValueError(
                f"a text event of {len(event.text)} characters is longer than {self.limits.max_event_chars}: split it"
            )
        num_chars = sum(len(waiting.text) for _, waiting in self._events) + len(event.text)
        if len(self._events) >= self.limits.max_events or num_chars > self.limits.max_waiting_chars:
            self.counts.num_refused_events += 1
            raise CapacityError(f"{len(self._events)} text events wait already: send more once turns have passed")
        newest_turn = self._end_sample // IN_SAMPLES_PER_TURN
        turn = max(self.next_index, newest_turn if time_ms is None else turn_of_ms(time_ms))
        place = bisect.bisect_right(self._events, turn, key=_event_turn)
        self._events.insert(place, (turn, event))

    # Out

    @property
    def num_ready_turns(self) -> int:
        """How many turns can be taken with ``ready`` before more media is needed."""
        index = self.next_index
        while (turn := self._open.get(index)) is not None and turn.num_filled == IN_SAMPLES_PER_TURN:
            index += 1
        return index - self.next_index + (self._gap_turns > 0)

    @property
    def waiting_events(self) -> tuple[TextEvent, ...]:
        """Text events that no turn has taken yet."""
        return tuple(event for _, event in self._events)

    def ready(self) -> MicroTurnInput | None:
        """The next turn if all its samples have come, else None."""
        return self.cut() if self.num_ready_turns else None

    def cut(self) -> MicroTurnInput:
        """The next turn as it stands: what has not come is zeros."""
        if self._gap_turns:
            return self._cut_gap()
        index = self.next_index
        turn = self._open.pop(index, None) or _OpenTurn()
        self.next_index += 1
        self._end_sample = max(self._end_sample, self.next_index * IN_SAMPLES_PER_TURN)
        num_missing = IN_SAMPLES_PER_TURN - turn.num_filled
        self.counts.num_missing_samples += num_missing
        return MicroTurnInput(
            index=index,
            audio=turn.samples * np.float32(2**-15),
            frames=self._take_frames(index),
            events=self._take_events(index),
            num_missing_samples=num_missing,
        )

    def skip(self, num_turns: int) -> None:
        """Gives the next turns up: one gap turn stands for them. Less than one turn changes nothing."""
        for _ in range(num_turns):
            self._open.pop(self.next_index, None)
            self.next_index += 1
            self._gap_turns += 1
            self.counts.num_gap_turns += 1
        self._end_sample = max(self._end_sample, self.next_index * IN_SAMPLES_PER_TURN)

    # Inside

    def _fill(self, turn: int, offset: int, samples: NDArray[np.int16]) -> None:
        """Writes samples that lie within one turn."""
        self.skip(turn - self.next_index - self.limits.max_backlog_turns + 1)
        if turn < self.next_index:
            self.counts.num_late_samples += len(samples)
            return
        open_turn = self._open.setdefault(turn, _OpenTurn())
        is_filled = open_turn.is_filled[offset : offset + len(samples)]
        is_new = ~is_filled
        num_new = int(is_new.sum())
        self.counts.num_duplicate_samples += len(samples) - num_new
        open_turn.samples[offset : offset + len(samples)][is_new] = samples[is_new]
        is_filled[:] = True
        open_turn.num_filled += num_new

    def _cut_gap(self) -> MicroTurnInput:
        """One silent turn in the place of the oldest backlog, under the index of its last turn."""
        index, gap_turns = self.next_index - 1, self._gap_turns
        self._gap_turns = 0
        return MicroTurnInput(
            index=index,
            audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32),
            frames=self._take_frames(index),
            events=self._take_events(index),
            num_missing_samples=IN_SAMPLES_PER_TURN,
            gap_turns=gap_turns,
        )

    def _take_frames(self, index: int) -> tuple[VideoFrame, ...]:
        """The turn's pair, one frame per slot, or nothing while the camera is off."""
        shown: list[VideoFrame] = []
        for slot in range(FRAMES_PER_TURN):
            slot_end_ms = index * TURN_MS + (slot + 1) * SLOT_MS
            num_before = bisect.bisect_left(self._frames, slot_end_ms, key=_frame_time_ms)
            if not num_before:
                continue
            frame = self._frames[num_before - 1]
            if slot_end_ms - frame.time_ms <= self.limits.max_frame_age_ms:
                shown.append(frame)
                self._forget_frames(num_before - 1)
                self._last_shown_ms = frame.time_ms
            else:
                self._forget_frames(num_before)
        if not shown:
            return ()
        return (shown[0], shown[-1])

    def _forget_frames(self, num_oldest: int) -> None:
        for frame in self._frames[:num_oldest]:
            self.counts.num_skipped_frames += frame.time_ms > self._last_shown_ms
        del self._frames[:num_oldest]

    def _take_events(self, index: int) -> tuple[TextEvent, ...]:
        events: list[TextEvent] = []
        while self._events and self._events[0][0] <= index:
            events.append(self._events.popleft()[1])
        return tuple(events)


def _quantise(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """16-bit samples; what is no number is silence."""
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(np.rint(finite * 32768.0), -32768, 32767).astype(np.int16)


def _frame_time_ms(frame: VideoFrame) -> float:
    return frame.time_ms


def _event_turn(entry: tuple[int, TextEvent]) -> int:
    return entry[0]
