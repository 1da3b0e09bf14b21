"""A user's sound from RTP packets onto media time, through loss, jitter and reordering, without a delay that grows.

Media time is the sender's own: each packet says which samples it holds. A packet that is missing is waited for until
a few later ones are there (more where the network reorders much), then silence stands in its place. When nothing comes
at all for longer than ``STALL_MS``, silence goes on at the pace of the clock, so that the model keeps listening and
speaking on time; what comes too late for its place is dropped and counted. No clock and no task in here: the caller
says what time it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microturn.turns.timing import ms_of_ns

RTP_HZ = 48_000
"""Opus counts at this rate on the wire, whatever it was made from."""
MIN_PATIENCE, MAX_PATIENCE = 3, 12
"""Later packets that have to be there before a missing one is given up: grows when one comes too late after all."""
_CALM_PACKETS = 500
"""After so many in order, patience shrinks again by one."""
STALL_MS = 260
"""Longer than the jitter of a network that is worth talking over."""
MAX_GAP_MS = 10_000
"""A larger step of the sender's clock is a new beginning, not a gap."""
_FRAME_SAMPLES = RTP_HZ // 50
_TURN_OF_SEQUENCE = 1 << 16
_TURN_OF_TIMESTAMP = 1 << 32


@dataclass(frozen=True, kw_only=True, slots=True)
class RtpPacket:
    """What the ingest needs of a packet."""

    sequence: int
    """16 bits, in the order of sending."""
    timestamp: int
    """32 bits, in samples at ``RTP_HZ``."""
    payload: bytes


class RtpOrder:
    """Puts packets back in order; gives a lost one up once enough later ones are there."""

    def __init__(self) -> None:
        self._waiting: dict[int, RtpPacket] = {}
        self._next: int | None = None
        self._patience = MIN_PATIENCE
        self._num_calm = 0
        self.num_lost = 0
        self.num_late = 0

    def push(self, packet: RtpPacket) -> list[RtpPacket]:
        """Packets that are in order now."""
        if self._next is None:
            self._next = packet.sequence
        ahead = (packet.sequence - self._next) % _TURN_OF_SEQUENCE
        if ahead >= _TURN_OF_SEQUENCE // 2 or packet.sequence in self._waiting:
            self.num_late += 1  # Its place has been given up, or it has come twice.
            self._patience, self._num_calm = min(MAX_PATIENCE, self._patience + 1), 0
            return []
        self._num_calm += 1
        if self._num_calm >= _CALM_PACKETS:
            self._patience, self._num_calm = max(MIN_PATIENCE, self._patience - 1), 0
        self._waiting[packet.sequence] = packet
        ordered = self._take()
        while len(self._waiting) >= self._patience:
            nearest = min(self._waiting, key=self._ahead)
            self.num_lost += self._ahead(nearest)
            self._next = nearest
            ordered += self._take()
        return ordered

    def _ahead(self, sequence: int) -> int:
        assert self._next is not None, "packets wait only after a first one"
        return (sequence - self._next) % _TURN_OF_SEQUENCE

    def _take(self) -> list[RtpPacket]:
        ordered: list[RtpPacket] = []
        while self._next in self._waiting:
            ordered.append(self._waiting.pop(self._next))
            self._next = (self._next + 1) % _TURN_OF_SEQUENCE
        return ordered


class RtpTimeline:
    """Lays decoded packets end to end on the sender's timeline."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._position = 0
        """Samples handed out so far, at ``RTP_HZ``: real ones and silence."""
        self._heard_ns = 0
        self.num_silent_samples = 0
        self.num_late_samples = 0

    def place(self, timestamp: int, samples: NDArray[np.float32], now_ns: int) -> NDArray[np.float32]:
        """The sound to go on with, (num_samples,) at ``RTP_HZ``: silence for a gap before, nothing for what is late."""
        self._heard_ns = now_ns
        if self._first is None:
            self._first = timestamp - self._position
        start = self._relative(timestamp)
        gap = start - self._position
        if abs(gap) > MAX_GAP_MS * RTP_HZ // 1000:
            self._first = timestamp - self._position
            gap = 0
        if gap < 0:
            self.num_late_samples += min(-gap, len(samples))
            samples = samples[-gap:]
        silence = np.zeros(max(0, gap), dtype=np.float32)
        self.num_silent_samples += len(silence)
        sound = np.concatenate([silence, samples])
        self._position += len(sound)
        return sound

    def fill(self, now_ns: int) -> NDArray[np.float32]:
        """Silence for the time in which nothing has come, once that is a stall; it ends where the clock is."""
        if self._first is None:
            return np.zeros(0, dtype=np.float32)
        quiet_ms = ms_of_ns(now_ns - self._heard_ns)
        if quiet_ms < STALL_MS:
            return np.zeros(0, dtype=np.float32)
        # From the last packet on, all but what jitter may still bring.
        num_samples = int((quiet_ms - STALL_MS / 2) * RTP_HZ / 1000) // _FRAME_SAMPLES * _FRAME_SAMPLES
        self._heard_ns += int(num_samples / RTP_HZ * 1e9)
        self._position += num_samples
        self.num_silent_samples += num_samples
        return np.zeros(num_samples, dtype=np.float32)

    def _relative(self, timestamp: int) -> int:
        """Samples since the first, near the present position whatever the 32 bits have wrapped to."""
        assert self._first is not None, "set by the first packet"
        ahead = (timestamp - self._first - self._position) % _TURN_OF_TIMESTAMP
        return self._position + (ahead - _TURN_OF_TIMESTAMP if ahead >= _TURN_OF_TIMESTAMP // 2 else ahead)
