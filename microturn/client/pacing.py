"""Sends sound at the pace at which it would be spoken."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from microturn.client.live_client import WIRE_HZ, LiveClient
from microturn.clock import Clock, SystemClock
from microturn.turns.timing import ms_of_ns

CHUNK_MS = 40
CHUNK_SAMPLES = WIRE_HZ * CHUNK_MS // 1000
Sleep = Callable[[float], Awaitable[None]]


class Pace:
    """Waits until sound that was sent has been spoken; never makes up for lost time by rushing more than needed.

    Args:
        sleep_s: waits for a number of seconds.
    """

    def __init__(self, clock: Clock | None = None, sleep_s: Sleep = asyncio.sleep) -> None:
        self._clock = clock or SystemClock()
        self._sleep_s = sleep_s
        self._start_ns = self._clock.now_ns()
        self._sent_ms = 0.0

    async def after(self, num_samples: int) -> None:
        """Wait out another stretch of sound."""
        self._sent_ms += num_samples * 1000 / WIRE_HZ
        ahead_ms = self._sent_ms - ms_of_ns(self._clock.now_ns() - self._start_ns)
        if ahead_ms > 0:
            await self._sleep_s(ahead_ms / 1000)


async def send_paced(
    session: LiveClient,
    sound: Iterable[NDArray[np.float32]] | AsyncIterable[NDArray[np.float32]],
    *,
    pace: Pace | None = None,
) -> None:
    """Send sound, (num_samples,) at 24 kHz in pieces of any length, at the pace of real time."""
    pace = pace or Pace()
    if isinstance(sound, AsyncIterable):
        async for piece in sound:
            await _send_piece(session, piece, pace)
    else:
        for piece in sound:
            await _send_piece(session, piece, pace)


async def send_silence(session: LiveClient, duration_ms: float, *, pace: Pace | None = None) -> None:
    """Let time pass in which nobody speaks: the model answers in it."""
    silence = np.zeros(CHUNK_SAMPLES, np.float32)
    await send_paced(session, [silence] * round(duration_ms / CHUNK_MS), pace=pace)


async def _send_piece(session: LiveClient, piece: NDArray[np.float32], pace: Pace) -> None:
    for start in range(0, len(piece), CHUNK_SAMPLES):
        chunk = piece[start : start + CHUNK_SAMPLES]
        await session.send_audio(chunk)
        await pace.after(len(chunk))
