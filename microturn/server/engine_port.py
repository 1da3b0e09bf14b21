"""What the server needs of an engine. ``microturn.engine`` has it; so has ``microturn.testing.scripted_engine``.

The server knows no model, no tensor and no scheduler: it hands media over, and reads micro-turns back.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from microturn.turns.micro_turn import MicroTurnOutput, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame


class EngineSession(Protocol):
    """One conversation. The three ``push_`` methods return at once and are bounded inside the engine."""

    @property
    def resume_token(self) -> str:
        """Lets a client come back to the session. Secret."""
        ...

    @property
    def next_sample(self) -> int:
        """Where the client's sound starts, or goes on, on the media time (at the input rate)."""
        ...

    def push_audio(self, chunk: PcmChunk) -> None:
        """Take in sound of the user."""
        ...

    def push_text(self, event: TextEvent) -> None:
        """Take in text, beside the next micro-turn's sound.

        Raises:
            CapacityError, ValueError: more than the engine takes.
        """
        ...

    def push_frame(self, frame: VideoFrame) -> None:
        """Take in a picture."""
        ...

    def restrain(self, nats: float) -> None:
        """By how many nats speech must be likelier than silence from now on, where the model is silent; 0 at first."""
        ...

    def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        """The micro-turns in order, each as soon as it may be released. Ends when the session is closed."""
        ...

    async def past(self) -> Sequence[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        """What was given and answered as text so far, as far as it was recorded; outputs without sound.

        Raises:
            JournalError: it cannot be read.
        """
        ...

    async def park(self) -> None:
        """End the outputs, but keep the state for a client that comes back with the token."""
        ...

    async def close(self) -> None:
        """Free the slot and finish the journal. Closing twice does nothing."""
        ...


class Engine(Protocol):
    """Holds the model and its sessions."""

    async def open(self, instructions: str | None = None, seed: int | None = None) -> EngineSession:
        """Begin a conversation.

        Raises:
            CapacityError: no slot is left.
        """
        ...

    async def resume(self, resume_token: str) -> EngineSession:
        """Go on with a conversation that lost its client.

        Raises:
            JournalError, SessionClosedError: no such session, or it has ended.
            CapacityError: no slot is left.
        """
        ...

    async def fork(self, resume_token: str) -> EngineSession:
        """Begin a conversation of its own where another one stands; that one goes on and notices nothing.

        Raises:
            JournalError, SessionClosedError: no such session, or it has ended.
            CapacityError: no slot is left.
        """
        ...


@runtime_checkable
class Counting(Protocol):
    """An engine that counts, as ``microturn.engine.core.describe`` says."""

    async def counts(self) -> Mapping[str, Any]:
        """The figures of now.

        Raises:
            CapacityError: too much waits for the engine already.
            SessionClosedError: the engine is closed.
        """
        ...
