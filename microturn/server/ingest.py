"""From the wire's media to the engine's: decode, mute, resample, count, and bound."""

import asyncio
import io
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec, from_base64
from microturn.server.decoding import Decoder
from microturn.server.limits import Limits
from microturn.server.resample import StreamingResampler
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN, MAX_FPS, TURN_MS, ms_of_ns
from microturn.turns.video import VideoFrame

_FIRST_CREDIT_MS = 2 * TURN_MS
"""What may pass before any time has: the first chunks, and jitter."""
_MAX_CREDIT_MS = 5_000
"""What may come in one go after a stall of at least that length."""
_PACE = 1.02
"""A little faster than real time, so that a client whose clock runs fast is never held back more and more."""
_SHORT_CHARS = 20_000
"""Base64 of a turn's sound or two, decoded on the event loop: 45 to 80 us where it was measured, on two busy cores, as
long as the hop to a thread and back would take. It is one pass over bytes, so no sound of that length takes longer."""
Heard = Callable[[NDArray[np.float32]], None]
"""Told of each piece of sound as it is taken in: (num_samples,) at the codec's rate, before any muting."""
_IMAGE_FORMATS = ("JPEG", "WEBP", "PNG")
_DRAFT_SIZE = (640, 480)


class AudioIngest:
    """The user's sound of one session: onto its media time, and on to the engine no faster than it is spoken.

    Sound that comes late passes at once, to catch up; sound that runs ahead (a file sent in one go) waits here.
    """

    def __init__(self, codec: AudioCodec, limits: Limits, first_sample: int = 0) -> None:
        self._codec = codec
        self._limits = limits
        self._resampler = StreamingResampler(codec.rate_hz, IN_HZ)
        self._decoder = Decoder(limits.decode_within_ms, "audio")
        self._num_samples = first_sample
        self._held: deque[PcmChunk] = deque()
        self._credit_ms = float(_FIRST_CREDIT_MS)
        """Sound that may pass now: grows with time, shrinks with what passes."""
        self._credited_ns: int | None = None
        self.is_muted = False

    def change_codec(self, codec: AudioCodec) -> None:
        """Sound that comes from now on is encoded differently."""
        if codec != self._codec:
            self._codec = codec
            self._resampler = StreamingResampler(codec.rate_hz, IN_HZ)

    @property
    def media_ms(self) -> float:
        """Media time at the end of the sound received so far."""
        return self._num_samples * 1000 / IN_HZ

    @property
    def held_ms(self) -> float:
        """Sound that waits for its time."""
        return sum(len(chunk.samples) for chunk in self._held) * 1000 / IN_HZ

    async def accept(self, audio_base64: str, heard: Heard) -> None:
        """Take in the sound of one message. The caller waits for it before it takes in more: order is kept.

        Raises:
            ProtocolError: not base64, half a sample, too slow to decode, or too far ahead of real time (nothing of it
                is taken in).
        """
        if len(audio_base64) <= _SHORT_CHARS:
            samples = self._decode(audio_base64)
        else:
            samples = await self._decoder.run(lambda: self._decode(audio_base64))
        await self.accept_samples(samples, heard)

    async def accept_samples(self, samples: NDArray[np.float32], heard: Heard) -> None:
        """Take in decoded sound (num_samples,) at the codec's rate, a turn's worth at a time.

        Between two pieces the event loop is free: however long a message is, others wait for one piece of it at most.

        Raises:
            ProtocolError: too far ahead of real time (nothing of it is taken in).
        """
        lead_ms = self.held_ms + len(samples) * 1000 / self._codec.rate_hz
        if lead_ms > self._limits.max_audio_lead_ms:
            raise ProtocolError(
                f"this sound runs {lead_ms:.0f} ms ahead of real time, the limit is {self._limits.max_audio_lead_ms}: "
                "send sound at the pace at which it is spoken",
                code="audio_too_fast",
                param="audio",
            )
        piece_samples = self._codec.rate_hz * TURN_MS // 1000
        for start in range(0, len(samples), piece_samples):
            if start:
                await asyncio.sleep(0)
            piece = samples[start : start + piece_samples]
            self._hold(self._resampler.push(np.zeros_like(piece) if self.is_muted else piece))
            heard(piece)

    def fill_turn(self) -> None:
        """Let a micro-turn of silence stand for sound that does not come."""
        self._hold(np.zeros(IN_SAMPLES_PER_TURN, dtype=np.float32))

    def _decode(self, audio_base64: str) -> NDArray[np.float32]:
        return self._codec.decode(from_base64(audio_base64, param="audio"))

    def _hold(self, resampled: NDArray[np.float32]) -> None:
        for start in range(0, len(resampled), IN_SAMPLES_PER_TURN):
            piece = resampled[start : start + IN_SAMPLES_PER_TURN]
            self._held.append(PcmChunk(start_sample=self._num_samples, samples=piece))
            self._num_samples += len(piece)

    def take(self, now_ns: int) -> PcmChunk | None:
        """The next chunk, if it may pass now."""
        if self._credited_ns is not None:
            self._credit_ms += ms_of_ns(now_ns - self._credited_ns) * _PACE
            self._credit_ms = min(self._credit_ms, float(_MAX_CREDIT_MS))
        self._credited_ns = now_ns
        if not self._held or self._missing_ms > 0:
            return None
        chunk = self._held.popleft()
        self._credit_ms -= len(chunk.samples) * 1000 / IN_HZ
        return chunk

    def wait_ms(self) -> float | None:
        """Time from the last ``take`` until the next chunk may pass; None when none waits."""
        return max(0.0, self._missing_ms / _PACE) if self._held else None

    @property
    def _missing_ms(self) -> float:
        """Credit that the next chunk still lacks."""
        return len(self._held[0].samples) * 1000 / IN_HZ - self._credit_ms


