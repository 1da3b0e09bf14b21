"""A session that hands everything on to another: what watches or notes one says only what it adds."""

from collections.abc import AsyncIterator, Sequence

from microturn.server.engine_port import EngineSession
from microturn.turns.micro_turn import MicroTurnOutput, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame


class PassingSession:
    """An ``EngineSession`` in front of another one; every method raises what that one raises."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session

    @property
    def resume_token(self) -> str:
        """See ``EngineSession``, as for all that follows."""
        return self._session.resume_token

    @property
    def next_sample(self) -> int:
        """Handed on."""
        return self._session.next_sample

    def push_audio(self, chunk: PcmChunk) -> None:
        """Handed on."""
        self._session.push_audio(chunk)

    def push_text(self, event: TextEvent) -> None:
        """Handed on."""
        self._session.push_text(event)

    def push_frame(self, frame: VideoFrame) -> None:
        """Handed on."""
        self._session.push_frame(frame)

    def restrain(self, nats: float) -> None:
        """Handed on."""
        self._session.restrain(nats)

    def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        """Handed on."""
        return self._session.outputs()

    async def past(self) -> Sequence[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        """Handed on."""
        return await self._session.past()

    async def park(self) -> None:
        """Handed on."""
        await self._session.park()

    async def close(self) -> None:
        """Handed on."""
        await self._session.close()
