"""A background joined to an engine: what outlasts a connection, and whose numbers are whose."""

import asyncio

import numpy as np
from background_doubles import WITHIN_S

from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.workbench import Workbench
from microturn.server.background_engine import FIRST_CLIENT_JOB, BackgroundEngine, BackgroundEngineSession
from microturn.testing.scripted_engine import ScriptedEngine, script
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN


class Listener:
    """Answers at once; remembers what it was asked."""

    name = "listener"
    package_policy = PackagePolicy()

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        self.asked.append(package.question)
        return Answer(text="so it is")

    async def close(self) -> None:
        pass


def act(index: int, text: str, *, is_end: bool = True) -> MicroTurnOutput:
    return MicroTurnOutput(index=index, pieces=(Piece(kind=PieceKind.ACT, text=text, is_end=is_end),))


async def hold(session: BackgroundEngineSession, num_turns: int) -> None:
    """So many turns of silence, each answered."""
    outputs = session.outputs()
    for _ in range(num_turns):
        silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
        session.push_audio(PcmChunk(start_sample=session.next_sample, samples=silence))
        await anext(outputs)


HALF_AN_ACT = (act(0, "ask 1: weather ", is_end=False), act(1, "in oslo"))


async def test_an_act_goes_on_after_the_connection_was_lost_within_it():
    backend = Listener()
    async with asyncio.timeout(WITHIN_S), Coordinator(backend) as coordinator:
        engine = BackgroundEngine(ScriptedEngine(script(HALF_AN_ACT)), coordinator)
        session = await engine.open()
        await hold(session, 1)
        await session.park()
        await hold(await engine.resume(session.resume_token), 1)
        await coordinator.wait_until_idle()
    assert backend.asked == ["weather in oslo"]


async def test_an_act_goes_on_in_another_process():
    backend, scripted = Listener(), ScriptedEngine(script(HALF_AN_ACT))
    async with asyncio.timeout(WITHIN_S), Coordinator(backend) as coordinator:
        session = await BackgroundEngine(scripted, coordinator).open()
        await hold(session, 1)
        await session.park()
        await hold(await BackgroundEngine(scripted, coordinator).resume(session.resume_token), 1)
        await coordinator.wait_until_idle()
    assert backend.asked == ["weather in oslo"]


async def test_what_began_before_a_gap_is_not_joined_to_what_follows():
    backend = Listener()
    outputs = (act(0, "ask 1: weather ", is_end=False), act(1, "in oslo"), act(2, "ask 2: news"))
    async with asyncio.timeout(WITHIN_S), Coordinator(backend) as coordinator:
        engine = BackgroundEngine(ScriptedEngine(script(outputs)), coordinator)
        session = await engine.open()
        await hold(session, 1)
        silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
        session.push_audio(PcmChunk(start_sample=session.next_sample, samples=silence))  # nobody reads the answer
        await session.park()
        await hold(await engine.resume(session.resume_token), 1)
        await coordinator.wait_until_idle()
    assert backend.asked == ["news"]


async def test_what_the_client_asks_has_a_number_that_the_model_does_not_give():
    backend = Listener()
    async with asyncio.timeout(WITHIN_S), Coordinator(backend) as coordinator:
        engine = BackgroundEngine(ScriptedEngine(script([act(0, "ask 1: of the model")])), coordinator)
        session = await engine.open()
        assert [session.ask("of the client"), session.ask("again")] == [FIRST_CLIENT_JOB, FIRST_CLIENT_JOB + 1]
        await hold(session, 1)
        await coordinator.wait_until_idle()
        assert sorted(backend.asked) == ["again", "of the client", "of the model"]


async def test_a_fork_of_what_another_process_held_knows_the_conversation():
    outputs = (MicroTurnOutput(index=0, hear=" i live in oslo"), act(1, "ask 1: weather"))
    scripted = ScriptedEngine(script(outputs))
    packages: list[str] = []

    class Reader(Listener):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            packages.append(package.text)
            return await super().answer(package, bench)

    async with asyncio.timeout(WITHIN_S), Coordinator(Reader()) as coordinator:
        session = await BackgroundEngine(scripted, coordinator).open()
        await hold(session, 1)
        await hold(await BackgroundEngine(scripted, coordinator).fork(session.resume_token), 1)
        await coordinator.wait_until_idle()
    assert len(packages) == 1
    assert "User: i live in oslo" in packages[0]
