"""One WebRTC peer: answers an SDP offer, and holds the tracks and the data channel of a session."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence

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
from microturn.server.media import Senses
from microturn.server.webrtc.data_channel import DataChannel
from microturn.server.webrtc.listening import Camera, OpusListener, tap, to_video_frame
from microturn.server.webrtc.playing import VoiceTrack

MAX_SDP_CHARS = 64_000
_ANSWER_WITHIN_MS = 10_000


class Peer:
    """The media of one session over WebRTC.

    Args:
        ice_servers: URLs of STUN and TURN servers, ``turn:user:password@host:port`` for those that need a login. None
            is asked by default: nothing leaves this network.
    """

    def __init__(self, clock: Clock, ice_servers: Sequence[str] = ()) -> None:
        self._clock = clock
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[ice_server(url) for url in ice_servers]))
        self.channel = DataChannel()
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
                    _prefer_opus(transceiver)
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
        while True:
            sound = await self.listener.next_sound()
            if len(sound):
                with contextlib.suppress(ProtocolError):  # Far ahead of the clock: dropped, and late afterwards.
                    await senses.hear(sound)

    async def look(self, senses: Senses) -> None:
        """Hand pictures on, no more than the model takes, for ever."""
        while self._camera is not None and (frame := await self._camera.next_picture()) is not None:
            if senses.frames.admits(self._clock.now_ns()):
                senses.see(await asyncio.to_thread(to_video_frame, frame, senses.audio.media_ms))
        await asyncio.Event().wait()  # No camera, or its end: not the end of the session.

    def _take_track(self, track: MediaStreamTrack) -> None:
        self._num_tracks[track.kind] += 1
        if track.kind == "video" and self._camera is None:
            self._camera = Camera(track)
        elif track.kind == "audio" and self.listener is None:
            receivers = [each.receiver for each in self._connection.getTransceivers()]
            receiver = next(each for each in receivers if each.track is track)
            self.listener = OpusListener(tap(receiver), self._clock)

    def _watch(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self.channel.close()


def ice_server(url: str) -> RTCIceServer:
    """A server from its URL, which may carry a login."""
    scheme, _, rest = url.partition(":")
    login, at, host = rest.rpartition("@")
    user, _, password = login.partition(":")
    return RTCIceServer(urls=f"{scheme}:{host}", username=user if at else None, credential=password if at else None)


def _prefer_opus(transceiver: RTCRtpTransceiver) -> None:
    if transceiver.kind == "audio":
        known = RTCRtpReceiver.getCapabilities("audio")
        assert known is not None, "aiortc knows Opus"
        transceiver.setCodecPreferences([codec for codec in known.codecs if codec.mimeType == "audio/opus"])


def _bad_offer(what: str) -> ProtocolError:
    return ProtocolError(
        f"{what}: offer one audio track both ways, a data channel, and at most one video track",
        code="invalid_sdp",
        param="transport.sdp",
    )
