"""What a model says comes back to it as the echo says, and no other model's words do."""

import numpy as np
import pytest

from microturn.evals.echo import Echo, EchoedSession
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN, OUT_HZ, OUT_SAMPLES_PER_TURN


def silence(count: int) -> list[MicroTurnInput]:
    return [MicroTurnInput(index=k, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32)) for k in range(count)]


def tone(index: int) -> MicroTurnOutput:
    wave = 0.5 * np.sin(2 * np.pi * 500 * np.arange(OUT_SAMPLES_PER_TURN) / OUT_HZ)
    return MicroTurnOutput(index=index, audio=wave.astype(np.float32))


@pytest.mark.parametrize("delay_ms", [60.0, 180.0])
def test_a_turns_sound_comes_back_one_turn_and_a_delay_later(delay_ms: float) -> None:
    session = EchoedSession(silence(6), Echo(level_db=-20.0, delay_ms=delay_ms))
    heard = []
    for k in range(6):
        heard.append(session[k].audio)
        session.answered(tone(k) if k == 1 else MicroTurnOutput(index=k))
    sound = np.concatenate(heard)
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    begin_ms, end_ms = loud[0] * 1000 / IN_HZ, loud[-1] * 1000 / IN_HZ
    assert begin_ms == pytest.approx(400 + delay_ms, abs=2)
    assert end_ms == pytest.approx(600 + delay_ms, abs=2)
    assert np.abs(sound).max() == pytest.approx(0.05, rel=0.1)


def test_an_utterance_comes_back_without_seams() -> None:
    session = EchoedSession(silence(12), Echo(level_db=0.0, delay_ms=100.0))
    wave = (0.4 * np.sin(2 * np.pi * 300 * np.arange(8 * OUT_SAMPLES_PER_TURN) / OUT_HZ)).astype(np.float32)
    heard = []
    for k in range(12):
        heard.append(session[k].audio)
        piece = wave[k * OUT_SAMPLES_PER_TURN : (k + 1) * OUT_SAMPLES_PER_TURN]
        session.answered(MicroTurnOutput(index=k, audio=piece if len(piece) else None))
    sound = np.concatenate(heard)
    time_s = np.arange(len(sound)) / IN_HZ - 0.3
    wanted = np.where((time_s >= 0) & (time_s < 1.6), 0.4 * np.sin(2 * np.pi * 300 * time_s), 0.0)
    inner = (time_s > 0.02) & (time_s < 1.58)
    assert np.abs(sound - wanted)[inner].max() < 0.03


def test_who_says_nothing_hears_nothing() -> None:
    session = EchoedSession(silence(3), Echo(level_db=-20.0, delay_ms=60.0))
    session.answered(MicroTurnOutput(index=0))
    assert not any(turn.audio.any() for turn in session)
    assert len(session[:2]) == 2
