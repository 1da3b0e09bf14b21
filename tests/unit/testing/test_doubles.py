"""The shipped doubles do what the tests that use them rely on."""

import numpy as np
import pytest

from microturn.errors import CapacityError, SessionClosedError
from microturn.testing.clock import ManualClock
from microturn.testing.mic import Impairment, ScriptedMic
from microturn.testing.scripted_engine import ScriptedEngine, script
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import ns_of_ms


def second() -> np.ndarray:
    return np.linspace(-1, 1, 16_000, dtype=np.float32)


def test_a_manual_clock_moves_only_forward():
    clock = ManualClock()
    assert clock.advance_ms(1.5) == clock.now_ns() == 1_500_000
    assert clock.advance_to_ns(10) == 1_500_000
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance_ms(-1)


def test_a_mic_speaks_in_real_time():
    mic = ScriptedMic(second())
    assert list(mic.take(ns_of_ms(19))) == []
    assert [c.start_sample for c in mic.take(ns_of_ms(45))] == [0, 320]
    rest = list(mic.take(ns_of_ms(1_000)))
    assert rest[-1].end_sample == 16_000
    assert mic.next_ns is None


def test_a_stall_holds_packets_up_and_lets_them_go_at_once():
    mic = ScriptedMic(second(), impairment=Impairment(stall_at_ms=100, stall_ms=500))
    assert len(list(mic.take(ns_of_ms(599)))) == 4
    assert len(list(mic.take(ns_of_ms(600)))) == 26


def test_loss_and_duplication_are_a_share_and_repeat_with_the_seed():
    def arrivals(seed: int) -> list[int]:
        impairment = Impairment(loss=0.2, duplication=0.1, jitter_ms=200)
        mic = ScriptedMic(np.tile(second(), 10), impairment=impairment, seed=seed)
        return [c.start_sample for c in mic.take(ns_of_ms(20_000))]

    assert arrivals(1) == arrivals(1) != arrivals(2)
    assert 0.7 < len(set(arrivals(1))) / 500 < 0.95
    assert len(arrivals(1)) > len(set(arrivals(1)))


async def test_a_scripted_session_answers_each_whole_turn():
    engine = ScriptedEngine(script([MicroTurnOutput(index=1, say=" hi")]))
    session = await engine.open()
    session.push_audio(PcmChunk(start_sample=0, samples=second()[:7_000]))
    await session.close()
    answers = [output async for output, _ in session.outputs()]
    assert [(a.index, a.say) for a in answers] == [(0, ""), (1, " hi")]
    with pytest.raises(SessionClosedError):
        session.push_audio(PcmChunk(start_sample=0, samples=second()))


async def test_a_full_scripted_engine_refuses():
    engine = ScriptedEngine(max_sessions=1)
    session = await engine.open()
    with pytest.raises(CapacityError):
        await engine.open()
    await session.close()
    await engine.open()


async def test_a_parked_scripted_session_goes_on():
    engine = ScriptedEngine()
    session = await engine.open()
    await session.park()
    assert [output async for output in session.outputs()] == []
    again = await engine.resume(session.resume_token)
    again.push_audio(PcmChunk(start_sample=0, samples=second()[:3_200]))
    await again.close()
    assert len([output async for output in again.outputs()]) == 1
