"""What comes in over WebRTC: packets that are no sound, and pictures that nobody looks at."""

import asyncio
import fractions
import threading

import av
import numpy as np
import pytest

pytest.importorskip("aiortc")
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from microturn.server.limits import Limits
from microturn.server.webrtc.listening import Camera, OpusListener, PacketTap
from microturn.server.webrtc.rtp import RTP_HZ, RtpPacket
from microturn.testing.clock import ManualClock

FRAME_SAMPLES = RTP_HZ // 50


def opus_packets(count: int) -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout = RTP_HZ, "s16", "mono"
    tone = (12_000 * np.sin(2 * np.pi * 440 * np.arange(count * FRAME_SAMPLES) / RTP_HZ)).astype(np.int16)
    packets: list[bytes] = []
    for start in range(0, len(tone), FRAME_SAMPLES):
        frame = av.AudioFrame.from_ndarray(tone[None, start : start + FRAME_SAMPLES], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RTP_HZ, start, fractions.Fraction(1, RTP_HZ)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


async def test_a_packet_without_sound_does_not_make_it_deaf() -> None:
    tap = PacketTap()
    listener = OpusListener(tap, ManualClock(10**12), Limits())
    payloads = opus_packets(12)
    payloads[4] = b""
    for number, payload in enumerate(payloads):
        tap.packets.put_nowait(RtpPacket(sequence=number, timestamp=number * FRAME_SAMPLES, payload=payload))
    heard = await listener.next_sound()
    assert listener.num_undecodable == 0
    assert np.abs(heard[-FRAME_SAMPLES:]).max() > 0.2


async def test_sound_that_is_not_decoded_in_time_is_lost_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    tap, clock, is_let = PacketTap(), ManualClock(10**12), threading.Event()
    listener = OpusListener(tap, clock, Limits(decode_within_ms=500))
    decode = OpusListener._decode
    monkeypatch.setattr(OpusListener, "_decode", lambda self, packets: is_let.wait() and decode(self, packets))
    packets = [
        RtpPacket(sequence=number, timestamp=number * FRAME_SAMPLES, payload=payload)
        for number, payload in enumerate(opus_packets(12))
    ]
    for waiting in (packets[:4], packets[4:8]):  # The first is late; the second finds it still at work.
        for packet in waiting:
            tap.packets.put_nowait(packet)
        assert not np.abs(await listener.next_sound()).any()
        excess = listener.take_excess()
        assert excess is not None
        assert excess.code == "decode_timeout"
    assert listener.counters()["undecodable_packets"] == 8
    assert listener._decoder._latest is not None
    is_let.set()
    await asyncio.wrap_future(listener._decoder._latest)
    for packet in packets[8:]:
        tap.packets.put_nowait(packet)
    assert np.abs(await listener.next_sound()).max() > 0.2
    assert listener.take_excess() is None


class Slides(MediaStreamTrack):
    """So many pictures, as fast as they are taken."""

    kind = "video"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_taken, self._count = 0, count
        self.forty_taken = asyncio.Event()

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0)
        if self.num_taken == self._count:
            raise MediaStreamError
        self.num_taken += 1
        if self.num_taken == 40:
            self.forty_taken.set()
        frame = av.VideoFrame(16, 16, "rgb24")
        frame.pts = self.num_taken
        return frame


async def test_pictures_that_nobody_looks_at_are_let_go() -> None:
    slides = Slides(50)
    camera = Camera(slides)
    await slides.forty_taken.wait()
    newest = await camera.next_picture()
    assert newest is not None
    assert newest.pts >= 39
    async with asyncio.timeout(20):
        while await camera.next_picture() is not None:
            pass
    camera.close()
