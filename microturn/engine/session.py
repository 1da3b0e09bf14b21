"""One conversation inside the engine. No torch.

Its media may be pushed from any thread; all else belongs to the engine's worker.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from microturn.errors import CapacityError, SessionClosedError
from microturn.turns.micro_turn import MicroTurnOutput, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.slicer import Slicer
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

Released = tuple[MicroTurnOutput, TurnTrace]

MAX_WAITING_EVENT_TOKENS = 4_096
"""Of text events that have not entered a turn yet; while there are more, no text is taken in."""

Deliver = Callable[[Released | Exception | None], None]
"""Takes a session's outputs; an error or None is the last."""


@dataclass(slots=True, eq=False)
class Session:
    """One conversation inside the engine."""

    session_id: str
    resume_token: str
    slot: int
    is_lossy: bool
    """Its transport drops rather than delays: turns are cut at their deadline."""
    deliver: Deliver
    seed: int = 0
    """Of what is random in it."""
    slicer: Slicer = field(default_factory=Slicer)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Guards the slicer, which another thread fills."""
    has_ended: bool = False
    is_aligned: bool = False
    """Whether its phase group follows from its own sound."""
    num_waiting_event_tokens: int = 0
    last_turn: int = -1
    last_snapshot_turn: int = -1
    parked_ns: int | None = None
    restraint: float = 0.0
    """What holds the model back from speaking, in nats."""

    @property
    def next_sample(self) -> int:
        """Media time goes on from here: the start of a resumed client's sound."""
        return self.slicer.next_index * IN_SAMPLES_PER_TURN

    @property
    def waiting_events(self) -> tuple[TextEvent, ...]:
        """Text that no turn has taken yet."""
        with self.lock:
            return self.slicer.waiting_events

    def push_audio(self, chunk: PcmChunk) -> None:
        """Takes sound in. Raises SessionClosedError after the end."""
        with self._open_slicer() as slicer:
            slicer.push_audio(chunk)

    def push_frame(self, frame: VideoFrame) -> None:
        """Takes a picture in. Raises SessionClosedError after the end."""
        with self._open_slicer() as slicer:
            slicer.push_frame(frame)

    def push_text(self, event: TextEvent) -> None:
        """Takes text in. Raises SessionClosedError after the end, CapacityError or ValueError when it is too much."""
        if self.num_waiting_event_tokens > MAX_WAITING_EVENT_TOKENS:
            raise CapacityError(
                f"{self.num_waiting_event_tokens} tokens of earlier texts wait: send more once turns have passed"
            )
        with self._open_slicer() as slicer:
            slicer.push_text(event)

    def end(self, last: Exception | None) -> None:
        """Hands over the last item, once."""
        if not self.has_ended:
            self.has_ended = True
            self.deliver(last)

    @contextmanager
    def _open_slicer(self) -> Generator[Slicer, None, None]:
        with self.lock:
            if self.has_ended:
                raise SessionClosedError(
                    f"session {self.session_id} has ended: open a new one, or resume it by its token"
                )
            yield self.slicer
