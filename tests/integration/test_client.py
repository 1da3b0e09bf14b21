"""The Python client against a real server: it holds a session, comes back to it, and says what went wrong."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from server_harness import TONE, RunningServer, WatchedEngine, running_server, says

from microturn.client import connect, samples_of, send_recording
from microturn.client.pacing import Pace, send_silence
from microturn.client.talk import talk
from microturn.errors import MicroturnError, SessionClosedError
from microturn.protocol.live import ServerEvent
from microturn.server.eagerness import RESTRAINT
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import OUT_HZ
from microturn.turns.trace import TurnTrace

SILENT_TURN = np.zeros(OUT_HZ // 5, np.float32)


def echo(turn: MicroTurnInput) -> MicroTurnOutput:
    """Says back what was typed."""
    return says(turn.index, "".join(event.text for event in turn.events))


async def unhurried(seconds: float) -> None:
    """In place of the pace of real time."""
    await asyncio.sleep(0)


class Relay:
    """Bytes to a server and back, until it is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self.num_connections = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except OSError:
            pass
        writer.close()


@asynccontextmanager
async def relay_to(server: RunningServer) -> AsyncIterator[tuple[Relay, str]]:
    relay = Relay(int(server.url.rstrip("/").rpartition(":")[2]))
    listener = await asyncio.start_server(relay.carry, "127.0.0.1", 0)
    yield relay, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    relay.cut()
    listener.close()


async def test_it_holds_a_session() -> None:
    async with running_server(WatchedEngine(echo)) as server, connect(server.url) as session:
        assert session.resource is not None
        assert not session.resource.store
        await session.send_text("good morning")
        await session.send_audio(SILENT_TURN)
        seen: list[ServerEvent] = []
        async for event in session:
            seen.append(event)
            if event.type == "session.output_transcript.delta":
                await session.close()
    words = [event.delta for event in seen if event.type == "session.output_transcript.delta"]
    sound = [samples_of(event) for event in seen if event.type == "session.output_audio.delta"]
    assert words == ["good morning"]
    assert np.abs(sound[0] - TONE).max() < 1e-3
    assert any(event.type == "microturn.turn" and event.index == 0 for event in seen)
    assert seen[-1].type == "session.closed"


async def test_how_readily_it_speaks_is_said_at_any_time() -> None:
    async with running_server(WatchedEngine(echo)) as server, connect(server.url, eagerness="low") as session:
        heard: list[float] = []
        for eagerness in (None, "high", "auto"):
            if eagerness:
                await session.set_eagerness(eagerness)
            await session.send_audio(SILENT_TURN)
            async for event in session:
                if event.type == "microturn.turn":
                    break
            heard.append(server.engine.sessions[0].restraint)
    assert heard == [RESTRAINT["low"], RESTRAINT["high"], RESTRAINT["auto"]]
    assert len(set(heard)) == 3


async def test_a_lost_connection_comes_back_to_the_same_session_still_muted() -> None:
    async with (
        running_server(WatchedEngine(echo)) as server,
        relay_to(server) as (relay, url),
        connect(url, retry_after_ms=(0, 50, 100)) as session,
    ):
        await session.mute()
        await session.set_eagerness("high")
        await session.send_audio(SILENT_TURN)
        indices: list[int] = []
        async for event in session:
            if event.type != "microturn.turn":
                continue
            indices.append(event.index)
            if len(indices) == 1:
                relay.cut()
                await server.engine.parked.get()
                server.engine.sessions[0].restrain(0.0)  # as a server does that goes on from the journal
                sending = asyncio.create_task(_send_until_heard(session, server))
            elif len(indices) == 2:
                await session.close()
        await sending
        assert relay.num_connections == 2
        (scripted,) = server.engine.sessions
        assert [turn.index for turn in scripted.inputs[:2]] == [0, 1]
        assert not scripted.inputs[1].audio.any()
        assert scripted.restraint == RESTRAINT["high"]


async def _send_until_heard(session, server: RunningServer) -> None:
    """While the connection is away what is sent is dropped: go on as a microphone does."""
    while len(server.engine.sessions[0].inputs) < 2:
        await session.send_audio(np.full_like(SILENT_TURN, 0.5))
        await asyncio.sleep(0.01)


