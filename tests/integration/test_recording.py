"""`microturn serve --record` as a process of its own: what a client said and heard is there as a film, and replays."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from process_harness import PROGRAM, WITHIN_S, save_tiny, served
from server_harness import message, receive_until
from websockets.asyncio.client import ClientConnection, connect

pytestmark = pytest.mark.slow
NUM_TURNS = 20
DISCLOSURE = "stop hello"
TONE = (9_000 * np.sin(np.arange(4_800) / 8)).astype("<i2").tobytes()


@asynccontextmanager
async def conversation(url: str) -> AsyncGenerator[ClientConnection]:
    """A session in which both sides are heard and the user types."""
    async with connect(url, max_size=None) as socket:
        await socket.send(message("session.start", session={"model": "tiny"}))
        await socket.send(message("microturn.extensions.enable", turns=False, jobs=False))
        await receive_until(socket, "microturn.extensions.enabled")
        await socket.send(message("microturn.text", text="count to three"))
        for _ in range(NUM_TURNS):
            await socket.send(message("session.input_audio.append", audio=base64.b64encode(TONE).decode()))
            await receive_until(socket, "session.output_audio.delta")
        yield socket


async def filmed(record: Path, process: asyncio.subprocess.Process) -> Path:
    """The micro-turns of the one session, which take their place once the film has, while the server runs."""
    while (lines := turns_in(record)) is None:
        assert process.returncode is None
        await asyncio.sleep(0.05)
    return lines


def turns_in(record: Path) -> Path | None:
    return next(record.glob("session_*.jsonl"), None)


def level(path: Path, stream: int) -> float:
    """Loudest sample of a sound track."""
    with av.open(str(path)) as film:
        return max(float(np.abs(frame.to_ndarray()).max()) for frame in film.decode(audio=stream))


def captions(path: Path) -> list[str]:
    with av.open(str(path)) as film:
        return [bytes(packet).decode() for packet in film.demux(film.streams.subtitles[0]) if packet.size]


async def test_a_session_that_its_client_closed_is_a_film_while_the_server_goes_on_and_replays(tmp_path: Path) -> None:
    model, record, out = save_tiny(tmp_path / "tiny"), tmp_path / "record", tmp_path / "out"
    options = {"--model": model, "--record": record, "--background": "client", "--disclosure": DISCLOSURE}
    async with asyncio.timeout(WITHIN_S), served(options) as (process, url):
        async with conversation(url) as socket:
            await socket.send(message("session.close"))
            await receive_until(socket, "session.closed")
        lines = await filmed(record, process)
        process.terminate()
        assert await process.wait() == 0
    film = lines.with_suffix(".mkv")
    with av.open(str(film)) as container:
        assert [stream.metadata["title"] for stream in container.streams.audio] == ["conversation", "user", "model"]
    assert min(level(film, stream) for stream in range(3)) > 0.01
    told = captions(film)
    assert "user, typed: count to three" in told
    assert any(line.startswith("model: stop") for line in told)
    turns = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [each["index"] for each in turns] == list(range(len(turns)))
    assert len(turns) >= NUM_TURNS
    assert "".join(each["say"] for each in turns).strip().startswith(DISCLOSURE)
    replay = ["replay", lines.stem, "--record", str(record), "--model", str(model), "--out", str(out)]
    # In a process of its own, as the recording was: what else ran in this one decides how products are rounded.
    done = await asyncio.create_subprocess_exec(
        sys.executable, *("-c", PROGRAM), *replay, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told_of_replay = " ".join((await done.communicate())[0].decode().split())
    assert done.returncode == 0, told_of_replay
    assert f"{len(turns)} micro-turns, 0 deviations" in told_of_replay
    assert captions(out / "recorded.mkv") == told


async def test_what_a_killed_server_leaves_is_a_film_once_it_is_back(tmp_path: Path) -> None:
    model, record = save_tiny(tmp_path / "tiny"), tmp_path / "record"
    options = {"--model": model, "--record": record, "--background": "client"}
    async with asyncio.timeout(WITHIN_S), served(options) as (process, url), conversation(url):
        process.kill()
        await process.wait()
    assert turns_in(record) is None
    async with asyncio.timeout(WITHIN_S), served(options) as (process, _):
        lines = await filmed(record, process)
    assert len(lines.read_text().splitlines()) >= NUM_TURNS
    assert "user, typed: count to three" in captions(lines.with_suffix(".mkv"))
