"""An engine that answers from a script, for tests of what stands around the engine. No model, no thread, no torch."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from microturn.errors import CapacityError, SessionClosedError
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.slicer import Slicer
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

Answer = Callable[[MicroTurnInput], MicroTurnOutput]
Trace = Callable[[int], TurnTrace]
"""Costs and conditions of a micro-turn, by its index."""


def script(outputs: Iterable[MicroTurnOutput]) -> Answer:
    """Answers each turn with the output that has its index, and the others with silence."""
    by_index = {output.index: output for output in outputs}
    return lambda turn: by_index.get(turn.index, MicroTurnOutput(index=turn.index))


class ScriptedSession:
    """One conversation: each micro-turn is answered as soon as its sound is whole."""

    def __init__(self, answer: Answer, *, session_id: str, resume_token: str, trace: Trace | None = None) -> None:
        self.session_id = session_id
        self.resume_token = resume_token
        self.inputs: list[MicroTurnInput] = []
        """What has been asked so far."""
        self.instructions: str | None = None
        """What it was opened with; an engine with a model reads them as a text of its first turn."""
        self.is_closed = False
        self.restraint = 0.0
        """What it was last told to be held back by."""
        self._answer = answer
        self._trace = trace or (lambda index: TurnTrace(index=index))
        self._slicer = Slicer()
        self._answers: asyncio.Queue[tuple[MicroTurnOutput, TurnTrace] | Exception | None] = asyncio.Queue()

    @property
    def next_sample(self) -> int:
        """Where a resumed client's sound starts on the media time."""
        return len(self.inputs) * IN_SAMPLES_PER_TURN

    def push_audio(self, chunk: PcmChunk) -> None:
        """Takes sound in, and answers every turn that it completes."""
        self._check_open()
        self._slicer.push_audio(chunk)
        while (turn := self._slicer.ready()) is not None:
            self.inputs.append(turn)
            self._answers.put_nowait((replace(self._answer(turn), index=turn.index), self._trace(turn.index)))

    def push_frame(self, frame: VideoFrame) -> None:
        """Takes a frame in."""
        self._check_open()
        self._slicer.push_frame(frame)

    def restrain(self, nats: float) -> None:
        """Noted."""
        self.restraint = nats

    def push_text(self, event: TextEvent) -> None:
        """Takes a text event in."""
        self._check_open()
        self._slicer.push_text(event)

    def fail(self, error: Exception) -> None:
        """Lets the outputs end with an error, as an engine in trouble would."""
        self._answers.put_nowait(error)

    async def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        """The answers in order, until the session is closed."""
        while (answer := await self._answers.get()) is not None:
            if isinstance(answer, Exception):
                raise answer
            yield answer

    async def past(self) -> list[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        """What was given and answered as text so far."""
        return [
            (turn.events, replace(self._answer(turn), index=turn.index, mel=None, audio=None)) for turn in self.inputs
        ]

    async def close(self) -> None:
        """Ends the outputs. Closing twice does nothing."""
        if not self.is_closed:
            self.is_closed = True
            self._answers.put_nowait(None)

    async def park(self) -> None:
        """Ends the outputs, but the session can be resumed."""
        self._answers.put_nowait(None)

    def successor(self) -> "ScriptedSession":
        """The same conversation for another client; this one's outputs end, and closing it ends nothing more."""
        self._answers.put_nowait(None)
        after = ScriptedSession(
            self._answer, session_id=self.session_id, resume_token=self.resume_token, trace=self._trace
        )
        after.inputs = self.inputs
        after._slicer = Slicer(first_index=len(self.inputs))
        for event in self._slicer.waiting_events:
            after._slicer.push_text(event)
        return after

    def begin_after(self, inputs: list[MicroTurnInput]) -> None:
        """Goes on after another session's inputs."""
        self.inputs = inputs
        self._slicer = Slicer(first_index=len(inputs))

    def _check_open(self) -> None:
        if self.is_closed:
            raise SessionClosedError(f"session {self.session_id} is closed: open a new one")


class ScriptedEngine:
    """Opens scripted sessions; those opened so far stand in ``sessions``."""

    def __init__(self, answer: Answer | None = None, *, max_sessions: int = 16, trace: Trace | None = None) -> None:
        self._trace = trace
        self.sessions: list[ScriptedSession] = []
        self._answer = answer or script(())
        self._max_sessions = max_sessions

    async def counts(self) -> Mapping[str, Any]:
        """How full it is, as an engine with a model says it; there is no overload."""
        return {"num_sessions": self._num_open, "max_sessions": self._max_sessions, "is_admitting": True}

    async def open(self, instructions: str | None = None, seed: int | None = None) -> ScriptedSession:
        """Begins a conversation. Raises CapacityError when ``max_sessions`` are open."""
        num_open = self._num_open
        if num_open >= self._max_sessions:
            raise CapacityError(f"{num_open} of {self._max_sessions} sessions are live: try again later")
        number = len(self.sessions)
        session = ScriptedSession(
            self._answer, session_id=f"session-{number}", resume_token=f"token-{number}", trace=self._trace
        )
        session.instructions = instructions
        self.sessions.append(session)
        return session

    async def resume(self, resume_token: str) -> ScriptedSession:
        """Goes on with a session, in its place in ``sessions``. Raises SessionClosedError for an unknown token."""
        for number, session in enumerate(self.sessions):
            if session.resume_token == resume_token and not session.is_closed:
                self.sessions[number] = session.successor()
                return self.sessions[number]
        raise SessionClosedError("no session has this resume token: open a new one")

    async def fork(self, resume_token: str) -> ScriptedSession:
        """Begins a session after the same inputs as another. Raises SessionClosedError for an unknown token."""
        for source in self.sessions:
            if source.resume_token == resume_token and not source.is_closed:
                session = await self.open()
                session.begin_after(list(source.inputs))
                return session
        raise SessionClosedError("no session has this resume token: open a new one")

    @property
    def _num_open(self) -> int:
        return sum(not session.is_closed for session in self.sessions)

    async def close(self) -> None:
        """Closes every session."""
        for session in self.sessions:
            await session.close()
