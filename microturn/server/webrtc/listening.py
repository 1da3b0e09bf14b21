"""The user's side of a WebRTC peer: Opus packets and one video track, to the session's sound and pictures."""

import asyncio
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from av.error import FFmpegError
from numpy.typing import NDArray

from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.server.decoding import Decoder
from microturn.server.limits import Limits
from microturn.server.webrtc.rtp import RTP_HZ, RtpOrder, RtpPacket, RtpTimeline
from microturn.turns.video import VideoFrame

_MAX_WAITING_PACKETS = 512
"""Ten seconds of packets; when full, the oldest goes and counts as lost."""
_LOOK_EVERY_MS = 50
_PASSES_OF_THE_LOOP = 10
"""A packet takes a few from its socket, through decryption, to here."""
MAX_FRAME_WIDTH = 640
"""Larger pictures are scaled down before they are copied: the model sees far fewer pixels."""


Excess = Callable[[int], ProtocolError | None]
"""Takes in so many bytes; or says that they are too many, and why."""


class PacketTap:
    """Stands in for aiortc's jitter buffer, whose delay grows with every lost packet and never shrinks."""

    def __init__(self, excess: Excess = lambda num_bytes: None) -> None:
        self.packets: asyncio.Queue[RtpPacket] = asyncio.Queue(_MAX_WAITING_PACKETS)
        self.num_dropped = 0
        self.excess: ProtocolError | None = None
        """Why packets have been dropped; for who tells the client, and forgets it."""
        self._excess = excess

    def add(self, packet: Any) -> tuple[bool, None]:
        """Take an RTP packet over; nothing is left for aiortc to decode. What is too much counts as lost."""
        payload: bytes = packet._data  # Set by aiortc before the packet gets here.
        if excess := self._excess(len(payload)):
            self.excess = excess
            return False, None
        if self.packets.full():
            self.packets.get_nowait()
            self.num_dropped += 1
        self.packets.put_nowait(RtpPacket(sequence=packet.sequence_number, timestamp=packet.timestamp, payload=payload))
        return False, None


def tap(receiver: RTCRtpReceiver, excess: Excess = lambda num_bytes: None) -> PacketTap:
    """Take a receiver's packets before aiortc buffers them.

    aiortc has no public place for this: the name of its buffer is checked, so that an update that moves it is noticed.
    """
    name = "_RTCRtpReceiver__jitter_buffer"
    assert hasattr(receiver, name), "this aiortc keeps its jitter buffer elsewhere: adapt microturn.server.webrtc"
    packets = PacketTap(excess)
    setattr(receiver, name, packets)
    return packets


class OpusListener:
    """Turns packets into sound on the sender's timeline."""

    def __init__(self, packets: PacketTap, clock: Clock, limits: Limits) -> None:
        self._tap = packets
        self._clock = clock
        self._order = RtpOrder()
        self._timeline = RtpTimeline()
        self._opus = _new_decoder()
        self._decoder = Decoder(limits.decode_within_ms, "audio")
        self.num_undecodable = 0

    async def next_sound(self) -> NDArray[np.float32]:
        """The next stretch of sound (num_samples,) at 48 kHz; may be empty."""
        packets: list[RtpPacket] = []
        try:
            async with asyncio.timeout(_LOOK_EVERY_MS / 1000):
                packets.append(await self._tap.packets.get())
        except TimeoutError:
            # Where the event loop was held up, it is not the network: what has come meanwhile goes before silence.
            for _ in range(_PASSES_OF_THE_LOOP):
                await asyncio.sleep(0)
            if self._tap.packets.empty():
                return self._timeline.fill(self._clock.now_ns())
        while not self._tap.packets.empty():
            packets.append(self._tap.packets.get_nowait())
        ordered = [each for packet in packets for each in self._order.push(packet)]
        now_ns = self._clock.now_ns()
        sounds = await self._decoded(ordered) if ordered else []
        placed = [self._timeline.place(timestamp, sound, now_ns) for timestamp, sound in sounds]
        return np.concatenate(placed) if placed else self._timeline.fill(now_ns)

    def take_excess(self) -> ProtocolError | None:
        """Why sound was dropped since this was last asked; None where none was."""
        excess, self._tap.excess = self._tap.excess, None
        return excess

    def counters(self) -> dict[str, int]:
        """What was lost on the way."""
        return {
            "lost_packets": self._order.num_lost + self._tap.num_dropped,
            "late_packets": self._order.num_late,
            "undecodable_packets": self.num_undecodable,
            "silent_ms": self._timeline.num_silent_samples * 1000 // RTP_HZ,
        }

    async def _decoded(self, packets: list[RtpPacket]) -> list[tuple[int, NDArray[np.float32]]]:
        """Each packet's timestamp and sound; what cannot be decoded in time is dropped and counted."""
        try:
            return await self._decoder.run(lambda: self._decode(packets))
        except ProtocolError as error:
            self._tap.excess = error
            self.num_undecodable += len(packets)
            return []

    def _decode(self, packets: list[RtpPacket]) -> list[tuple[int, NDArray[np.float32]]]:
        sounds: list[tuple[int, NDArray[np.float32]]] = []
        for packet in packets:
            if not packet.payload:
                continue  # Padding alone; to the decoder it would mean the end.
            try:
                frames = self._opus.decode(av.Packet(packet.payload))
            except FFmpegError:
                self.num_undecodable += 1
                continue
            parts = [frame.to_ndarray().reshape(-1).astype(np.float32) / 32768 for frame in frames]
            if parts:
                sounds.append((packet.timestamp, np.concatenate(parts).astype(np.float32)))
        return sounds


def _new_decoder() -> av.AudioCodecContext:
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext), "Opus is sound"
    decoder.format = "s16"
    decoder.layout = "mono"
    decoder.sample_rate = RTP_HZ
    return decoder


class Camera:
    """The newest picture of a track. It is read from the start: what nobody looks at must not pile up."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.end_reason: ProtocolError | None = None
        """Why it is over before its time."""
        self._newest: av.VideoFrame | None = None
        self._has_changed = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(track))

    async def next_picture(self) -> av.VideoFrame | None:
        """A picture that has not been looked at yet; None once the track is over."""
        await self._has_changed.wait()
        if self._newest is not None:
            self._has_changed.clear()
        picture, self._newest = self._newest, None
        return picture

    def end(self, why: ProtocolError) -> None:
        """It is over before its time."""
        self.end_reason = why
        self.close()
        self._newest = None
        self._has_changed.set()

    def close(self) -> None:
        """Look no more."""
        self._watching.cancel()

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self._newest = frame
                    self._has_changed.set()
        except MediaStreamError:
            self._newest = None
            self._has_changed.set()


def to_video_frame(frame: av.VideoFrame, time_ms: float) -> VideoFrame:
    """A decoded picture as the engine takes it. Takes milliseconds: not for the event loop."""
    scale = min(1.0, MAX_FRAME_WIDTH / max(frame.width, frame.height, 1))
    width, height = max(2, int(frame.width * scale)), max(2, int(frame.height * scale))
    pixels = np.asarray(frame.to_ndarray(format="rgb24", width=width, height=height), dtype=np.uint8)
    return VideoFrame(time_ms=time_ms, pixels=pixels)
