"""A real aiortc peer: the client's side of WebRTC, with a tone for a microphone."""

import asyncio
import fractions
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np
import pytest
from server_harness import RunningServer

pytest.importorskip("aiortc")
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack


class Tone(AudioStreamTrack):
    """440 Hz, as a microphone would deliver it."""

    async def recv(self) -> av.AudioFrame:
        frame = await super().recv()
        time = np.arange(frame.pts, frame.pts + frame.samples) / frame.sample_rate
        sound = av.AudioFrame.from_ndarray(
            (12_000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)[None], format="s16", layout="mono"
        )
        sound.pts, sound.sample_rate = frame.pts, frame.sample_rate
        sound.time_base = fractions.Fraction(1, frame.sample_rate)
        return sound


class Red(VideoStreamTrack):
    """A red picture, thirty times a second."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), (200, 30, 30), np.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Giant(VideoStreamTrack):
    """A picture larger than any that is taken."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.zeros((1_280, 2_048, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Caller:
    """The client's side."""

    def __init__(self, tracks: list[MediaStreamTrack]) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.channel = self.connection.createDataChannel("oai-events")
        self.channel.on("message", lambda text: self.events.put_nowait(json.loads(text)))
        self.voice: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        self.connection.on("track", self.voice.put_nowait)
        for track in tracks:
            self.connection.addTrack(track)

    async def offer(self) -> str:
        """The SDP offer."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Take the SDP answer."""
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))

    async def call(self, server: RunningServer, **session: Any) -> str:
        """Begin a session of GPT-Live; returns its id."""
        created = await server.client().live.create(
            session={"model": "nano", "instructions": "Be kind.", **session},
            transport={"type": "webrtc", "sdp": await self.offer()},
        )
        await self.accept(created.transport.sdp)
        return created.session.id

    async def until(self, kind: str) -> dict[str, Any]:
        while (event := await self.events.get())["type"] != kind:
            pass
        return event


@asynccontextmanager
async def call(server: RunningServer, *tracks: MediaStreamTrack) -> AsyncIterator[Caller]:
    caller = Caller(list(tracks))
    try:
        yield caller
    finally:
        await caller.connection.close()
