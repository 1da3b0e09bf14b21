"""The model's voice as a WebRTC track: 20 ms at a time by the clock, silence when there is nothing to play."""

import asyncio
import fractions

import numpy as np
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

from microturn.clock import Clock
from microturn.server.resample import StreamingResampler
from microturn.server.webrtc.rtp import RTP_HZ
from microturn.turns.timing import OUT_HZ, ms_of_ns, ns_of_ms

FRAME_MS = 20
_FRAME_SAMPLES = RTP_HZ * FRAME_MS // 1000
_MAX_BEHIND_MS = 100
"""After a longer hold-up the pace starts anew, rather than with a burst."""


class VoiceTrack(MediaStreamTrack):
    """What the peer hears.

    The session's playout calls ``play`` when little is left: one micro-turn is in the buffer then, and beside it no
    more than ``playout.MAX_TRACK_AHEAD_MS``, however unevenly turns are made and however late the event loop is.
    """

    kind = "audio"

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._resampler = StreamingResampler(OUT_HZ, RTP_HZ)
        self._buffer = np.zeros(0, dtype=np.float32)
        self._num_samples = 0
        self._due_ns: int | None = None

    @property
    def buffered_ms(self) -> float:
        """Sound that has not left yet."""
        return len(self._buffer) * 1000 / RTP_HZ

    def play(self, samples: NDArray[np.float32] | None) -> None:
        """Append one micro-turn's sound (4800,) at 24 kHz; None for silence."""
        turn = np.zeros(OUT_HZ // 5, dtype=np.float32) if samples is None else samples
        self._buffer = np.concatenate([self._buffer, self._resampler.push(turn)])

    def clear(self) -> None:
        """Drop what has not left."""
        self._buffer = self._buffer[:0]

    async def recv(self) -> AudioFrame:
        """The next 20 ms, in their time."""
        now_ns = self._clock.now_ns()
        if self._due_ns is None or now_ns - self._due_ns > ns_of_ms(_MAX_BEHIND_MS):
            self._due_ns = now_ns
        await asyncio.sleep(max(0.0, ms_of_ns(self._due_ns - now_ns) / 1000))
        self._due_ns += ns_of_ms(FRAME_MS)
        sound, self._buffer = self._buffer[:_FRAME_SAMPLES], self._buffer[_FRAME_SAMPLES:]
        padded = np.pad(sound, (0, _FRAME_SAMPLES - len(sound)))
        frame = AudioFrame.from_ndarray(
            np.clip(np.rint(padded * 32767), -32768, 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = RTP_HZ
        frame.pts, frame.time_base = self._num_samples, fractions.Fraction(1, RTP_HZ)
        self._num_samples += _FRAME_SAMPLES
        return frame
