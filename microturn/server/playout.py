"""Decides when each micro-turn's sound leaves for the client: in order, and never more than one turn ahead of its time.

What the client holds is what an interruption cannot take back, so it is kept short: a turn is sent once the client has
no more than one turn left to play. A track plays by our clock and says itself what it still holds: it gets the next
turn when it has next to nothing left. Captions go with the sound of their words. No clock and no task in here: the
caller says what time it is.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS, ns_of_ms, turn_start_ms

MAX_AHEAD_MS = TURN_MS
"""How much sound the client may still hold when more is sent."""
MAX_TRACK_AHEAD_MS = 40
"""How much a track may still hold when it is given a turn, so that it never holds more than this beside one turn.

Two of the frames in which it plays: what fills it and what empties it are two timers of one event loop. One frame for
the order in which they fire, one for a loop that is late; with none, whenever either happens the voice has a gap."""
_PACE = 1.001
"""A client is taken to play a little faster than real time, so that one whose clock runs fast is never held back."""
_MAX_SILENT_WAIT_MS = 20
"""On a track, which plays by our clock, silence that would have to wait longer is left out instead."""
_MAX_WAITING_TURNS_WITH_SILENCE = 1
"""For any other client silence is left out when more turns wait than this: made faster than they play, as after a
stall whose sound trickles in, they would leave a delay behind for good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayedTurn:
    """What goes out for one micro-turn."""

    index: int
    audio: NDArray[np.float32] | None
    """(4800,) at 24 kHz, or None for silence."""
    caption: str
    """The words that this sound carries."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is lost when it does not go out."""
        return self.audio is None and not self.caption

    @property
    def start_ms(self) -> int:
        """Start on the session's timeline: the answer to turn k plays in turn k + 1."""
        return turn_start_ms(self.index + 1)


class Playout:
    """Micro-turns on their way to the client.

    Args:
        max_waiting_turns: When more wait, the oldest goes unplayed and is counted.
        track_holds_ms: How much the client's track holds now. None for a client that plays by its own clock, and is
            taken to play what it was sent.
    """

    def __init__(self, max_waiting_turns: int, track_holds_ms: Callable[[], float] | None = None) -> None:
        self._track_holds_ms = track_holds_ms
        self._max_ahead_ms = MAX_AHEAD_MS if track_holds_ms is None else MAX_TRACK_AHEAD_MS
        self._waiting: deque[PlayedTurn] = deque()
        self._max_waiting_turns = max_waiting_turns
        self._leading_caption = ""
        """Words whose sound comes with the next turn."""
        self._was_speaking = False
        self._client_busy_until_ns = 0
        self.num_cleared_turns = 0
        self.num_skipped_turns = 0
        self.num_overflowed_turns = 0

    def add(self, output: MicroTurnOutput, *, is_forced: bool = False) -> None:
        """Take in the next output.

        The silence of a forced turn is skipped: its time had passed, and so the delay of a stall goes away again.
        """
        if output.is_clear:
            self._clear()
        turn = PlayedTurn(index=output.index, audio=output.audio, caption=self._caption(output))
        if is_forced and turn.is_empty:
            self.num_skipped_turns += 1
            return
        self._waiting.append(turn)
        if len(self._waiting) > self._max_waiting_turns:
            self._waiting.popleft()
            self.num_overflowed_turns += 1

    @property
    def num_waiting_turns(self) -> int:
        """Turns that have not left."""
        return len(self._waiting)

    def due_ns(self) -> int | None:
        """The clock time at which the next turn may leave; None when none waits."""
        return self._client_busy_until_ns - ns_of_ms(self._max_ahead_ms) if self._waiting else None

    def take(self, now_ns: int) -> PlayedTurn | None:
        """The next turn, if it may leave now.

        Turns queue up when the client's clock, by which they are made, runs faster than ours, by which they are played,
        when late sound comes in faster than it was spoken, or when our clock was held up: silence is skipped then, and
        the delay goes away.
        """
        if self._track_holds_ms is not None:
            self._client_busy_until_ns = now_ns + ns_of_ms(self._track_holds_ms())
        while (due_ns := self.due_ns()) is not None:
            if due_ns <= now_ns:
                turn_ms = TURN_MS / _PACE if self._track_holds_ms is None else TURN_MS
                self._client_busy_until_ns = max(self._client_busy_until_ns, now_ns) + ns_of_ms(turn_ms)
                return self._waiting.popleft()
            if self._track_holds_ms is None:
                waits_long = len(self._waiting) > _MAX_WAITING_TURNS_WITH_SILENCE
            else:
                waits_long = due_ns - now_ns > ns_of_ms(_MAX_SILENT_WAIT_MS)
            if not (waits_long and self._waiting[0].is_empty):
                return None
            self._waiting.popleft()
            self.num_skipped_turns += 1
        return None

    def _clear(self) -> None:
        """Drop what has not left: the words in it were not heard and are not shown either."""
        self.num_cleared_turns += len(self._waiting)
        self._waiting.clear()
        self._leading_caption = ""
        self._was_speaking = False

    def _caption(self, output: MicroTurnOutput) -> str:
        """The words to show with this turn's sound.

        Text runs one turn ahead of its sound, except in an utterance's first turn, where both start together.
        """
        starts = output.is_speaking and not self._was_speaking
        self._was_speaking = output.is_speaking
        caption, self._leading_caption = self._leading_caption, output.say
        if starts or not output.is_speaking:
            caption, self._leading_caption = caption + output.say, ""
        return caption
