"""Sound over a bad network: loss, jitter, reordering and a stall leave media time where the clock is."""

import random
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("aiortc")
from microturn.server.webrtc.rtp import RTP_HZ, RtpOrder, RtpPacket, RtpTimeline

PACKET_MS = 20
SAMPLES = RTP_HZ * PACKET_MS // 1000


@dataclass(frozen=True, kw_only=True)
class Network:
    loss: float = 0.0
    jitter_ms: float = 0.0
    stall: tuple[float, float] | None = None
    """Packets sent between these times, in ms, all come at the end."""
    cut: tuple[float, float] | None = None
    """Packets sent between these times never come."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    delays_ms: list[float]
    """At each arrival after the start: how far media time is behind the sender's clock."""
    right: float
    """Share of the sent samples that stand at their own place."""


def transmit(
    network: Network, num_packets: int = 1_500, first_sequence: int = 65_000, first_timestamp: int = 2**32 - 9_600
) -> Outcome:
    """Send packets whose samples all hold their own number, so that each shows where it belongs."""
    noise = random.Random(7)
    arrivals: list[tuple[float, int]] = []
    for number in range(num_packets):
        sent_ms = number * PACKET_MS
        if number and noise.random() < network.loss:
            continue
        if network.cut and network.cut[0] <= sent_ms < network.cut[1]:
            continue
        come_ms = sent_ms + 30 + noise.random() * network.jitter_ms
        if network.stall and network.stall[0] <= sent_ms < network.stall[1]:
            come_ms = network.stall[1] + 30
        arrivals.append((come_ms, number))
    arrivals.sort(key=lambda each: each[0])
    order, timeline, heard, delays_ms = RtpOrder(), RtpTimeline(), [], []
    now_ms = 0.0
    for come_ms, number in arrivals:
        while now_ms + 50 < come_ms:
            now_ms += 50
            heard.append(timeline.fill(round(now_ms * 1e6)))
        now_ms = come_ms
        packet = RtpPacket(
            sequence=(first_sequence + number) % 2**16,
            timestamp=(first_timestamp + number * SAMPLES) % 2**32,
            payload=number.to_bytes(4, "big"),
        )
        for each in order.push(packet):
            sound = np.full(SAMPLES, int.from_bytes(each.payload, "big") + 1, np.float32)
            heard.append(timeline.place(each.timestamp, sound, round(now_ms * 1e6)))
        delays_ms.append(come_ms - sum(map(len, heard)) * 1000 / RTP_HZ)
    sound = np.concatenate(heard)[: num_packets * SAMPLES]
    expected = np.repeat(np.arange(1, num_packets + 1, dtype=np.float32), SAMPLES)[: len(sound)]
    assert np.all((sound == 0) | (sound == expected)), "no sound stands at another's place"
    return Outcome(delays_ms=delays_ms, right=float((sound == expected).mean()))


def test_a_good_network_loses_nothing() -> None:
    outcome = transmit(Network())
    assert outcome.right == 1.0
    assert max(outcome.delays_ms) <= 30


@pytest.mark.parametrize(
    ("network", "least_right"),
    [
        (Network(loss=0.1), 0.89),
        (Network(jitter_ms=200), 0.95),
        (Network(jitter_ms=60), 0.99),
        (Network(loss=0.1, jitter_ms=40), 0.8),
        (Network(cut=(5_000, 8_000)), 0.88),
        (Network(stall=(5_000, 8_000)), 0.88),
        (Network(loss=0.1, jitter_ms=200, stall=(5_000, 8_000)), 0.7),
    ],
)
def test_no_delay_remains(network: Network, least_right: float) -> None:
    outcome = transmit(network)
    late = outcome.delays_ms[-200:]
    print(
        network, f"right {outcome.right:.3f}", f"delay median {np.median(late):.0f} max {max(late):.0f} ms"
    )  # -s shows
    assert outcome.right >= least_right
    assert max(late) <= 30 + network.jitter_ms + 14 * PACKET_MS