class FrameIngest:
    """Camera frames of one session: at most ``MAX_FPS``, what is too many is dropped and counted.

    So is what comes while a picture is still being decoded whose time is over.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._decoder = Decoder(limits.decode_within_ms, "image")
        self._admitted_ns: int | None = None
        self.num_dropped = 0

    def admits(self, now_ns: int) -> bool:
        """Whether a frame that comes now is to be decoded."""
        is_early = self._admitted_ns is not None and ms_of_ns(now_ns - self._admitted_ns) < 1000 / MAX_FPS * 0.8
        if is_early or self._decoder.is_held_up:
            self.num_dropped += 1
            return False
        self._admitted_ns = now_ns
        return True

    async def decode(self, image_base64: str, time_ms: float) -> VideoFrame:
        """The frame of a base64-encoded JPEG, WebP or PNG.

        Raises:
            ProtocolError: not base64, not such a picture, larger than the limit, or too slow to decode.
        """
        return await self.convert(lambda: self._decode(image_base64, time_ms))

    async def convert(self, make: Callable[[], VideoFrame]) -> VideoFrame:
        """The frame that a function makes in a thread.

        Raises:
            ProtocolError: it takes too long.
        """
        return await self._decoder.run(make)

    def _decode(self, image_base64: str, time_ms: float) -> VideoFrame:
        data = from_base64(image_base64, param="image")
        try:
            with Image.open(io.BytesIO(data), formats=_IMAGE_FORMATS) as image:
                # The header is read first, so that a small file cannot unfold into a huge picture.
                if image.width * image.height > self._limits.max_image_pixels:
                    raise ProtocolError(
                        f"a frame of {image.width}x{image.height} is too large: scale it down to 640x480",
                        code="invalid_image",
                        param="image",
                    )
                image.draft("RGB", _DRAFT_SIZE)  # A JPEG is decoded at a fraction of its size where that suffices.
                pixels: NDArray[np.uint8] = np.asarray(image.convert("RGB"), dtype=np.uint8)
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
            raise ProtocolError(
                "image is not a readable picture: send the bytes of a JPEG or WebP file as base64",
                code="invalid_image",
                param="image",
            ) from None
        return VideoFrame(time_ms=time_ms, pixels=pixels)
