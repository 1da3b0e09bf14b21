"""Input that is slow to decode harms whoever sent it, and nobody else: in time, and in threads."""

import asyncio
import base64
import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from microturn.errors import ProtocolError
from microturn.protocol.codec import AudioCodec
from microturn.server.ingest import AudioIngest, FrameIngest
from microturn.server.limits import Limits
from microturn.testing.clock import ManualClock
from microturn.turns.timing import IN_HZ

LIMITS = Limits(decode_within_ms=20)
CODEC = AudioCodec(encoding="audio/pcm", rate_hz=IN_HZ)


def picture(width: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, 16)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def sound(ms: int, value: int = 0) -> str:
    return base64.b64encode(np.full(IN_HZ * ms // 1000, value, "<i2").tobytes()).decode()


class Tar:
    """Holds up what sticks to it until it is let go."""

    def __init__(self) -> None:
        self.let_go, self.has_held = threading.Event(), threading.Event()
        self.held: list[str] = []
        """The threads in which something was held up."""

    def hold(self) -> None:
        self.held.append(threading.current_thread().name)
        self.has_held.set()
        self.let_go.wait()


@pytest.fixture
def tar(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tar]:
    """Pictures 13 pixels wide, and sound that is loud, are never done."""
    made = Tar()
    open_picture, decode_sound = Image.open, AudioCodec.decode

    def open_slowly(*args: object, **options: object) -> Image.Image:
        opened = open_picture(*args, **options)  # pyright: ignore[reportArgumentType]
        if opened.width == 13:
            made.hold()
        return opened

    def decode_slowly(self: AudioCodec, data: bytes) -> NDArray[np.float32]:
        samples = decode_sound(self, data)
        if samples.any():
            made.hold()
        return samples

    monkeypatch.setattr(Image, "open", open_slowly)
    monkeypatch.setattr(AudioCodec, "decode", decode_slowly)
    yield made
    made.let_go.set()


async def take_in(ingest: AudioIngest, audio_base64: str) -> None:
    await ingest.accept(audio_base64, lambda samples: None)


async def test_a_slow_picture_is_told_of_and_a_neighbours_is_seen(tar: Tar) -> None:
    slow, neighbour = FrameIngest(LIMITS), FrameIngest(Limits())
    slow_one = asyncio.create_task(slow.decode(picture(13), 0))
    await asyncio.to_thread(tar.has_held.wait)
    assert (await neighbour.decode(picture(32), 0)).pixels.shape == (16, 32, 3)
    with pytest.raises(ProtocolError, match="within 20 ms") as late:
        await slow_one
    assert (late.value.code, late.value.param) == ("decode_timeout", "image")
    assert tar.held[0].startswith("microturn-decoding")  # Not one of the threads that others share.


async def test_however_much_comes_a_slow_picture_holds_up_one_thread(tar: Tar) -> None:
    frames, clock = FrameIngest(LIMITS), ManualClock()
    for _ in range(100):
        with pytest.raises(ProtocolError) as late:
            await frames.decode(picture(13), 0)
        assert late.value.code == "decode_timeout"
        assert not frames.admits(clock.advance_ms(1_000))
    assert len(tar.held) == 1
    assert frames.num_dropped == 100
    assert frames._decoder._latest is not None
    tar.let_go.set()
    await asyncio.wrap_future(frames._decoder._latest)
    assert frames.admits(clock.advance_ms(1_000))


async def test_as_many_slow_ones_as_a_server_has_sessions_leave_a_neighbour_its_thread(tar: Tar) -> None:
    slow = [FrameIngest(LIMITS) for _ in range(32)]
    given_up = await asyncio.gather(*(each.decode(picture(13), 0) for each in slow), return_exceptions=True)
    assert all(isinstance(each, ProtocolError) for each in given_up)
    assert (await FrameIngest(Limits()).decode(picture(32), 0)).pixels.shape == (16, 32, 3)


async def test_slow_sound_is_told_of_and_a_neighbours_is_heard(tar: Tar) -> None:
    slow, neighbour = AudioIngest(CODEC, LIMITS), AudioIngest(CODEC, Limits())
    slow_one = asyncio.create_task(take_in(slow, sound(2_000, value=9_000)))
    await asyncio.to_thread(tar.has_held.wait)
    await take_in(neighbour, sound(2_000))
    assert neighbour.media_ms == 2_000
    for refused in (slow_one, take_in(slow, sound(2_000))):  # The second finds the first still at work.
        with pytest.raises(ProtocolError) as late:
            await refused
        assert (late.value.code, late.value.param) == ("decode_timeout", "audio")
    assert slow.media_ms == 0
    await take_in(slow, sound(200))  # So little needs no thread.
    assert slow.media_ms == 200


async def test_two_clients_of_one_session_wait_for_each_other() -> None:
    ingest = AudioIngest(CODEC, Limits())
    await asyncio.gather(*(take_in(ingest, sound(1_000)) for _ in range(5)))
    assert ingest.media_ms == 5_000


async def test_a_session_that_ends_does_not_wait_for_its_slow_picture(tar: Tar) -> None:
    frames = FrameIngest(Limits())
    looking = asyncio.create_task(frames.decode(picture(13), 0))
    await asyncio.to_thread(tar.has_held.wait)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert not frames.admits(0)
