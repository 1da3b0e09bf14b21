"""Two ways to a server, each through a relay that makes a bad network: WebSocket over TCP, WebRTC over UDP."""

import asyncio
import fractions
import json
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from openai import APIStatusError, AsyncOpenAI, OpenAIError
from openai.types.live import OutputAudioDeltaEvent

from microturn.client import connect, samples_of
from microturn.client.live_client import WIRE_HZ, LiveClient
from microturn.clock import SystemClock
from microturn.errors import CapacityError, MicroturnError
from microturn.network_bench.microphone import Earphone, Microphone
from microturn.testing.impairment import Impairment, Link, impaired_tcp, impaired_udp

if TYPE_CHECKING:
    from microturn.server.webrtc.listening import OpusListener

_CHUNK_S = 0.04
_TRACK_HZ = 16_000
_FRAME_SAMPLES = _TRACK_HZ // 50
_CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host.*\r\n", re.IGNORECASE)
_NOWHERE = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A session over a network that can be made bad."""

    microphone: Microphone
    earphone: Earphone
    link: Link


@asynccontextmanager
async def websocket_line(url: str, key: str | None) -> AsyncGenerator[Line]:
    """A session by our own client, which comes back by itself when it is cut off. ``url`` is ``http://HOST:PORT/``."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    microphone, earphone = Microphone(WIRE_HZ), Earphone()
    async with (
        impaired_tcp(host, port, Impairment()) as link,
        connect(f"http://127.0.0.1:{link.port}", key=key) as session,
        _going_on(_send(session, microphone), _receive(session, earphone)),
    ):
        yield Line(microphone=microphone, earphone=earphone, link=link)


async def _send(session: LiveClient, microphone: Microphone) -> None:
    due_s = time.monotonic()
    while True:
        await session.send_audio(microphone.take(round(_CHUNK_S * WIRE_HZ)))
        due_s += _CHUNK_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


async def _receive(session: LiveClient, earphone: Earphone) -> None:
    async for event in session:
        if isinstance(event, OutputAudioDeltaEvent):
            earphone.hear(samples_of(event))
        elif event.type == "session.output_transcript.delta":
            earphone.read(event.delta)
        elif event.type == "session.input_transcript.delta":
            earphone.transcribe(event.delta)


@asynccontextmanager
async def webrtc_line(url: str, key: str | None) -> AsyncGenerator[Line]:
    """A session by aiortc. Its media have one way to go, through the relay: both sides know no other address.

    It hears packets as they come: aiortc's own jitter buffer would add what it has grown to, which no browser's does.

    Raises:
        MicroturnError: the server takes no such call.
    """
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

    from microturn.server.limits import Limits
    from microturn.server.webrtc.listening import OpusListener, tap

    microphone, earphone = Microphone(_TRACK_HZ), Earphone()
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("oai-events")
    started = asyncio.Event()
    channel.on("message", lambda text: _take_event(text, earphone, started))
    peer.addTrack(_track(microphone))
    listener = OpusListener(tap(peer.getTransceivers()[0].receiver), SystemClock(), Limits())
    try:
        await peer.setLocalDescription(await peer.createOffer())
        answer = await _called(url, key, _CANDIDATE.sub(_NOWHERE, peer.localDescription.sdp))
        host, port = next((found[1], int(found[2])) for found in _CANDIDATE.finditer(answer) if "." in found[1])
        async with impaired_udp(host, port, Impairment(), local_host=host) as link:
            by_relay = f"a=candidate:1 1 udp 2130706431 {host} {link.port} typ host\r\n"
            parts = _CANDIDATE.split(answer)
            only = parts[0] + by_relay + "".join(parts[3::3])
            await peer.setRemoteDescription(RTCSessionDescription(sdp=only, type="answer"))
            async with asyncio.timeout(20):
                await started.wait()
            async with _going_on(_listen(listener, earphone)):
                yield Line(microphone=microphone, earphone=earphone, link=link)
    finally:
        await peer.close()


async def _called(url: str, key: str | None, offer: str) -> str:
    client = AsyncOpenAI(base_url=url.rstrip("/") + "/v1", api_key=key or "none", max_retries=0)
    try:
        created = await client.live.create(session={"model": "nano"}, transport={"type": "webrtc", "sdp": offer})
    except APIStatusError as error:
        if error.status_code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            raise CapacityError(f"{url} has no room for a call: end other sessions") from None
        raise MicroturnError(f"{url} took no call ({error})") from None
    except OpenAIError as error:
        raise MicroturnError(f"{url} took no call ({error}): is 'microturn serve' running there?") from None
    return created.transport.sdp


def _take_event(text: str, earphone: Earphone, started: asyncio.Event) -> None:
    event = json.loads(text)
    if event["type"] == "session.started":
        started.set()
    elif event["type"] == "session.output_transcript.delta":
        earphone.read(event["delta"])
    elif event["type"] == "session.input_transcript.delta":
        earphone.transcribe(event["delta"])


async def _listen(listener: "OpusListener", earphone: Earphone) -> None:
    while True:
        earphone.hear(await listener.next_sound())


def _track(microphone: Microphone) -> Any:
    """What the microphone takes in, as a track of aiortc: frames of 20 ms in their time."""
    import av
    from aiortc.mediastreams import AudioStreamTrack

    class Track(AudioStreamTrack):
        """16 kHz mono."""

        def __init__(self) -> None:
            super().__init__()
            self._start_s = 0.0
            self._num_sent = 0

        async def recv(self) -> av.AudioFrame:
            now_s = time.monotonic()
            self._start_s = self._start_s or now_s
            await asyncio.sleep(max(0.0, self._start_s + self._num_sent / _TRACK_HZ - now_s))
            samples = np.clip(np.rint(microphone.take(_FRAME_SAMPLES) * 32_768), -32_768, 32_767)
            frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
            frame.pts, frame.sample_rate = self._num_sent, _TRACK_HZ
            frame.time_base = fractions.Fraction(1, _TRACK_HZ)
            self._num_sent += _FRAME_SAMPLES
            return frame

    return Track()


@asynccontextmanager
async def _going_on(*work: Any) -> AsyncGenerator[None]:
    """Keep work going meanwhile. If it fails, so does what waits for it."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each) for each in work]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def is_webrtc_there() -> bool:
    """Whether aiortc is installed."""
    return find_spec("aiortc") is not None
