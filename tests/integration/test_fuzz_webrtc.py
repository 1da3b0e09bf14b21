"""Whatever a WebRTC peer sends, as messages on the data channel or as packets, nothing crashes or hangs."""

import asyncio
import contextlib
import fractions
import json
import struct
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any

import av
import numpy as np
import pytest
from fuzz_harness import FUZZ, LIVE_EVENTS, OPENINGS, OWNER, check_live, converse_beside_a_neighbour, messages
from hypothesis import given
from hypothesis import strategies as st
from openai.types.live import SessionStartEvent

pytest.importorskip("aiortc")
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder, VpxPayloadDescriptor
from aiortc.jitterbuffer import JitterBuffer
from pyee.asyncio import AsyncIOEventEmitter

from microturn.errors import ProtocolError
from microturn.server.engine_port import EngineSession
from microturn.server.limits import Limits
from microturn.server.live_server import LiveServer
from microturn.server.session_setup import SessionSetup
from microturn.server.webrtc.bounds import MediaGauge, VideoTap
from microturn.server.webrtc.calls import hold_call
from microturn.server.webrtc.connection import PeerConnection
from microturn.server.webrtc.listening import MAX_FRAME_WIDTH, OpusListener, PacketTap, to_video_frame
from microturn.server.webrtc.peer import Peer
from microturn.server.webrtc.rtp import RTP_HZ
from microturn.testing.clock import ManualClock

FRAME_SAMPLES = RTP_HZ // 50
SILENCE = b"\xf8\xff\xfe"
"""20 ms of it, in Opus."""


@dataclass(frozen=True)
class Packet:
    """An RTP packet as aiortc hands it over."""

    sequence_number: int
    timestamp: int
    _data: bytes


PAYLOADS = st.binary(max_size=200) | st.just(SILENCE) | st.binary(max_size=60).map(lambda rest: SILENCE[:1] + rest)
KEY_FRAMES = st.builds(
    lambda width, height, rest: b"\x10\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + rest,
    st.integers(0, 700),
    st.integers(0, 700) | st.integers(0, 0xFFFF),
    st.binary(max_size=200),
)
"""With the head that says that a picture begins."""
CHANGES = st.binary(max_size=100).map(lambda rest: b"\x10\x01" + rest)


def a_picture() -> bytes:
    """A key frame as aiortc sends it, in one packet."""
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 120, np.uint8), format="rgb24")
    frame.pts, frame.time_base = 0, fractions.Fraction(1, 90_000)
    (payload,), _ = Vp8Encoder().encode(frame, force_keyframe=True)
    return payload


def broken(payload: bytes) -> st.SearchStrategy[bytes]:
    """The payload, whole or with one byte of it changed."""
    changed = st.tuples(st.integers(0, len(payload) - 1), st.binary(min_size=1, max_size=1))
    return st.just(payload) | changed.map(lambda change: payload[: change[0]] + change[1] + payload[change[0] + 1 :])


def packets(payloads: st.SearchStrategy[bytes]) -> st.SearchStrategy[Packet]:
    return st.builds(Packet, st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), payloads)


def streams(payloads: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[Packet]]:
    """Packets that for the most part follow each other."""

    def in_order(steps: list[tuple[int, int, bytes]]) -> list[Packet]:
        sequence = timestamp = 0
        laid: list[Packet] = []
        for ahead, samples, payload in steps:
            sequence, timestamp = (sequence + ahead) % 2**16, (timestamp + samples) % 2**32
            laid.append(Packet(sequence, timestamp, payload))
        return laid

    ahead = st.just(1) | st.just(1) | st.just(1) | st.integers(0, 2**16 - 1)
    samples = st.just(FRAME_SAMPLES) | st.just(FRAME_SAMPLES) | st.integers(0, 2**32 - 1)
    return st.lists(st.tuples(ahead, samples, payloads), min_size=1, max_size=40).map(in_order)


