"""The asyncio face: outputs reach their reader, errors reach their caller, and nothing hangs at the end."""

import asyncio
import threading

import numpy as np
import pytest
from engine_fakes import CountingRunner

from microturn.engine.core import EngineSettings
from microturn.engine.engine import MAX_WAITING_OUTPUTS, Engine
from microturn.engine.journal import SqliteJournal
from microturn.errors import CapacityError, JournalError, SessionClosedError
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.slicer import SlicerLimits
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace


def turns(first: int, num: int) -> PcmChunk:
    samples = np.zeros(num * IN_SAMPLES_PER_TURN, np.float32)
    return PcmChunk(start_sample=first * IN_SAMPLES_PER_TURN, samples=samples)


async def read(session, num: int) -> list[str]:
    said: list[str] = []
    async for output, _ in session.outputs():
        said.append(output.say.strip())
        if len(said) == num:
            break
    return said


async def test_two_sessions_converse_at_once():
    async with Engine(CountingRunner()) as engine:
        one, two = await engine.open(), await engine.open()
        one.push_audio(turns(0, 2))
        two.push_audio(turns(0, 1))
        assert await asyncio.gather(read(one, 2), read(two, 1)) == [["1", "2"], ["1"]]
        assert (await engine.counts())["num_sessions"] == 2


async def test_what_was_given_and_said_can_be_read_back():
    journal = SqliteJournal(":memory:")
    summary = TextEvent(role=Role.SYSTEM, text="so far", drop_before_turn=1)
    async with Engine(CountingRunner(), journal) as engine:
        session = await engine.open("be brief")
        session.push_audio(turns(0, 1))
        await read(session, 1)
        session.push_text(summary)
        session.push_audio(turns(1, 1))
        await read(session, 1)
        events = [event for given, _ in await session.past() for event in given]
        assert events == [TextEvent(role=Role.SYSTEM, text="be brief"), summary]
        assert [(output.index, output.say) for _, output in await session.past()] == [(0, " 1"), (1, " 2")]


async def test_a_fork_reads_back_what_was_said_before_it_also_after_a_restart(tmp_path):
    async with Engine(CountingRunner(), SqliteJournal(tmp_path / "j.db")) as engine:
        session = await engine.open("be brief")
        session.push_audio(turns(0, 2))
        await read(session, 2)
        fork = await engine.fork(session.resume_token)
        session.push_audio(turns(2, 1))
        fork.push_audio(turns(2, 1))
        await asyncio.gather(read(session, 1), read(fork, 1))
    async with Engine(CountingRunner(), SqliteJournal(tmp_path / "j.db")) as engine:
        fork = await engine.resume(fork.resume_token)
        second = await engine.fork(fork.resume_token)
        for each in (fork, second):
            past = await each.past()
            assert [output.index for _, output in past] == [0, 1, 2]
            assert [event.text for events, _ in past for event in events] == ["be brief"]


async def test_without_a_journal_nothing_can_be_read_back():
    async with Engine(CountingRunner()) as engine:
        assert await (await engine.open()).past() == []


async def test_the_model_never_runs_on_the_event_loop():
    threads = set()
    runner = CountingRunner(on_step=lambda rows: threads.add(threading.current_thread().name))
    async with Engine(runner) as engine:
        session = await engine.open()
        session.push_audio(turns(0, 1))
        await read(session, 1)
    assert threads == {"microturn-engine"}


async def test_outputs_end_when_the_session_is_closed_and_closing_twice_does_nothing():
    async with Engine(CountingRunner()) as engine:
        session = await engine.open()
        session.push_audio(turns(0, 1))
        await read(session, 1)
        await session.close()
        await session.close()
        assert [output async for output in session.outputs()] == []
        with pytest.raises(SessionClosedError):
            session.push_text(TextEvent(role=Role.USER, text="hello"))
    await session.close()


async def test_a_failure_reaches_the_reader():
    def fail(rows):
        raise ValueError("poison")

    async with Engine(CountingRunner(on_step=fail)) as engine:
        session = await engine.open()
        session.push_audio(turns(0, 1))
        with pytest.raises(Exception, match="ValueError"):
            await read(session, 1)


async def test_a_full_engine_tells_the_caller():
    async with Engine(CountingRunner(num_slots=1)) as engine:
        await engine.open()
        with pytest.raises(CapacityError):
            await engine.open()


async def test_a_flood_of_text_is_refused_at_once():
    async with Engine(CountingRunner()) as engine:
        session = await engine.open()
        for _ in range(SlicerLimits().max_events):
            session.push_text(TextEvent(role=Role.USER, text="x"))
        with pytest.raises(CapacityError, match="events wait"):
            session.push_text(TextEvent(role=Role.USER, text="x"))


async def test_outputs_that_nobody_reads_are_bounded_and_counted():
    async with Engine(CountingRunner()) as engine:
        session = await engine.open()
        for index in range(MAX_WAITING_OUTPUTS + 3):
            session.deliver((MicroTurnOutput(index=index), TurnTrace(index=index)))
        await session.close()
        kept = [output.index async for output, _ in session.outputs()]
        assert kept == list(range(3, MAX_WAITING_OUTPUTS + 3))
        assert session.num_dropped_outputs == 3


async def test_a_parked_session_is_resumed():
    async with Engine(CountingRunner()) as engine:
        session = await engine.open()
        session.push_audio(turns(0, 1))
        await read(session, 1)
        await session.park()
        again = await engine.resume(session.resume_token)
        first = again.next_sample // IN_SAMPLES_PER_TURN
        again.push_audio(turns(first, 1))
        assert await read(again, 1) == ["2"]
        with pytest.raises(JournalError):
            await engine.resume("nonsense")


async def test_sessions_outlive_the_engine_in_the_journal(tmp_path):
    async with Engine(CountingRunner(), SqliteJournal(tmp_path / "j.db")) as engine:
        session = await engine.open()
        session.push_audio(turns(0, 1))
        await read(session, 1)
    assert [output async for output in session.outputs()] == []
    runner = CountingRunner()
    async with Engine(runner, SqliteJournal(tmp_path / "j.db")) as engine:
        again = await engine.resume(session.resume_token)
        again.push_audio(turns(1, 1))
        assert await read(again, 1) == ["2"]
        assert len(runner.batches) == 1  # the farewell's snapshot left no tail to run again


async def test_a_closed_engine_says_so():
    engine = Engine(CountingRunner(), settings=EngineSettings())
    await engine.close()
    await engine.close()
    with pytest.raises(SessionClosedError, match="engine is closed"):
        await engine.open()
