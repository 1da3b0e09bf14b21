"""The realtime and live services of pipecat and livekit, unmodified, hold a spoken exchange with our server: a tone is
sent in their own way, reaches the engine whole, and its words and an answer come back.
"""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from server_harness import WatchedEngine, running_server, says
from stock_clients import AGENTS, FRAME_SAMPLES, SEND_HZ, Talk

from microturn.testing.scripted_engine import Answer
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN

WITHIN_S = 60.0
"""Only a hang takes so long."""
WORDS_HEARD = " hello"
TONE_HZ, TONE_PEAK = 450, 0.5
"""Nine periods in 20 ms: one frame after the other is an unbroken tone."""
TONE_20_MS = (
    (32_767 * TONE_PEAK * np.sin(2 * np.pi * TONE_HZ * np.arange(FRAME_SAMPLES) / SEND_HZ)).astype("<i2").tobytes()
)


def hears_the_tone() -> Answer:
    """Writes down one word, once the tone has filled a micro-turn, and speaks for three in eight from then on."""
    num_heard = 0

    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        nonlocal num_heard
        num_heard += is_the_tone(turn.audio)
        if not is_the_tone(turn.audio):
            return MicroTurnOutput(index=turn.index)
        if num_heard == 1:
            return MicroTurnOutput(index=turn.index, hear=WORDS_HEARD)
        return says(turn.index, " hi") if num_heard % 8 in (3, 4, 5) else MicroTurnOutput(index=turn.index)

    return answer


def is_the_tone(samples: NDArray[np.float32]) -> bool:
    """Whether a micro-turn's sound is what the client sent, at its pitch and loudness, and nothing else."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    bin_of_tone = TONE_HZ * IN_SAMPLES_PER_TURN // IN_HZ
    in_tune = power[bin_of_tone - 1 : bin_of_tone + 2].sum()
    return bool(abs(np.abs(samples).max() - TONE_PEAK) < 0.05 and in_tune > 0.99 * power.sum())


@pytest.mark.slow  # These packages take ten seconds and more to import.
@pytest.mark.parametrize("agent", AGENTS)
async def test_an_agent_speaks_and_is_heard(agent: str) -> None:
    talk = Talk(
        frames=itertools.repeat(TONE_20_MS),
        is_over=lambda talk: talk.num_loud >= 2 and bool(talk.heard) and bool(talk.captions),
    )
    async with running_server(WatchedEngine(hears_the_tone()), within_s=WITHIN_S) as server:
        await AGENTS[agent](server.url, talk)
        (session,) = server.engine.sessions
    assert not talk.errors
    assert {each.strip() for each in talk.heard} == {WORDS_HEARD.strip()}
    assert {each.strip() for each in talk.captions} == {"hi"}
    assert sum(is_the_tone(turn.audio) for turn in session.inputs) >= 3