class MemoryPeer(AsyncIOEventEmitter):
    """The client's side: an open data channel, and packets of sound."""

    readyState = "open"
    bufferedAmount = 0

    def __init__(self) -> None:
        super().__init__()
        self.bufferedAmountLowThreshold = 0
        self.received: list[dict[str, Any]] = []
        self.tap = PacketTap()
        self._undone: deque[tuple[Any, ...]] = deque()

    def say(self, said: str | bytes | Packet | None) -> None:
        if isinstance(said, Packet):
            self.tap.add(said)
        else:
            self._do("message", b"" if said is None else said)

    def hang_up(self) -> None:
        self._do("close")

    def _do(self, *event: Any) -> None:
        """Nothing is lost: what is done before the server has the channel happens once it has."""
        self._undone.append(event)
        while self.event_names() and self._undone:
            self.emit(*self._undone.popleft())

    def send(self, text: str) -> None:
        self.received.append(json.loads(text))

    async def call(self, live: LiveServer, session: dict[str, Any]) -> None:
        """Hold a session whose offer was answered."""
        opening = SessionStartEvent.model_validate({"type": "session.start", "session": session})
        peer = Peer(live.clock, live.limits)
        peer.listener = OpusListener(self.tap, live.clock, live.limits)
        connection = PeerConnection(live, peer, OWNER, opening, opening.session.client)

        async def open_session(connection: PeerConnection) -> tuple[SessionSetup, EngineSession]:
            setup = connection.resolve(opening.session)
            return setup, await live.engine.open(setup.instructions, None)

        await connection.open(open_session)
        peer.channel.attach(self)  # pyright: ignore[reportArgumentType]
        self._do("opened")
        await hold_call(peer, connection, contextlib.nullcontext())


@FUZZ
@given(
    messages(LIVE_EVENTS, beside=st.binary(max_size=20) | packets(PAYLOADS)),
    st.sampled_from([opening for opening in OPENINGS if opening]),
    st.booleans(),
)
def test_a_call(sent: list[Any], opening: list[dict[str, Any]], has_background: bool) -> None:
    peer, (start, *others) = MemoryPeer(), opening
    conversation = converse_beside_a_neighbour(
        peer,
        [*map(json.dumps, others), *sent],
        lambda live: peer.call(live, start["session"]),
        has_background=has_background,
    )
    asyncio.run(conversation)
    check_live(peer.received)


@FUZZ
@given(streams(PAYLOADS))
def test_packets_in_any_order(sent: list[Packet]) -> None:
    async def listen() -> None:
        tap = PacketTap()
        listener = OpusListener(tap, ManualClock(10**12), Limits())
        for packet in sent:
            tap.add(packet)
            assert np.isfinite(await listener.next_sound()).all()

    asyncio.run(listen())


@FUZZ
@given(st.lists(PAYLOADS, max_size=20))
def test_sound_is_heard_after_any_payloads(payloads: list[bytes]) -> None:
    async def listen() -> None:
        tap = PacketTap()
        listener = OpusListener(tap, ManualClock(10**12), Limits())
        for number, payload in zip(count(), [*payloads, *[SILENCE] * 10], strict=False):
            tap.add(Packet(number, number * FRAME_SAMPLES, payload))
        await listener.next_sound()
        tap.add(Packet(len(payloads) + 10, (len(payloads) + 10) * FRAME_SAMPLES, SILENCE))
        assert len(await listener.next_sound()) == FRAME_SAMPLES

    asyncio.run(listen())


@FUZZ
@given(streams(KEY_FRAMES | CHANGES | broken(a_picture()) | st.binary(max_size=60)), st.integers(0, 5))
def test_pictures(sent: list[Packet], num_undecoded: int) -> None:
    limits, clock, ended = Limits(), ManualClock(10**12), list[ProtocolError]()
    buffer = JitterBuffer(capacity=512, is_video=True)
    tap = VideoTap(buffer, lambda: num_undecoded, MediaGauge(limits, clock), limits, clock, end=ended.append)
    decoder = Vp8Decoder()
    for packet in sent:
        clock.advance_ms(30)
        try:
            _, rest = VpxPayloadDescriptor.parse(packet._data)
        except ValueError:
            continue  # aiortc drops it as well
        _, frame = tap.add(Packet(packet.sequence_number, packet.timestamp, rest))
        with contextlib.suppress(av.FFmpegError):  # after which aiortc goes on
            for picture in decoder.decode(frame) if frame is not None else ():
                assert picture.width * picture.height <= limits.max_image_pixels
                assert max(to_video_frame(picture, 0.0).pixels.shape) <= MAX_FRAME_WIDTH
    assert len(ended) <= 1
