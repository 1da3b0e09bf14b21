"""A client whose clock is not ours: the whole way from its microphone to its loudspeaker, for most of an hour.

Nothing is measured in real time: two clocks are counted, and the engine, the ingest and the playout are told the time.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest

from microturn.engine.core import EngineCore
from microturn.engine.journal import NullJournal
from microturn.engine.session import Released
from microturn.engine.step import RowIn, RowOut
from microturn.protocol.codec import AudioCodec
from microturn.server.ingest import AudioIngest
from microturn.server.limits import Limits
from microturn.server.playout import MAX_TRACK_AHEAD_MS, Playout
from microturn.testing.clock import ManualClock
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN, OUT_SAMPLES_PER_TURN, TURN_MS
from microturn.turns.trace import TurnTrace

NUM_TURNS = 9_000
"""Half an hour: at 200 ppm the two clocks part by 360 ms, almost two micro-turns."""
CHUNK = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
SPEECH = np.zeros(OUT_SAMPLES_PER_TURN, np.float32)


class SpeakingRunner:
    """Answers every turn with speech, but for a pause of one turn in ten."""

    model_hash = "speaking"

    def open(self, seed: int) -> int:
        return 0

    def release(self, slot: int) -> None:
        pass

    def fit(self, frames: tuple[object, ...]) -> tuple[object, ...]:
        return frames

    def step(self, rows: list[RowIn], budget: object) -> list[RowOut]:
        index = rows[0].input.index
        output = MicroTurnOutput(index=index, audio=SPEECH if index % 10 else None)
        trace = TurnTrace(index=index, is_forced=rows[0].forced is not None)
        return [RowOut(output=output, tokens=(), trace=trace)]

    def capture(self, slot: int) -> object:
        return lambda: b""


@dataclass
class Way:
    """One client's way through the server, with its clock off by some parts per million."""

    ppm: float
    is_track: bool
    clock: ManualClock = field(default_factory=lambda: ManualClock(10**12))
    sent_ms: list[float] = field(default_factory=list)
    """When each turn's last sample left the client, by our clock."""
    answered_ms: dict[int, float] = field(default_factory=dict)
    """When each turn's answer left the server."""
    num_forced: int = 0
    most_held_ms: float = 0.0
    """Of what leaves by our clock, as on a track."""
    _busy_until_ms: float = 0.0

    def __post_init__(self) -> None:
        self.core = EngineCore(SpeakingRunner(), NullJournal(), self.clock)  # pyright: ignore[reportArgumentType]
        self.session = self.core.open(self.deliver, seed=0)
        self.ingest = AudioIngest(AudioCodec(encoding="audio/pcm", rate_hz=IN_HZ), Limits())
        self.playout = Playout(64, self.held_ms if self.is_track else None)

    @property
    def now_ms(self) -> float:
        return self.clock.now_ns() / 1e6

    def held_ms(self) -> float:
        return max(0.0, self._busy_until_ms - self.now_ms)

    def deliver(self, item: Released | Exception | None) -> None:
        assert isinstance(item, tuple)
        self.num_forced += item[1].is_forced
        self.playout.add(item[0], is_forced=item[1].is_forced)

    async def run(self) -> None:
        start_ms = self.now_ms
        for turn in range(1, NUM_TURNS + 1):
            self.run_until(start_ms + turn * TURN_MS / (1 + self.ppm * 1e-6))
            self.sent_ms.append(self.now_ms)
            await self.ingest.accept_samples(CHUNK, lambda samples: None)
        self.run_until(self.now_ms + 2 * TURN_MS)

    def run_until(self, end_ms: float) -> None:
        """All that the server does by then, each thing in its time."""
        end_ns = round(end_ms * 1e6)
        while True:
            now_ns = self.clock.now_ns()
            while chunk := self.ingest.take(now_ns):
                self.session.push_audio(chunk)
            while self.core.poll():
                pass
            while turn := self.playout.take(now_ns):
                self.answered_ms[turn.index] = self.now_ms
                self._busy_until_ms = max(self._busy_until_ms, self.now_ms) + TURN_MS
                self.most_held_ms = max(self.most_held_ms, self.held_ms())
            waits = [self.core.next_wake_ns(), self.playout.due_ns() or end_ns]
            if (wait_ms := self.ingest.wait_ms()) is not None:
                waits.append(now_ns + round(wait_ms * 1e6) + 1)
            wake_ns = min(each for each in waits if each > now_ns)
            if wake_ns >= end_ns:
                break
            self.clock.advance_to_ns(wake_ns)
        self.clock.advance_to_ns(end_ns)

    def delays_ms(self) -> list[float]:
        """From the last sample of a turn until its answer left, for those that were answered."""
        return [self.answered_ms[index] - self.sent_ms[index] for index in sorted(self.answered_ms)]

    def margins_ms(self, buffer_ms: float) -> list[float]:
        """How long before its time by the client's own clock each turn is there, if it began with such a buffer."""
        turn_ms = TURN_MS / (1 + self.ppm * 1e-6)
        first_ms = self.answered_ms[0] + buffer_ms
        return [first_ms + index * turn_ms - at_ms for index, at_ms in self.answered_ms.items()]


@pytest.mark.parametrize("ppm", [200.0, -200.0])
@pytest.mark.parametrize("is_track", [False, True])
async def test_no_delay_grows_and_nothing_starves(ppm: float, is_track: bool) -> None:
    way = Way(ppm, is_track)
    await way.run()
    delays = way.delays_ms()
    early, late = delays[: NUM_TURNS // 4], delays[-NUM_TURNS // 4 :]
    assert max(delays) <= 100  # a tick of 50 ms, the same again until drift is noticed
    assert max(late) <= max(early) + 50
    assert way.num_forced == 0
    if is_track:
        assert way.most_held_ms <= TURN_MS + MAX_TRACK_AHEAD_MS
        assert len(way.answered_ms) >= 0.999 * NUM_TURNS
    else:
        # Every turn is sent, and is there before the client needs it: a buffer of one turn never runs dry or fills up.
        assert len(way.answered_ms) == NUM_TURNS
        margins = way.margins_ms(TURN_MS)
        assert min(margins) >= 0
        assert max(margins) <= 2 * TURN_MS
