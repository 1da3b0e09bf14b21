"""A microphone and its network, by script: sound in packets, some of them late, lost, doubled or held up."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import in_samples, ns_of_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Impairment:
    """What the network does to packets."""

    loss: float = 0.0
    """Share of packets that never come."""
    duplication: float = 0.0
    """Share that come twice."""
    jitter_ms: float = 0.0
    """Each is delayed by a span drawn evenly from [0, jitter_ms)."""
    stall_at_ms: float | None = None
    """From then on nothing comes, ..."""
    stall_ms: float = 0.0
    """... for this long; then all of it at once."""


class ScriptedMic:
    """Sends a recording at the pace at which it would be spoken.

    Args:
        samples: (num_samples,) at 16 kHz.
        packet_ms: Length of a packet; it leaves when its last sample was spoken.
        impairment: What happens on the way.
        seed: Of what is random on the way.
    """

    def __init__(
        self,
        samples: NDArray[np.float32],
        *,
        packet_ms: float = 20.0,
        impairment: Impairment | None = None,
        seed: int = 0,
    ) -> None:
        self._arrivals: list[tuple[int, int, PcmChunk]] = []
        self._impairment = impairment or Impairment()
        random = np.random.default_rng(seed)
        packet_samples = in_samples(packet_ms)
        for order, start in enumerate(range(0, len(samples), packet_samples)):
            chunk = PcmChunk(start_sample=start, samples=samples[start : start + packet_samples])
            for _ in range(1 + (random.random() < self._impairment.duplication)):
                if random.random() >= self._impairment.loss:
                    arrival_ms = self._arrival_ms((order + 1) * packet_ms, random.random())
                    self._arrivals.append((ns_of_ms(arrival_ms), order, chunk))
        heapq.heapify(self._arrivals)

    @property
    def next_ns(self) -> int | None:
        """When the next packet arrives, from the start of the recording; None when all have."""
        return self._arrivals[0][0] if self._arrivals else None

    def take(self, now_ns: int) -> Iterator[PcmChunk]:
        """Packets that have arrived by now, in order of arrival."""
        while self._arrivals and self._arrivals[0][0] <= now_ns:
            yield heapq.heappop(self._arrivals)[2]

    def _arrival_ms(self, sent_ms: float, draw: float) -> float:
        arrival_ms = sent_ms + draw * self._impairment.jitter_ms
        start_ms = self._impairment.stall_at_ms
        if start_ms is not None and start_ms <= arrival_ms < start_ms + self._impairment.stall_ms:
            return start_ms + self._impairment.stall_ms
        return arrival_ms