async def test_closed_while_the_connection_is_away_it_ends_once_it_is_back() -> None:
    async with (
        running_server(WatchedEngine(echo)) as server,
        relay_to(server) as (relay, url),
        connect(url, retry_after_ms=(300, 300)) as session,
    ):
        await session.send_audio(SILENT_TURN)
        kinds: list[str] = []
        async for event in session:
            kinds.append(event.type)
            if event.type == "microturn.turn":
                relay.cut()
                await server.engine.parked.get()
                closing = asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(session.close()))
        closing.cancel()
        assert kinds[-1] == "session.closed"
        assert relay.num_connections == 2


async def test_without_retries_a_lost_connection_is_an_error() -> None:
    async with (
        running_server() as server,
        relay_to(server) as (relay, url),
        connect(url, retry_after_ms=()) as session,
    ):
        relay.cut()
        with pytest.raises(SessionClosedError, match="lost"):
            async for _ in session:
                pass


async def test_a_wrong_key_and_an_absent_server_are_said_in_words() -> None:
    async with running_server(key="right") as server:
        with pytest.raises(MicroturnError, match=r"401.*key"):
            async with connect(server.url.partition("#")[0], key="wrong"):
                pass
        async with connect(server.url) as session:  # the address carries the key, as the server printed it
            await session.close()
    with pytest.raises(MicroturnError, match="microturn serve"):
        async with connect(server.url):
            pass


async def test_a_file_is_played_with_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / "talk.mkv"
    write_recording(path)
    async with running_server(WatchedEngine(echo)) as server, connect(server.url) as session:
        sending = asyncio.create_task(send_recording(session, path, silence_after_ms=400, pace=Pace(sleep_s=unhurried)))
        async for event in session:
            if event.type == "microturn.turn" and event.index == 4:
                await session.close()
        await sending
        (scripted,) = server.engine.sessions
    heard = np.concatenate([turn.audio for turn in scripted.inputs])[:12_000]
    assert np.abs(np.fft.rfft(heard)).argmax() * 16_000 / len(heard) == pytest.approx(440, abs=3)
    assert any(turn.frames for turn in scripted.inputs)


async def test_talk_keeps_what_was_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, reply = tmp_path / "talk.mkv", tmp_path / "reply.wav"
    write_recording(path)
    spoken = WatchedEngine(lambda turn: says(turn.index, " hello" if turn.index == 1 else ""))
    async with running_server(spoken) as server:
        options = {"key": None, "cert": None, "input_device": None, "output_device": None}
        await asyncio.to_thread(talk, server.url, file=path, out=reply, **options)
    assert "hello" in capsys.readouterr().out
    with av.open(str(reply)) as container:
        assert container.duration > av.time_base  # more than a second


async def test_talk_tells_of_every_step_of_overload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "talk.mkv"
    write_recording(path)
    rungs = [0, 1, 0]
    busy = WatchedEngine(trace=lambda index: TurnTrace(index=index, overload_rung=rungs[min(index, 2)]))
    async with running_server(busy) as server:
        options = {"key": None, "cert": None, "input_device": None, "output_device": None}
        await asyncio.to_thread(talk, server.url, file=path, out=None, **options)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("overload: ")]
    assert [line.split(": ")[1] for line in told] == ["step 1 of 4", "over"]


def write_recording(path: Path) -> None:
    """One second of a tone, with two pictures."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        film = container.add_stream("mjpeg", rate=10)
        film.width, film.height, film.pix_fmt = 160, 120, "yuvj420p"
        tone = (9_000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8), format="rgb24")
            container.mux(film.encode(picture.reformat(format="yuvj420p")))
        container.mux([*film.encode(None), *sound.encode(frame), *sound.encode(None)])


async def test_silence_lets_time_pass() -> None:
    async with running_server() as server, connect(server.url) as session:
        await send_silence(session, 1_000, pace=Pace(sleep_s=unhurried))
        async for event in session:
            if event.type == "microturn.turn" and event.index == 3:
                await session.close()
    assert session.num_dropped_events == 0


@pytest.mark.parametrize("page", ["README.md", "docs/clients.md"])
async def test_the_example_in_the_documentation_runs(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / page).read_text()
    example = text.partition("```python\n")[2].partition("```")[0]
    question = tmp_path / "question.mkv"
    write_recording(question)
    spoken = WatchedEngine(lambda turn: says(turn.index, " hello" if turn.index == 1 else ""))
    async with running_server(spoken) as server:
        program = re.sub(r"examples/interruption\.ogg|question\.wav", str(question), example)
        program = program.replace("http://127.0.0.1:8710", server.url)
        await asyncio.to_thread(exec, compile(program, page, "exec"), {})
    assert "said:  hello" in capsys.readouterr().out
