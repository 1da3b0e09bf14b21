"""Pictures over WebRTC are measured before they are decoded: their size, their rate, and how many wait."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("aiortc")
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport, RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import RemoteStreamTrack

from microturn.errors import ProtocolError
from microturn.server.limits import Limits
from microturn.server.webrtc.bounds import MediaGauge, NewestFrames, VideoTap, bound_video, vp8_size
from microturn.testing.clock import ManualClock

CHANGE = b"\x01" + bytes(20)
"""A frame that shows what changed."""


def key_frame(width: int = 640, height: int = 480) -> bytes:
    return b"\x10\x02\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + bytes(10)


@dataclass
class Packet:
    sequence_number: int
    timestamp: int
    _data: bytes


@dataclass
class Road:
    """A track up to its decoder; frames of one packet each come out when the next has begun."""

    limits: Limits = field(default_factory=Limits)
    num_undecoded: int = 0

    def __post_init__(self) -> None:
        self.clock = ManualClock(10**12)
        self.ended: list[ProtocolError] = []
        self.decoded: list[bytes] = []
        buffer: Any = JitterBuffer(capacity=512, is_video=True)
        gauge = MediaGauge(self.limits, self.clock)
        self.tap = VideoTap(buffer, lambda: self.num_undecoded, gauge, self.limits, self.clock, end=self.ended.append)
        self._number = 0

    def send(self, *frames: bytes, fps: float = 30) -> bool:
        """Whether a key frame was asked for."""
        is_asked = False
        for frame in frames:
            self._number += 1
            self.clock.advance_ms(1000 / fps)
            needs_key_frame, out = self.tap.add(Packet(self._number, self._number * 3_000, frame))
            is_asked |= needs_key_frame
            if out is not None:
                self.decoded.append(out.data)
        return is_asked


def test_the_size_of_a_key_frame_is_read_from_its_head() -> None:
    assert vp8_size(key_frame(1_280, 720)) == (1_280, 720)
    assert vp8_size(CHANGE) is None
    for broken in (b"", b"\x10\x02", key_frame()[:3] + bytes(20)):
        with pytest.raises(ValueError, match="frame"):
            vp8_size(broken)


def test_pictures_of_an_ordinary_camera_are_all_decoded() -> None:
    road = Road()
    road.send(key_frame(), *[CHANGE] * 300, key_frame(1_280, 720), CHANGE)
    assert len(road.decoded) == 302
    assert not road.ended


def test_a_giant_ends_the_track_before_it_is_decoded() -> None:
    road = Road()
    road.send(key_frame(), CHANGE, key_frame(16_000, 16_000), key_frame(), CHANGE, CHANGE)
    assert road.decoded == [key_frame(), CHANGE]
    (error,) = road.ended
    assert error.code == "video_too_large"
    assert "16000x16000" in str(error)


def test_too_many_pictures_end_the_track() -> None:
    road = Road()
    road.send(key_frame(), *[CHANGE] * 1_000, fps=1_000)
    assert len(road.decoded) < 200
    assert [error.code for error in road.ended] == ["rate_limit_exceeded"]


def test_too_many_bytes_end_the_track() -> None:
    road = Road(Limits(max_media_bytes_per_s=1_000, max_media_burst_bytes=10_000))
    road.send(key_frame(), *[CHANGE + bytes(1_000)] * 30)
    assert len(road.decoded) < 15
    assert "bitrate" in str(road.ended[0])


def test_a_decoder_that_is_behind_gets_nothing_until_a_key_frame() -> None:
    road = Road()
    road.send(key_frame(), CHANGE)
    road.num_undecoded = 4
    assert road.send(CHANGE, CHANGE)
    road.num_undecoded = 0
    assert road.send(CHANGE)
    assert road.decoded == [key_frame()]
    road.send(key_frame(), CHANGE, CHANGE)
    assert road.decoded == [key_frame(), key_frame(), CHANGE]
    assert not road.ended


def test_what_comes_before_the_first_key_frame_is_not_decoded() -> None:
    road = Road()
    assert road.send(CHANGE, CHANGE, key_frame(), CHANGE)
    assert road.decoded == [key_frame()]


def test_a_decoder_that_hangs_ends_the_track_and_a_slow_one_does_not() -> None:
    road = Road()
    road.send(key_frame(), CHANGE)
    for _ in range(10):  # Half a second behind, then it has caught up: again and again.
        road.num_undecoded = 4
        road.send(*[CHANGE] * 15)
        road.num_undecoded = 3
        road.send(key_frame(), CHANGE)
    assert not road.ended
    road.num_undecoded = 4
    road.send(*[CHANGE] * 70)
    assert [error.code for error in road.ended] == ["decode_timeout"]


async def test_a_decoder_that_hangs_does_not_hold_the_event_loop_at_the_end() -> None:
    certificates = [RTCCertificate.generateCertificate()]
    receiver: Any = RTCRtpReceiver("video", RTCDtlsTransport(RTCIceTransport(RTCIceGatherer()), certificates))
    receiver._track = RemoteStreamTrack(kind="video")
    limits, clock, is_let = Limits(), ManualClock(), threading.Event()
    bound_video(receiver, MediaGauge(limits, clock), limits, clock, lambda why: None)
    hung = receiver._RTCRtpReceiver__decoder_thread = threading.Thread(target=is_let.wait)
    hung.start()
    receiver._handle_disconnect()
    assert hung.is_alive()
    is_let.set()
    assert receiver._RTCRtpReceiver__decoder_queue.get_nowait() is None  # What tells a decoder to end.


async def test_of_decoded_pictures_the_newest_wait_and_the_end_is_not_lost() -> None:
    frames = NewestFrames(4)
    for number in [*range(10), None]:
        await frames.put(number)
    assert [await frames.get() for _ in range(4)] == [7, 8, 9, None]
