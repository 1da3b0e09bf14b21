"""One WebRTC peer: answers an SDP offer, and holds the tracks and the data channel of a session."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamTrack

from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.server.admission import UNLIMITED, Allowance
from microturn.server.limits import Limits
from microturn.server.media import Senses
from microturn.server.webrtc.bounds import MediaGauge, bound_video
from microturn.server.webrtc.data_channel import DataChannel
from microturn.server.webrtc.listening import Camera, OpusListener, tap, to_video_frame
from microturn.server.webrtc.playing import VoiceTrack
from microturn.turns.timing import ns_of_ms

MAX_SDP_CHARS = 64_000
_ANSWER_WITHIN_MS = 10_000
_TOLD_AGAIN_NS = ns_of_ms(5_000)
"""Sound that is too much is dropped packet by packet, and told of this often at most."""
_CODECS = {"audio": "audio/opus", "video": "video/VP8"}
"""All browsers have them (RFC 7874, RFC 7742). Of VP8 the size is read before it is decoded."""


class Peer:
    """The media of one session over WebRTC.

    Args:
        limits: What the client may send.
        allowance: What it shares with the other connections of its key and address.
        ice_servers: URLs of STUN and TURN servers, ``turn:user:password@host:port`` for those that need a login. None
            is asked by default: nothing leaves this network.
    """

    def __init__(
        self, clock: Clock, limits: Limits, allowance: Allowance = UNLIMITED, ice_servers: Sequence[str] = ()
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._gauge = MediaGauge(limits, clock, allowance)
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[ice_server(url) for url in ice_servers]))
        self.channel = DataChannel(allowance)
        self.voice = VoiceTrack(clock)
        self.listener: OpusListener | None = None
        self._camera: Camera | None = None
        self._num_tracks: Counter[str] = Counter()
        """Of each kind in the offer."""
        self._connection.on("datachannel", self.channel.attach)
        self._connection.on("track", self._take_track)
        self._connection.on("connectionstatechange", self._watch)

    async def answer(self, sdp: str) -> str:
        """The SDP answer, with all candidates in it.

        Raises:
            ProtocolError: an offer that cannot be used.
        """
        if len(sdp) > MAX_SDP_CHARS:
            raise _bad_offer(f"an offer of {len(sdp)} characters exceeds {MAX_SDP_CHARS}")
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_MS / 1000):
                await self._connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
                if self.listener is None:
                    raise _bad_offer("the offer sends no sound")
                if (most := max(self._num_tracks.values())) > 1:
                    raise _bad_offer(f"the offer has {most} tracks of one kind")
                self._connection.addTrack(self.voice)
                for transceiver in self._connection.getTransceivers():
                    _require_codec(transceiver)
                await self._connection.setLocalDescription(await self._connection.createAnswer())
        except ProtocolError:
            raise
        except Exception as error:  # aiortc raises what it likes on an SDP that makes no sense.
            raise _bad_offer(f"the offer cannot be answered ({type(error).__name__})") from None
        return self._connection.localDescription.sdp

    async def close(self) -> None:
        """Hang up."""
        self.channel.close()
        self.voice.stop()
        if self._camera is not None:
            self._camera.close()
        with contextlib.suppress(Exception):  # Nothing is left to save.
            await self._connection.close()

    async def listen(self, senses: Senses) -> None:
        """Hand the user's sound on, for ever."""
        assert self.listener is not None, "an offer without sound is not answered"
        told_ns: int | None = None
        while True:
            sound = await self.listener.next_sound()
            now_ns = self._clock.now_ns()
            if (excess := self.listener.take_excess()) and (told_ns is None or now_ns - told_ns > _TOLD_AGAIN_NS):
                told_ns = now_ns
                senses.object_to(excess)
            if len(sound):
                with contextlib.suppress(ProtocolError):  # Far ahead of the clock: dropped, and late afterwards.
                    await senses.hear(sound)

    async def look(self, senses: Senses) -> None:
        """Hand pictures on, no more than the model takes, for ever."""
        while self._camera is not None and (frame := await self._camera.next_picture()) is not None:
            if senses.frames.admits(self._clock.now_ns()):
                make = partial(to_video_frame, frame, senses.audio.media_ms)
                try:
                    senses.see(await senses.frames.convert(make))
                except ProtocolError as error:
                    senses.object_to(error)
        if self._camera is not None and self._camera.end_reason is not None:
            senses.object_to(self._camera.end_reason)
        await asyncio.Event().wait()  # No camera, or its end: not the end of the session.

    def _take_track(self, track: MediaStreamTrack) -> None:
        self._num_tracks[track.kind] += 1
        if track.kind == "video" and self._camera is None:
            camera = self._camera = Camera(track)
            bound_video(self._receiver_of(track), self._gauge, self._limits, self._clock, camera.end)
        elif track.kind == "audio" and self.listener is None:
            self.listener = OpusListener(tap(self._receiver_of(track), self._gauge.excess), self._clock, self._limits)

    def _receiver_of(self, track: MediaStreamTrack) -> RTCRtpReceiver:
        receivers = [each.receiver for each in self._connection.getTransceivers()]
        return next(each for each in receivers if each.track is track)

    def _watch(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self.channel.close()


def ice_server(url: str) -> RTCIceServer:
    """A server from its URL, which may carry a login."""
    scheme, _, rest = url.partition(":")
    login, at, host = rest.rpartition("@")
    user, _, password = login.partition(":")
    return RTCIceServer(urls=f"{scheme}:{host}", username=user if at else None, credential=password if at else None)


def _require_codec(transceiver: RTCRtpTransceiver) -> None:
    """Leave the one codec of a kind that is bounded here, and what repeats its packets.

    aiortc settles the codecs when it reads the offer, so that preferences given afterwards come too late.
    """
    assert hasattr(transceiver, "_codecs"), "this aiortc keeps its codecs elsewhere: adapt microturn.server.webrtc"
    settled: Any = transceiver
    codecs: list[Any] = settled._codecs
    kept = [codec for codec in codecs if codec.mimeType.lower() == _CODECS[transceiver.kind].lower()]
    if not kept:
        raise _bad_offer(f"the offer has no {_CODECS[transceiver.kind]}")
    numbers = {codec.payloadType for codec in kept}
    settled._codecs = [codec for codec in codecs if codec in kept or codec.parameters.get("apt") in numbers]


def _bad_offer(what: str) -> ProtocolError:
    return ProtocolError(
        f"{what}: offer one audio track both ways, a data channel, and at most one video track",
        code="invalid_sdp",
        param="transport.sdp",
    )
