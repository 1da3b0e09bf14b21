"""A background joined to an engine: what outlasts a connection, and whose numbers are whose."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from background_doubles import WITHIN_S

from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer, Job, JobState
from microturn.background.ledger import Ledger
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.workbench import Workbench
from microturn.errors import CapacityError, JournalError, SessionClosedError
from microturn.server.background_engine import FIRST_CLIENT_JOB, BackgroundEngine, BackgroundEngineSession
from microturn.testing.scripted_engine import ScriptedEngine, ScriptedSession, script
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace


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


async def test_a_yes_in_another_process_tries_again_what_was_interrupted(tmp_path: Path):
    questions: asyncio.Queue[str] = asyncio.Queue()

    class Stuck(Listener):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            questions.put_nowait(package.question)
            await asyncio.Event().wait()
            raise AssertionError("never answered")

    outputs = (act(0, "ask 1: weather"), act(1, "amend 1: in oslo"), act(3, "amend 1: yes"))
    scripted, backend = ScriptedEngine(script(outputs)), Listener()
    async with asyncio.timeout(WITHIN_S):
        async with Coordinator(Stuck(), ledger=Ledger(tmp_path / "ledger")) as coordinator:
            session = await BackgroundEngine(scripted, coordinator).open()
            await hold(session, 2)
            while await questions.get() != "weather; correction: in oslo":
                pass
        async with Coordinator(backend, ledger=Ledger(tmp_path / "ledger")) as coordinator:
            session = await BackgroundEngine(scripted, coordinator).resume(session.resume_token)
            shown: asyncio.Queue[Job] = asyncio.Queue()
            session.observe(shown.put_nowait)
            assert (await shown.get()).state is JobState.FAILED
            await hold(session, 2)
            await coordinator.wait_until_idle()
            assert [job.state for job in coordinator.jobs(session.session_id)] == [JobState.DONE]
    assert backend.asked == ["weather; correction: in oslo"]
    assert [e.text for turn in scripted.sessions[0].inputs for e in turn.events][:1] == [
        "1 error: I was interrupted before I had the answer. Shall I try again?"
    ]


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


class SlowEngine(ScriptedEngine):
    """Takes its time to resume: the old connection's outputs have ended by then."""

    def __init__(self, *, error: Exception | None = None) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self._error = error

    async def resume(self, resume_token: str) -> ScriptedSession:
        session = await super().resume(resume_token)
        self.is_asked.set()
        await self.let_go.wait()
        if self._error is not None:
            raise self._error
        return session


class Stuck(Listener):
    """Never answers."""

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError


async def left_in_mid_takeover(
    engine: BackgroundEngine, scripted: SlowEngine
) -> tuple[BackgroundEngineSession, asyncio.Task[BackgroundEngineSession]]:
    """A connection that leaves, its question open, while another is taking its session over."""
    old = await engine.open()
    old.ask("x")
    resuming = asyncio.create_task(engine.resume(old.resume_token))
    await scripted.is_asked.wait()
    await old.close()
    scripted.let_go.set()
    return old, resuming


async def test_a_connection_that_ends_while_its_session_is_taken_over_ends_nothing_of_it():
    scripted = SlowEngine()
    async with asyncio.timeout(WITHIN_S), Coordinator(Stuck()) as coordinator:
        engine = BackgroundEngine(scripted, coordinator)
        _, resuming = await left_in_mid_takeover(engine, scripted)
        new = await resuming
        (job,) = coordinator.jobs(new.session_id)
        assert not job.state.is_over
        await new.close()
        assert coordinator.jobs(new.session_id) == []


@pytest.mark.parametrize(
    ("error", "num_kept"), [(CapacityError("full"), 1), (SessionClosedError("closed"), 0), (JournalError("gone"), 0)]
)
async def test_a_session_that_could_not_be_taken_over_is_left_as_its_connection_left_it(
    error: Exception, num_kept: int
):
    scripted = SlowEngine(error=error)
    async with asyncio.timeout(WITHIN_S), Coordinator(Stuck()) as coordinator:
        engine = BackgroundEngine(scripted, coordinator)
        old, resuming = await left_in_mid_takeover(engine, scripted)
        with pytest.raises(type(error)):
            await resuming
        assert len(coordinator.jobs(old.session_id)) == num_kept


async def test_a_session_that_could_not_be_taken_over_is_still_its_connections():
    scripted = SlowEngine(error=CapacityError("full"))
    scripted.let_go.set()
    async with asyncio.timeout(WITHIN_S), Coordinator(Stuck()) as coordinator:
        engine = BackgroundEngine(scripted, coordinator)
        session = await engine.open()
        session.ask("x")
        with pytest.raises(CapacityError):
            await engine.resume(session.resume_token)
        assert len(coordinator.jobs(session.session_id)) == 1
        await session.close()
        assert coordinator.jobs(session.session_id) == []


def no_room(event: TextEvent) -> None:
    raise CapacityError("full")


def told(scripted: ScriptedEngine) -> list[str]:
    return [event.text for turn in scripted.sessions[0].inputs for event in turn.events]


async def test_a_report_that_the_engine_has_no_room_for_is_told_in_a_later_turn():
    scripted = ScriptedEngine()
    async with asyncio.timeout(WITHIN_S), Coordinator(Listener()) as coordinator:
        session = await BackgroundEngine(scripted, coordinator).open()
        take, scripted.sessions[0].push_text = scripted.sessions[0].push_text, no_room
        session.ask("x")
        await coordinator.wait_until_idle()
        await hold(session, 1)
        scripted.sessions[0].push_text = take
        await hold(session, 2)
    assert told(scripted) == [f"{FIRST_CLIENT_JOB} done: so it is"]


async def test_a_report_that_the_engine_had_no_room_for_outlasts_the_connection():
    scripted = ScriptedEngine()
    async with asyncio.timeout(WITHIN_S), Coordinator(Listener()) as coordinator:
        engine = BackgroundEngine(scripted, coordinator)
        session = await engine.open()
        scripted.sessions[0].push_text = no_room
        session.ask("x")
        await coordinator.wait_until_idle()
        await session.park()
        await hold(await engine.resume(session.resume_token), 1)
    assert told(scripted) == [f"{FIRST_CLIENT_JOB} done: so it is"]


async def test_a_summary_that_the_engine_has_no_room_for_enters_in_a_later_turn():
    said = [MicroTurnOutput(index=index, hear=f" word {index}") for index in range(0, 40, 10)]
    full = ScriptedEngine(script(said), trace=lambda index: TurnTrace(index=index, kept_text_share=index / 40))
    async with asyncio.timeout(WITHIN_S), Coordinator(Listener()) as coordinator:
        session = await BackgroundEngine(full, coordinator).open()
        take, full.sessions[0].push_text = full.sessions[0].push_text, no_room
        await hold(session, 40)
        await asyncio.sleep(0)
        assert coordinator.num_excerpts == 1
        await hold(session, 1)
        full.sessions[0].push_text = take
        await hold(session, 2)
        (summary,) = told(full)
    assert summary.startswith("Summary until")
