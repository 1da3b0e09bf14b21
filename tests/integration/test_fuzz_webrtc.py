"""Whatever a WebRTC peer sends, as messages on the data channel or as packets, nothing crashes or hangs."""

import asyncio
import contextlib
import json
import struct
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pytest
from fuzz_harness import FUZZ, LIVE_EVENTS, OPENINGS, OWNER, check_live, converse_beside_a_neighbour, messages
from hypothesis import given
from hypothesis import strategies as st
from openai.types.live import SessionStartEvent

pytest.importorskip("aiortc")
from aiortc.codecs.vpx import VpxPayloadDescriptor
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
from microturn.server.webrtc.listening import OpusListener, PacketTap
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
    lambda width, height, rest: b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + rest,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.binary(max_size=40),
)


def packets(payloads: st.SearchStrategy[bytes]) -> st.SearchStrategy[Packet]:
    return st.builds(Packet, st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), payloads)


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
        peer.listener = OpusListener(self.tap, live.clock)
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
@given(st.lists(packets(PAYLOADS), min_size=1, max_size=40))
def test_packets_in_any_order(sent: list[Packet]) -> None:
    async def listen() -> None:
        tap = PacketTap()
        listener = OpusListener(tap, ManualClock(10**12))
        for packet in sent:
            tap.add(packet)
            assert np.isfinite(await listener.next_sound()).all()

    asyncio.run(listen())


@FUZZ
@given(st.lists(PAYLOADS, max_size=20))
def test_sound_is_heard_after_any_payloads(payloads: list[bytes]) -> None:
    async def listen() -> None:
        tap = PacketTap()
        listener = OpusListener(tap, ManualClock(10**12))
        for number, payload in zip(count(), [*payloads, *[SILENCE] * 10], strict=False):
            tap.add(Packet(number, number * FRAME_SAMPLES, payload))
        await listener.next_sound()
        tap.add(Packet(len(payloads) + 10, (len(payloads) + 10) * FRAME_SAMPLES, SILENCE))
        assert len(await listener.next_sound()) == FRAME_SAMPLES

    asyncio.run(listen())


@FUZZ
@given(st.lists(packets(st.binary(max_size=60) | KEY_FRAMES), min_size=1, max_size=40), st.integers(0, 5))
def test_pictures(sent: list[Packet], num_undecoded: int) -> None:
    limits, clock, ended = Limits(), ManualClock(10**12), list[ProtocolError]()
    buffer = JitterBuffer(capacity=512, is_video=True)
    tap = VideoTap(buffer, lambda: num_undecoded, MediaGauge(limits, clock), limits, clock, end=ended.append)
    for packet in sent:
        clock.advance_ms(30)
        with contextlib.suppress(ValueError):  # aiortc takes the head off first, and drops what has none
            _, rest = VpxPayloadDescriptor.parse(packet._data)
            _, frame = tap.add(Packet(packet.sequence_number, packet.timestamp, rest))
            assert frame is None or num_undecoded < 4
    assert len(ended) <= 1
