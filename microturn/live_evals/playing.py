"""Plays sound to a session in its time, as a microphone would."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import count

import numpy as np

from microturn.server.engine_port import EngineSession
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN, TURN_MS
from microturn.turns.trace import TurnTrace

_SILENCE = np.zeros(IN_SAMPLES_PER_TURN, np.float32)


async def live_outputs(
    session: EngineSession,
    inputs: Sequence[MicroTurnInput],
    *,
    pace_ms: float = TURN_MS,
    before: Callable[[int], Awaitable[None]] | None = None,
) -> AsyncGenerator[tuple[MicroTurnOutput, TurnTrace], None]:
    """What a session answers to the sound of an episode, and then to silence, for as long as it is read.

    A turn's sound is handed over once it is over, as by a microphone, so that what the background finds out meanwhile
    comes in the middle of it.

    Args:
        pace_ms: Wall time of a micro-turn: 200 for a live engine, which answers in its time; less for a scripted one.
        before: Awaited with the number of each turn before its sound is handed over.
    """
    outputs = session.outputs()
    begin_s = time.perf_counter()
    for index in count():
        await asyncio.sleep(max(0.0, begin_s + (index + 1) * pace_ms / 1000 - time.perf_counter()))
        if before is not None:
            await before(index)
        audio = inputs[index].audio if index < len(inputs) else _SILENCE
        session.push_audio(PcmChunk(start_sample=index * IN_SAMPLES_PER_TURN, samples=audio))
        yield await anext(outputs)
