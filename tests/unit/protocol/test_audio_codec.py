"""PCM16 and G.711, against an independent implementation."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec, from_base64, to_base64

PCM = AudioCodec(encoding="audio/pcm", rate_hz=24_000)


def ffmpeg_decoded(name: str, data: bytes) -> np.ndarray:
    context = av.CodecContext.create(name, "r")
    context.sample_rate, context.layout = 8_000, "mono"
    frames = context.decode(av.Packet(data))
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]) / 32_768


@pytest.mark.parametrize(("encoding", "name"), [("audio/pcmu", "pcm_mulaw"), ("audio/pcma", "pcm_alaw")])
def test_g711_decodes_every_code_as_ffmpeg_does(encoding: str, name: str) -> None:
    codes = bytes(range(256))
    ours = AudioCodec(encoding=encoding, rate_hz=8_000).decode(codes)
    np.testing.assert_allclose(ours, ffmpeg_decoded(name, codes), atol=1e-6)


@pytest.mark.parametrize("encoding", ["audio/pcmu", "audio/pcma"])
def test_g711_codes_survive_a_round_trip(encoding: str) -> None:
    codec = AudioCodec(encoding=encoding, rate_hz=8_000)
    values = codec.decode(bytes(range(256)))
    np.testing.assert_array_equal(codec.decode(codec.encode(values)), values)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(arrays(np.float32, st.integers(0, 300), elements=st.floats(-1, 1, width=32)))
def test_pcm_is_exact_to_half_a_step(samples: np.ndarray) -> None:
    np.testing.assert_allclose(PCM.decode(PCM.encode(samples)), samples, atol=1.01 / 32_768)


def test_what_is_too_loud_is_clipped() -> None:
    assert PCM.encode(np.array([2.0, -2.0], dtype=np.float32)) == b"\xff\x7f\x00\x80"


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.binary())
def test_base64_round_trip(data: bytes) -> None:
    assert from_base64(to_base64(data), param="audio") == data


@pytest.mark.parametrize("text", ["é", "A", "AA", "AAA", "A A=", "====", "-_-_"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="base64"):
        from_base64(text, param="audio")
