"""A long session: its oldest text is summarised behind the conversation, enters as an event, and is told only once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.server.background_engine import BackgroundEngine, BackgroundEngineSession
from microturn.testing.scripted_engine import ScriptedEngine, ScriptedSession, script
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace

SAID = [
    MicroTurnOutput(index=10, hear=" my name is ada"),
    MicroTurnOutput(index=30, say=" hello ada"),
    MicroTurnOutput(index=60, hear=" what time is it"),
]


class FullEngine(ScriptedEngine):
    """A scripted engine whose memory for text is full from a turn on, until a summary has come in."""

    def __init__(self, full_from: int) -> None:
        super().__init__(script(SAID))
        self.full_from = full_from

    async def open(self, instructions: str | None = None, seed: int | None = None) -> "FullSession":
        return FullSession(await super().open(instructions, seed), self.full_from)  # type: ignore[return-value]

    async def resume(self, resume_token: str) -> "FullSession":
        return FullSession(await super().resume(resume_token), self.full_from)  # type: ignore[return-value]


class FullSession:
    def __init__(self, session: ScriptedSession, full_from: int) -> None:
        self._session, self._full_from = session, full_from

    def __getattr__(self, name: str):
        return getattr(self._session, name)

    async def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        async for output, trace in self._session.outputs():
            is_full = output.index >= self._full_from and not summaries(self._session)
            yield output, replace(trace, kept_text_share=0.9 if is_full else 0.3)


def summaries(session: ScriptedSession) -> list[TextEvent]:
    return [event for turn in session.inputs for event in turn.events if event.drop_before_turn is not None]


async def listen(session: BackgroundEngineSession, num_turns: int) -> None:
    """Send silence, and read each answer before the next."""
    outputs = session.outputs()
    for _ in range(num_turns):
        silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
        session.push_audio(PcmChunk(start_sample=session.next_sample, samples=silence))
        await anext(outputs)
        await asyncio.sleep(0)  # the background's tasks run between the turns


async def test_the_oldest_text_is_summarised_when_its_cap_nears():
    async with Coordinator(ToolsBackend()) as coordinator:
        engine = FullEngine(full_from=80)
        session = await BackgroundEngine(engine, coordinator).open("Speak slowly.")
        await listen(session, 80)
        assert summaries(engine.sessions[0]) == []
        await listen(session, 100)
        (event,) = summaries(engine.sessions[0])
        assert event.role is Role.SYSTEM
        assert (
            event.text == "Instructions: Speak slowly. Summary until 0:11: User: my name is ada; Assistant: hello ada"
        )
        assert event.drop_before_turn == 59
        await session.close()


async def test_another_process_remembers_what_was_said_and_summarised():
    """The record of the conversation comes back from the journal, so that no summary leaves out what came before."""
    engine = FullEngine(full_from=80)
    async with Coordinator(ToolsBackend()) as coordinator:
        session = await BackgroundEngine(engine, coordinator).open()
        token = session.resume_token
        await listen(session, 70)
        await session.park()
    async with Coordinator(ToolsBackend()) as coordinator:
        session = await BackgroundEngine(engine, coordinator).resume(token)
        await listen(session, 60)
        (event,) = summaries(engine.sessions[0])
        assert "my name is ada" in event.text
        await session.close()


async def test_what_nobody_remembers_is_not_dropped():
    class Forgetful(FullSession):
        async def past(self) -> list[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
            return []

    class ForgetfulEngine(FullEngine):
        async def resume(self, resume_token: str) -> FullSession:
            return Forgetful(await ScriptedEngine.resume(self, resume_token), self.full_from)

    engine = ForgetfulEngine(full_from=0)
    async with Coordinator(ToolsBackend()) as coordinator:
        session = await BackgroundEngine(engine, coordinator).open()
        token = session.resume_token
        await listen(session, 5)
        await session.park()
        session = await BackgroundEngine(engine, coordinator).resume(token)
        await listen(session, 150)
        assert summaries(engine.sessions[0]) == []
        await session.close()
