"""What a WebRTC client may send: bytes a second, and pictures whose size is read before anything is decoded.

aiortc decodes whatever comes, as fast as it comes, into queues without an end, each track in a thread of its own. A
camera that goes beyond its bounds, or whose pictures are not decoded in time, loses its track and is told so; the
conversation goes on.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

from aiortc.rtcrtpreceiver import RTCRtpReceiver

from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.server.admission import UNLIMITED, Allowance, Good
from microturn.server.limits import Limits, MessageRate
from microturn.turns.timing import ns_of_ms

_MAX_UNDECODED_FRAMES = 4
"""Pictures that wait for the decoder; while it is so far behind, those up to the next key frame are dropped."""
_LEAVE_WITHIN_MS = 100
"""When a track ends, aiortc waits on the event loop for its decoder; for one that hangs, no longer than this."""
_KEY_FRAME_BYTES = 10
_START_CODE = b"\x9d\x01\x2a"


class MediaGauge:
    """Measures what one connection sends over RTP, and what all of its key and address do together."""

    def __init__(self, limits: Limits, clock: Clock, allowance: Allowance = UNLIMITED) -> None:
        self._limits = limits
        self._clock = clock
        self._allowance = allowance
        self._rate = MessageRate(limits.max_media_bytes_per_s, limits.max_media_burst_bytes)

    def excess(self, num_bytes: int) -> ProtocolError | None:
        """Take in a packet; or, where it is too much, say so."""
        now_ns = self._clock.now_ns()
        if not self._rate.admits(now_ns, num_bytes):
            return ProtocolError(
                f"more than {self._limits.max_media_bytes_per_s:.0f} bytes of sound and pictures a second: "
                "send smaller pictures, fewer, or at a lower bitrate",
                code="rate_limit_exceeded",
            )
        return self._allowance.shortage(Good.MEDIA_BYTES, now_ns, num_bytes)


def vp8_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height that a VP8 key frame says it has (RFC 6386, 9.1); None for a frame that shows what changed.

    Raises:
        ValueError: neither.
    """
    if not frame:
        raise ValueError("an empty frame")
    if frame[0] & 1:
        return None
    if len(frame) < _KEY_FRAME_BYTES or frame[3:6] != _START_CODE:
        raise ValueError("a key frame without its start code")
    return int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF


class VideoTap:
    """Stands before aiortc's buffer of pictures, and lets through what may be decoded.

    Args:
        buffer: aiortc's own, which puts packets together to frames.
        num_undecoded: How many frames wait for the decoder.
        end: Called once, with the reason, when the track is over before its time.
    """

    def __init__(
        self,
        buffer: Any,
        num_undecoded: Callable[[], int],
        gauge: MediaGauge,
        limits: Limits,
        clock: Clock,
        end: Callable[[ProtocolError], None],
    ) -> None:
        self._buffer = buffer
        self._num_undecoded = num_undecoded
        self._gauge = gauge
        self._limits = limits
        self._clock = clock
        self._end = end
        self._frame_rate = MessageRate(limits.max_video_fps, int(2 * limits.max_video_fps))
        self._needs_key_frame = True
        self._behind_ns: int | None = None
        """Since when the decoder has been as far behind as it may be."""
        self._is_over = False
        self.num_dropped = 0
        """Frames that were not decoded."""

    def add(self, packet: Any) -> tuple[bool, Any]:
        """Take an RTP packet in; returns whether a key frame is needed, and a frame to decode."""
        if self._is_over:
            return False, None
        payload: bytes = packet._data  # Set by aiortc before the packet gets here.
        if excess := self._gauge.excess(len(payload)):
            return self._end_track(excess)
        needs_key_frame, frame = self._buffer.add(packet)
        if frame is None:
            return needs_key_frame, None
        try:
            size = vp8_size(frame.data)
        except ValueError:
            return self._drop()
        if size is not None and size[0] * size[1] > self._limits.max_image_pixels:
            return self._end_track(
                ProtocolError(
                    f"the camera's track ends: pictures of {size[0]}x{size[1]} are too large, scale them to 640x480",
                    code="video_too_large",
                )
            )
        if not self._frame_rate.admits(self._clock.now_ns()):
            return self._end_track(
                ProtocolError(
                    f"the camera's track ends: more than {self._limits.max_video_fps:.0f} pictures a second, send ten",
                    code="rate_limit_exceeded",
                )
            )
        is_behind = self._num_undecoded() >= _MAX_UNDECODED_FRAMES
        if not is_behind:
            self._behind_ns = None
        elif self._is_late():
            return self._end_track(
                ProtocolError(
                    "the camera's track ends: its pictures could not be decoded within "
                    f"{self._limits.decode_within_ms} ms, send smaller ones",
                    code="decode_timeout",
                )
            )
        if is_behind or (self._needs_key_frame and size is None):
            return self._drop()
        self._needs_key_frame = False
        return needs_key_frame, frame

    def _is_late(self) -> bool:
        """Whether the decoder, which is behind, has been so for too long."""
        now_ns = self._clock.now_ns()
        if self._behind_ns is None:
            self._behind_ns = now_ns
        return now_ns - self._behind_ns > ns_of_ms(self._limits.decode_within_ms)

    def _drop(self) -> tuple[bool, None]:
        """Without this frame, those after it show nothing until the next key frame."""
        self.num_dropped += 1
        self._needs_key_frame = True
        return True, None

    def _end_track(self, why: ProtocolError) -> tuple[bool, None]:
        self._is_over = True
        self._end(why)
        return False, None


class NewestFrames(asyncio.Queue[Any]):
    """Decoded pictures on their way to who looks: the newest few, and the end."""

    async def put(self, item: Any) -> None:
        """Append one; the oldest gives way."""
        if self.full():
            self.get_nowait()
        self.put_nowait(item)


def bound_video(
    receiver: RTCRtpReceiver, gauge: MediaGauge, limits: Limits, clock: Clock, end: Callable[[ProtocolError], None]
) -> VideoTap:
    """Bound a receiver of pictures before it begins.

    aiortc has no public place for this: the names of its parts are checked, so that an update that moves them is
    noticed.
    """
    names = [
        f"_RTCRtpReceiver__{part}" for part in ("jitter_buffer", "decoder_queue", "decoder_thread", "stop_decoder")
    ]
    buffer_name, queue_name, thread_name, stop_name = names
    track: Any = receiver.track
    has_parts = all(hasattr(receiver, name) for name in names) and hasattr(track, "_queue")
    assert has_parts, "this aiortc keeps its queues elsewhere: adapt microturn.server.webrtc"
    undecoded: queue.Queue[Any] = getattr(receiver, queue_name)
    tap = VideoTap(getattr(receiver, buffer_name), undecoded.qsize, gauge, limits, clock, end)
    setattr(receiver, buffer_name, tap)
    track._queue = NewestFrames(_MAX_UNDECODED_FRAMES)

    def stop_decoder() -> None:
        thread: threading.Thread | None = getattr(receiver, thread_name)
        if thread is not None:
            undecoded.put(None)  # The end, after what waits.
            thread.join(_LEAVE_WITHIN_MS / 1000)
            setattr(receiver, thread_name, None)

    setattr(receiver, stop_name, stop_decoder)
    return tap
