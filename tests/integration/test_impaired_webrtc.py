"""A real WebRTC client on a bad network: what is lost is lost, and afterwards nothing comes later than before.

Everything is read off media time, not the clock: the client says the number of each second as a tone of its own pitch,
and the turns that the engine was given say where on the session's timeline each tone was heard.
"""

import asyncio
import fractions
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np
import pytest
from server_harness import RunningServer, WatchedEngine, running_server, says

from microturn.testing.impairment import Impairment, Link, impaired_udp
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_HZ, TURN_MS

pytest.importorskip("aiortc")
from aiortc.mediastreams import AudioStreamTrack
from webrtc_harness import Caller

WITHIN_S = 90.0
"""Only a hang takes so long."""
TONE_AT_MS, TONE_MS = 400, 300
SLACK_MS = 120
"""A delay that stays is that of a stall, three seconds, or of many lost packets; a busy machine moves less."""
STORM = Impairment(loss=0.1, jitter_ms=200, seed=7)
"""Packets overtake each other, too: ten of them fit into the jitter."""
_CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host.*\r\n", re.IGNORECASE)


def hz_of(second: int) -> float:
    """The pitch that says a second's number."""
    return 500.0 + 100.0 * (second % 20)


class Numbers(AudioStreamTrack):
    """Says the number of every second."""

    async def recv(self) -> av.AudioFrame:
        frame = await super().recv()
        time_s = np.arange(frame.pts, frame.pts + frame.samples) / frame.sample_rate
        second = time_s.astype(int)
        offset_ms = (time_s - second) * 1000
        is_tone = (offset_ms >= TONE_AT_MS) & (offset_ms < TONE_AT_MS + TONE_MS)
        wave = 12_000 * np.sin(2 * np.pi * np.vectorize(hz_of)(second) * time_s) * is_tone
        sound = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
        sound.pts, sound.sample_rate = frame.pts, frame.sample_rate
        sound.time_base = fractions.Fraction(1, frame.sample_rate)
        return sound


class Ears:
    """Answers what is loud, and keeps what was heard."""

    def __init__(self) -> None:
        self._turns: asyncio.Queue[np.ndarray] = asyncio.Queue()
        self._heard: list[np.ndarray] = []

    def __call__(self, turn: MicroTurnInput) -> MicroTurnOutput:
        self._turns.put_nowait(turn.audio)
        loud = np.abs(turn.audio).max() > 0.1
        return says(turn.index, " tone", hear=" tone") if loud else MicroTurnOutput(index=turn.index)

    async def until(self, media_ms: int) -> np.ndarray:
        """The sound on media time, once so much of it is there."""
        while len(self._heard) * TURN_MS < media_ms:
            self._heard.append(await self._turns.get())
        return np.concatenate(self._heard)


@asynccontextmanager
async def through_a_network(server: RunningServer, **session: Any) -> AsyncIterator[tuple[Caller, Link]]:
    """A call whose media has one way to go: through the relay. Both sides know no other address."""
    caller = Caller([Numbers()])
    try:
        offer = _CANDIDATE.sub("a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n", await caller.offer())
        created = await server.client().live.create(
            session={"model": "nano", **session}, transport={"type": "webrtc", "sdp": offer}
        )
        answered = created.transport.sdp
        host, port = next((found[1], int(found[2])) for found in _CANDIDATE.finditer(answered) if "." in found[1])
        async with impaired_udp(host, port, Impairment(), local_host=host) as link:
            by_relay = f"a=candidate:1 1 udp 2130706431 {host} {link.port} typ host\r\n"
            first = _CANDIDATE.search(answered)
            assert first is not None
            await caller.accept(_CANDIDATE.sub("", answered.replace(first[0], "@RELAY@")).replace("@RELAY@", by_relay))
            yield caller, link
    finally:
        await caller.connection.close()


def span_ms(sound: np.ndarray, second: int) -> tuple[float, float] | None:
    """From where to where the tone of a second is heard, by its pitch; None where too much of it was lost."""
    window = IN_HZ // 50
    pieces = sound[: len(sound) // window * window].reshape(-1, window)
    time_s = np.arange(window) / IN_HZ
    strength = np.abs(pieces @ np.exp(-2j * np.pi * hz_of(second) * time_s)) * 2 / window
    found = np.flatnonzero(strength > 0.15)
    return (float(found[0] * 20), float(found[-1] * 20 + 20)) if len(found) >= 4 else None


async def test_loss_jitter_and_a_stall_leave_no_delay_behind() -> None:
    ears = Ears()
    async with (
        running_server(WatchedEngine(ears), within_s=WITHIN_S) as server,
        through_a_network(server) as (caller, link),
    ):
        await caller.until("session.started")
        await ears.until(1_000)
        link.impairment = STORM
        await ears.until(3_000)
        link.stall()
        await ears.until(6_000)  # silence stands for what does not come: the model goes on listening
        link.resume()
        await ears.until(7_800)
        link.impairment = Impairment()
        sound = await ears.until(10_800)
        assert link.num_lost > 10

        # On the sender's own timeline each tone is heard where the first one was: parts of it may be missing, but it
        # neither comes later nor ends later, and the last ones are whole.
        spans = {second: span for second in range(11) if (span := span_ms(sound, second)) is not None}
        first_ms, last_ms = spans[0]
        moved = {s: (a - s * 1000 - first_ms, b - s * 1000 - last_ms) for s, (a, b) in spans.items()}
        assert {0, 9, 10} <= set(moved)
        assert all(begin >= -SLACK_MS and end <= SLACK_MS for begin, end in moved.values()), moved
        assert all(begin <= SLACK_MS and end >= -SLACK_MS for begin, end in (moved[9], moved[10])), moved

        # And the answers come back, as sound and as words.
        voice = await caller.voice.get()
        while np.abs((await voice.recv()).to_ndarray()).max() < 3_000:
            pass
        assert (await caller.until("session.output_transcript.delta"))["delta"] == " tone"
