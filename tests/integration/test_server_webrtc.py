"""A real aiortc peer on this machine's own network holds a session: sound both ways, pictures, events, bad offers."""

import asyncio
import fractions
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import httpx
import numpy as np
import pytest
from server_harness import RunningServer, WatchedEngine, message, running_server, says

from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput

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

    async def call(self, server: RunningServer) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        created = await server.client().live.create(
            session={"model": "nano", "instructions": "Be kind."},
            transport={"type": "webrtc", "sdp": self.connection.localDescription.sdp},
        )
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=created.transport.sdp, type="answer"))
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


def hears_and_sees(turn: MicroTurnInput) -> MicroTurnOutput:
    words = " tone" if np.abs(turn.audio).max() > 0.1 else ""
    sight = " red" if turn.frames and turn.frames[0].pixels[..., 0].mean() > 120 else ""
    return says(turn.index, " hello", hear=words + sight)


async def test_sound_pictures_and_events_both_ways() -> None:
    async with running_server(WatchedEngine(hears_and_sees)) as server, call(server, Tone(), Red()) as caller:
        session_id = await caller.call(server)
        started = await caller.until("session.started")
        assert started["session"]["id"] == session_id
        heard = ""
        while not ("tone" in heard and "red" in heard):
            heard += (await caller.until("session.input_transcript.delta"))["delta"]
        assert (await caller.until("session.output_transcript.delta"))["delta"] == " hello"
        voice = await caller.voice.get()
        while np.abs((await voice.recv()).to_ndarray()).max() < 3_000:
            pass
        caller.channel.send(message("session.input_audio.append", audio="AAAA", event_id="no"))
        assert (await caller.until("error"))["error"]["code"] == "unsupported"
        caller.channel.send(message("session.close", event_id="bye"))
        assert (await caller.until("session.closed"))["client_event_id"] == "bye"
        assert await server.engine.closed.get() is server.engine.sessions[0]
    assert (
        server.engine.sessions[0].inputs[0].events[0].text == "Be kind."
        if server.engine.sessions[0].inputs[0].events
        else True
    )


async def test_a_peer_that_hangs_up_frees_its_slot() -> None:
    async with running_server(WatchedEngine()) as server, call(server, Tone()) as caller:
        await caller.call(server)
        await caller.until("session.started")
        await caller.connection.close()
        assert await server.engine.closed.get() is server.engine.sessions[0]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("garbage", 400, "invalid_value"),
        ("{}", 400, "invalid_value"),
        ('{"session": {"model": "nano"}, "transport": {"type": "webrtc", "sdp": "nonsense"}}', 400, "invalid_sdp"),
        ('{"session": {"model": "nano"}, "transport": {"type": "webrtc", "sdp": ""}}', 400, "invalid_sdp"),
        ("x" * 1_100_000, 413, "request_too_large"),
    ],
)
async def test_a_bad_offer_is_answered(body: str, status: int, code: str) -> None:
    async with running_server() as server, httpx.AsyncClient(base_url=server.url) as browser:
        answer = await browser.post("v1/live/sessions", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert not server.engine.sessions
