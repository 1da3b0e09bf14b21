"""From a recording to micro-turns, at the pace of the clock or as fast as they are taken."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from microturn.clock import Clock, SystemClock
from microturn.media.reading import Recording
from microturn.media.text_events import TimedText
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.pcm import PcmChunk
from microturn.turns.slicer import Slicer, SlicerLimits
from microturn.turns.timing import IN_SAMPLES_PER_TURN, TURN_MS, ms_of_ns, turn_of_ms, turn_start_ms
from microturn.turns.video import VideoFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How long a run goes on in silence after its recording, so that an answer to the last words is heard."""

    quiet_ms: int = 2_000
    """It ends once the model has been silent for this long, ..."""
    max_ms: int = 30_000
    """... and after this long in any case."""


class RecordingPump:
    """The micro-turns of a recording, then of silence until the model has nothing more to say.

    ``turns`` and ``note`` are called in turn: each micro-turn is followed by what the model answered to it.
    """

    def __init__(self, recording: Recording, events: Iterable[TimedText] = (), ending: Ending | None = None) -> None:
        self._recording = recording
        self._events = deque(events)
        self._ending = ending or Ending()
        # A file's events may all be meant for one moment; they were bounded when they were read.
        num_chars = sum(len(timed.event.text) for timed in self._events)
        self._slicer = Slicer(limits=SlicerLimits(max_events=len(self._events) + 1, max_waiting_chars=num_chars))
        self._last_active = -1
        last_event_turn = turn_of_ms(self._events[-1].at_ms) if self._events else -1
        self.num_recorded_turns = max(-int(-recording.duration_ms // TURN_MS), last_event_turn + 1, 1)
        """Micro-turns until both the recording and the text events have come to their end."""

    def turns(self) -> Iterator[MicroTurnInput]:
        """Every micro-turn in order, cut when all its media is there.

        Raises:
            MediaError: the recording can no longer be read.
        """
        for medium in self._recording.media():
            if isinstance(medium, VideoFrame):
                self._slicer.push_frame(medium)
                continue
            self._slicer.push_audio(medium)
            while self._slicer.num_ready_turns:
                yield self._next()
        self.num_recorded_turns = max(self.num_recorded_turns, self._slicer.next_index)
        while self._slicer.next_index < self._end_turn():
            self._push_silence()
            yield self._next()

    def note(self, output: MicroTurnOutput) -> None:
        """Take in what the model answered: while it speaks, the run goes on."""
        if output.is_speaking or output.say:
            self._last_active = output.index

    def _end_turn(self) -> int:
        quiet_from = max(self.num_recorded_turns, self._last_active + 1)
        latest = self.num_recorded_turns + self._ending.max_ms // TURN_MS
        return min(quiet_from + self._ending.quiet_ms // TURN_MS, latest)

    def _push_silence(self) -> None:
        """As much as the next turn lacks: what the recording filled of it stays."""
        start = self._slicer.next_index * IN_SAMPLES_PER_TURN
        self._slicer.push_audio(PcmChunk(start_sample=start, samples=np.zeros(IN_SAMPLES_PER_TURN, np.float32)))

    def _next(self) -> MicroTurnInput:
        end_ms = turn_start_ms(self._slicer.next_index + 1)
        while self._events and self._events[0].at_ms < end_ms:
            timed = self._events.popleft()
            self._slicer.push_text(timed.event, time_ms=timed.at_ms)
        return self._slicer.cut()


def paced(
    turns: Iterable[MicroTurnInput],
    *,
    clock: Clock | None = None,
    sleep_s: Callable[[float], None] = time.sleep,
) -> Iterator[MicroTurnInput]:
    """Hands over each micro-turn when its 200 ms have passed, as a microphone would. Late ones come at once."""
    clock = clock or SystemClock()
    start_ns = clock.now_ns()
    for turn in turns:  # what follows waits after the next turn's media is decoded, so decoding costs no time
        wait_ms = turn_start_ms(turn.index + 1) - ms_of_ns(clock.now_ns() - start_ns)
        if wait_ms > 0:
            sleep_s(wait_ms / 1000)
        yield turn
