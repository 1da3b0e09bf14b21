"""Plays a file to a session: its sound, and its pictures where it has any."""

import asyncio
import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from microturn.client.live_client import WIRE_HZ, LiveClient
from microturn.client.pacing import Pace, send_paced, send_silence
from microturn.media.reading import open_recording
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_HZ
from microturn.turns.video import VideoFrame

_LONGEST_SIDE = 320
_JPEG_QUALITY = 80


async def send_recording(
    session: LiveClient, path: Path, *, silence_after_ms: float = 5_000, pace: Pace | None = None
) -> None:
    """Play a recording in real time, then silence in which the model can finish.

    Raises:
        MediaError: a file that cannot be used; nothing has been sent then.
    """
    recording = await asyncio.to_thread(open_recording, path)
    pace = pace or Pace()
    upwards = _Upsampler()
    media = recording.media()
    while (medium := await asyncio.to_thread(next, media, None)) is not None:  # decoding is not for the event loop
        if isinstance(medium, VideoFrame):
            await session.send_frame(await asyncio.to_thread(_jpeg, medium))
        else:
            await send_paced(session, upwards.push(medium), pace=pace)
    await send_silence(session, silence_after_ms, pace=pace)


class _Upsampler:
    """Brings the recording's sound, read at the model's rate, to the wire's."""

    def __init__(self) -> None:
        self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=WIRE_HZ)

    def push(self, chunk: PcmChunk) -> Iterator[NDArray[np.float32]]:
        frame = av.AudioFrame.from_ndarray(chunk.samples[None], format="fltp", layout="mono")
        frame.sample_rate = IN_HZ
        frame.pts, frame.time_base = chunk.start_sample, Fraction(1, IN_HZ)
        for out in self._resampler.resample(frame):
            yield out.to_ndarray()[0].astype(np.float32)


def _jpeg(frame: VideoFrame) -> bytes:
    image = Image.fromarray(frame.pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=_JPEG_QUALITY)
    return data.getvalue()
