"""The live engine with a whole model in miniature: killed in mid-sentence, it goes on as if it had not been."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np

from microturn.engine.engine import Engine
from microturn.engine.journal import SqliteJournal
from microturn.engine.offline import answer_stream
from microturn.engine.runner import Checkpoint, ModelRunner, RunnerSettings
from microturn.testing.tiny_model import tiny_parts
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN

NUM_TURNS = 24


def make_runner() -> ModelRunner:
    parts = tiny_parts(seed=3)
    checkpoint = Checkpoint(
        model=parts.model,
        tokenizer=parts.tokenizer,
        statistics=parts.statistics,
        vocoder=parts.vocoder,
        model_hash="tiny",
    )
    return ModelRunner(checkpoint, RunnerSettings(num_slots=2))


def sound() -> np.ndarray:
    return np.random.default_rng(0).integers(-9000, 9000, NUM_TURNS * IN_SAMPLES_PER_TURN).astype(np.float32) / 32768


def turn_of(index: int) -> PcmChunk:
    start = index * IN_SAMPLES_PER_TURN
    return PcmChunk(start_sample=start, samples=sound()[start : start + IN_SAMPLES_PER_TURN])


CHILD = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from test_engine_survives import Engine, NUM_TURNS, SqliteJournal, make_runner, turn_of

async def main():
    engine = Engine(make_runner(), SqliteJournal(sys.argv[1]))
    session = await engine.open(seed=5)
    print(session.resume_token, flush=True)
    outputs = session.outputs()
    for index in range(NUM_TURNS):
        session.push_audio(turn_of(index))
        await anext(outputs)
        print(index, flush=True)

asyncio.run(main())
"""


def converse_until_killed(path: Path) -> tuple[str, int]:
    """A server's process, killed after ten turns. Returns the resume token and the last turn that was released."""
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(path), os.path.dirname(__file__)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    token = process.stdout.readline().strip()
    for line in process.stdout:
        if int(line) >= 9:
            process.send_signal(signal.SIGKILL)
            break
    released = max([9, *(int(line) for line in process.stdout.read().split())])
    process.wait()
    process.stdout.close()
    return token, released


async def test_a_session_survives_kill_minus_nine(tmp_path: Path):
    token, released = converse_until_killed(tmp_path / "j.db")
    async with Engine(make_runner(), SqliteJournal(tmp_path / "j.db")) as engine:
        session = await engine.resume(token)
        first = session.next_sample // IN_SAMPLES_PER_TURN
        assert first > released
        outputs = session.outputs()
        resumed = []
        for index in range(first, first + 6):
            session.push_audio(turn_of(index))
            resumed.append((await anext(outputs))[0])

    inputs = [MicroTurnInput(index=i, audio=turn_of(i).samples) for i in range(first + 6)]
    unbroken = [result.output for result in answer_stream(make_runner(), inputs, seed=5)][first:]
    for one, other in zip(resumed, unbroken, strict=True):
        assert (one.index, one.hear, one.say, one.pieces) == (other.index, other.hear, other.say, other.pieces)
        assert (one.mel is None) == (other.mel is None)
        if one.mel is not None:
            np.testing.assert_allclose(one.mel, other.mel, atol=1e-2)


async def test_what_is_released_is_what_is_recorded(tmp_path: Path):
    async with Engine(make_runner(), SqliteJournal(tmp_path / "j.db")) as engine:
        session = await engine.open(seed=5, instructions="count to three")
        outputs = session.outputs()
        released = []
        for index in range(6):
            session.push_audio(turn_of(index))
            released.append(await anext(outputs))
    journal = SqliteJournal(tmp_path / "j.db")
    recorded = list(journal.turns(session.session_id))
    journal.close()
    assert recorded[0].input.events[0].text == "count to three"
    for (output, trace), turn in zip(released, recorded, strict=True):
        assert (turn.output.index, turn.output.say, turn.trace) == (output.index, output.say, trace)
        for name in ("mel", "audio"):
            one, other = getattr(turn.output, name), getattr(output, name)
            assert (one is None and other is None) or np.array_equal(one, other)
