"""The wire's audio encodings: raw mono PCM16, G.711 mu-law and A-law, each to and from samples in [-1, 1].

G.711 follows ITU-T G.711 (11/88): sign, three bits of segment, four bits of mantissa; decoding is a table of 256 values
and encoding a table over all 16-bit inputs, both made once from the definition.
"""

import base64
import binascii
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from openai.types.live.audio_format import AudioFormat, AudioPCM

from microturn.errors import ProtocolError

G711_HZ = 8_000
_PCM16_SCALE = 32_768.0
_MU_BIAS = 33
"""mu-law works on 14-bit magnitudes with this bias added."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioCodec:
    """One encoding at one rate, for both directions of a session."""

    encoding: str
    """``audio/pcm``, ``audio/pcmu`` or ``audio/pcma``."""
    rate_hz: int

    @property
    def bytes_per_sample(self) -> int:
        return 2 if self.encoding == "audio/pcm" else 1

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Samples (num_samples,) in [-1, 1] of raw bytes.

        Raises:
            ProtocolError: half a sample at the end.
        """
        if len(data) % self.bytes_per_sample:
            raise ProtocolError(
                f"{len(data)} bytes are not a whole number of 16-bit samples: split audio between samples",
                code="invalid_audio",
                param="audio",
            )
        if self.encoding == "audio/pcm":
            return (np.frombuffer(data, dtype="<i2") / _PCM16_SCALE).astype(np.float32)
        return _decode_table(self.encoding)[np.frombuffer(data, dtype=np.uint8)]

    def encode(self, samples: NDArray[np.float32]) -> bytes:
        """Raw bytes of samples (num_samples,); what lies outside [-1, 1] is clipped."""
        scaled = np.clip(np.round(samples * _PCM16_SCALE), -32_768, 32_767).astype("<i2")
        if self.encoding == "audio/pcm":
            return scaled.tobytes()
        return _encode_table(self.encoding)[scaled.astype(np.int32) + 32_768].tobytes()


def codec_of(audio_format: AudioFormat | None) -> AudioCodec:
    """The codec for ``session.audio.format``; PCM16 at 24 kHz when it was left out.

    Raises:
        ProtocolError: G.711 at a rate other than its own.
    """
    if audio_format is None:
        return AudioCodec(encoding="audio/pcm", rate_hz=24_000)
    if not isinstance(audio_format, AudioPCM) and audio_format.rate != G711_HZ:
        raise ProtocolError(
            f"{audio_format.type} at {audio_format.rate} Hz does not exist: set rate to {G711_HZ}",
            code="invalid_value",
            param="session.audio.format.rate",
        )
    return AudioCodec(encoding=audio_format.type, rate_hz=audio_format.rate)


def from_base64(text: str, *, param: str) -> bytes:
    """Bytes of a base64 field.

    Raises:
        ProtocolError: not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError(
            f"{param} is not base64: encode the raw bytes with the standard alphabet and padding",
            code="invalid_base64",
            param=param,
        ) from None


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@cache
def _decode_table(encoding: str) -> NDArray[np.float32]:
    """Samples in [-1, 1] for the 256 codes, (256,)."""
    code = np.arange(256)
    if encoding == "audio/pcmu":
        inverted = ~code & 0xFF
        segment, mantissa = (inverted >> 4) & 7, inverted & 15
        magnitude = (((2 * mantissa + _MU_BIAS) << segment) - _MU_BIAS) * 4
        negative = (inverted & 0x80) != 0
    else:
        toggled = code ^ 0x55
        segment, mantissa = (toggled >> 4) & 7, toggled & 15
        magnitude = np.where(segment == 0, (2 * mantissa + 1) << 3, (2 * mantissa + 33) << (np.maximum(segment, 1) + 2))
        negative = (toggled & 0x80) == 0
    return (np.where(negative, -magnitude, magnitude) / _PCM16_SCALE).astype(np.float32)


@cache
def _encode_table(encoding: str) -> NDArray[np.uint8]:
    """The code with the nearest decoded value for every 16-bit sample, (65536,), -32768 first."""
    values = _decode_table(encoding).astype(np.float64) * _PCM16_SCALE
    order = np.argsort(values, kind="stable")
    boundaries = (values[order][1:] + values[order][:-1]) / 2
    nearest = np.searchsorted(boundaries, np.arange(-32_768, 32_768))
    return order[nearest].astype(np.uint8)
