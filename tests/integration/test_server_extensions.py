"""Our opt-in events, and what stays as it is without them."""

import json
import logging
import re
from collections.abc import Callable, Sequence

import httpx
import pytest
from server_harness import (
    WatchedEngine,
    message,
    raw_session,
    receive,
    receive_until,
    running_server,
    says,
    send_turns,
    sound,
)
from websockets.asyncio.client import connect

from microturn.engine.engine import Engine
from microturn.engine.ladder import Budget
from microturn.engine.step import RowIn, RowOut
from microturn.errors import MicroturnError
from microturn.server.log import JsonLines
from microturn.server.serve import Listening, serve
from microturn.testing.scripted_engine import ScriptedEngine, script
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind, Role
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

NAMED_ONLY = r"https://(marked\.js\.org|github\.com/markedjs/marked)"
"""Addresses that a library's licence and message name, and that nothing asks for."""


async def test_turn_events_follow_and_silence_is_left_out() -> None:
    piece = Piece(kind=PieceKind.TEXT, text="a note")
    outputs = [
        MicroTurnOutput(index=0, hear=" go"),
        says(1, " one"),
        MicroTurnOutput(index=2, is_clear=True, pieces=(piece,)),
    ]
    async with running_server(WatchedEngine(script(outputs))) as server, raw_session(server) as socket:
        await socket.send(message("microturn.extensions.enable", silence="omit", event_id="x"))
        enabled = await receive(socket)
        assert (enabled["type"], enabled["client_event_id"]) == ("microturn.extensions.enabled", "x")
        assert enabled["turn_ms"] == 200
        events = []
        for closes_turn in ("microturn.turn", "session.output_audio.delta", "microturn.turn"):
            await send_turns(socket, 1)
            while not events or events[-1]["type"] != closes_turn:
                events.append(await receive(socket))
            events.append({"type": "answered"})
    turns = [event for event in events if event["type"] == "microturn.turn"]
    assert [(turn["index"], turn["start_ms"], turn["end_ms"]) for turn in turns] == [
        (0, 0, 200),
        (1, 200, 400),
        (2, 400, 600),
    ]
    assert [(turn["hear"], turn["say"], turn["speaking"], turn["clear"]) for turn in turns] == [
        (" go", "", False, False),
        ("", " one", True, False),
        ("", "", False, True),
    ]
    assert turns[2]["pieces"] == [{"kind": "text", "text": "a note", "is_end": True}]
    assert set(turns[0]["phases_ms"]) == {"features", "prefill", "decode", "flow", "vocoder"}
    assert sum(event["type"] == "session.output_audio.delta" for event in events) == 1


async def test_a_stock_client_sees_none_of_our_events() -> None:
    async with running_server(WatchedEngine(script([says(1, " hi")]))) as server, raw_session(server) as socket:
        await send_turns(socket, 3)
        events = [await receive(socket) for _ in range(4)]
    assert not [event for event in events if event["type"].startswith("microturn.")]


async def test_typed_text_reaches_the_model() -> None:
    async with running_server() as server, raw_session(server) as socket:
        await socket.send(message("microturn.text", text="hello"))
        await send_turns(socket, 1)
        await receive_until(socket, "session.output_audio.delta")
        (event,) = server.engine.sessions[0].inputs[0].events
    assert (event.role, event.text) == (Role.USER, "hello")


async def test_what_is_to_be_said_word_for_word_reaches_the_model() -> None:
    async with running_server() as server, raw_session(server) as socket:
        await socket.send(message("microturn.say", text="This call is recorded."))
        await send_turns(socket, 1)
        await receive_until(socket, "session.output_audio.delta")
        (event,) = server.engine.sessions[0].inputs[0].events
    assert (event.role, event.script) == (Role.TOOL, "This call is recorded.")


async def test_usage_comes_every_ten_seconds() -> None:
    async with running_server() as server, raw_session(server) as socket:
        session = server.engine.sessions[0]
        # The engine may be ahead of the clock; only sound and words are paced.
        for index in range(50):
            session._answers.put_nowait((MicroTurnOutput(index=index), TurnTrace(index=index)))
        assert (await receive_until(socket, "session.usage.updated"))["usage"] == {"seconds": 10.0}


async def test_a_lost_connection_is_taken_up_again() -> None:
    async with running_server(WatchedEngine(script([says(2, " three")]))) as server:
        async with raw_session(server) as socket:
            await socket.send(message("microturn.extensions.enable"))
            token = (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]
            await send_turns(socket, 2)
            while (await receive_until(socket, "microturn.turn"))["index"] < 1:
                pass
            socket.transport.abort()
            assert await server.engine.parked.get() is server.engine.sessions[0]
        async with connect(server.live_url) as socket:
            await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
            assert (await receive(socket))["type"] == "session.started"
            await send_turns(socket, 1)
            caption = await receive_until(socket, "session.output_transcript.delta")
            assert (caption["delta"], caption["start_ms"]) == (" three", 600)
            await socket.send(message("session.close"))
            assert (await receive_until(socket, "session.closed"))["usage"]["seconds"] == pytest.approx(0.6)
    (session,) = server.engine.sessions
    assert [turn.index for turn in session.inputs] == [0, 1, 2]
    assert [turn.num_missing_samples for turn in session.inputs] == [0, 0, 0]


async def test_what_cannot_be_resumed_says_so_and_a_new_session_may_start() -> None:
    async with running_server() as server, connect(server.live_url) as socket:
        await socket.send(message("microturn.session.resume", resume_token="nonsense", session={"model": "nano"}))
        assert (await receive(socket))["error"]["code"] == "session_not_resumable"
        await socket.send(message("session.start", session={"model": "nano"}))
        assert (await receive(socket))["type"] == "session.started"


async def test_page_and_health() -> None:
    async with running_server() as server, httpx.AsyncClient(base_url=server.url) as browser:
        health = (await browser.get("/healthz")).json()
        facts = {"status": "ok", "sessions": 0, "model": "nano", "key_required": False, "recording": False}
        assert health.items() >= facts.items()
        assert "websocket" in health["transports"]
        assert health["sees"]
        page = await browser.get("/")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for name in ("page.js", "worklets.js", "page.css", "icon.svg"):
            file = await browser.get(f"/{name}")
            assert file.status_code == 200, name
            code = re.sub(NAMED_ONLY, "", file.text)
            assert "https://" not in code, f"{name} must not reach out of this machine"
        assert (await browser.get("/../app.py")).status_code == 404


async def test_the_log_holds_no_speech(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_server(WatchedEngine(script([says(0, " whispered", hear=" confided")]))) as server:
        async with raw_session(server, instructions="a secret order") as socket:
            await socket.send(message("microturn.text", text="a typed secret"))
            await socket.send("garbage with a secret")
            await send_turns(socket, 1)
            await receive_until(socket, "session.output_audio.delta")
        await server.engine.closed.get()
    ours = [record for record in caplog.records if record.name.startswith("microturn")]
    assert {record.getMessage() for record in ours} >= {"session started", "session ended"}
    text = " ".join(f"{record.getMessage()} {record.__dict__.get('fields')}" for record in ours)
    assert not [word for word in ("whispered", "confided", "secret") if word in text]


class EavesdroppingRunner:
    """A model that breaks, and says in its error what it has heard."""

    model_hash = "eavesdropping"

    def open(self, seed: int) -> int:
        return 0

    def release(self, slot: int) -> None:
        pass

    def fit(self, frames: tuple[VideoFrame, ...]) -> tuple[VideoFrame, ...]:
        return frames

    def step(self, rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        raise RuntimeError("heard: a whispered secret")

    def capture(self, slot: int) -> Callable[[], bytes]:
        raise OSError("no room for a whispered secret")

    def restore(self, state: bytes, seed: int) -> int:
        raise ValueError("a whispered secret")


@pytest.mark.parametrize("is_realtime", [False, True])
async def test_an_engine_that_fails_leaves_its_kind_in_the_log_and_no_speech(
    caplog: pytest.LogCaptureFixture, is_realtime: bool
) -> None:
    caplog.set_level(logging.INFO)
    async with Engine(EavesdroppingRunner()) as engine, running_server(engine) as server:  # type: ignore[arg-type]
        if is_realtime:
            async with connect(server.live_url.replace("live/sessions", "realtime")) as socket:
                await socket.send(message("input_audio_buffer.append", audio=sound()))
                assert (await receive_until(socket, "error"))["error"]["code"] == "internal_error"
        else:
            async with raw_session(server, instructions="a secret order") as socket:
                await socket.send(message("microturn.text", text="a typed secret"))
                await send_turns(socket, 1)
                assert (await receive_until(socket, "error"))["error"]["code"] == "internal_error"
    logged = "\n".join(JsonLines().format(record) for record in caplog.records) + caplog.text
    assert "secret" not in logged
    kinds = {record.getMessage(): record.__dict__["fields"]["error"] for record in caplog.records if is_failure(record)}
    assert kinds.keys() >= {"a batch failed, its sessions run one by one", "turn failed", "session failed"}
    assert (kinds["turn failed"], kinds["session failed"]) == ("RuntimeError", "MicroturnError")


def is_failure(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


async def test_the_log_holds_no_speech_of_a_realtime_session(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a typed secret"}]}
    async with running_server(WatchedEngine(script([says(0, " whispered", hear=" confided")]))) as server:
        async with connect(server.live_url.replace("live/sessions", "realtime")) as socket:
            settings = {"type": "realtime", "instructions": "a secret order"}
            await socket.send(message("session.update", session=settings))
            await socket.send(message("conversation.item.create", item=item))
            await socket.send("garbage with a secret")
            await socket.send(message("input_audio_buffer.append", audio=sound()))
            await receive_until(socket, "response.output_audio.delta")
        await server.engine.closed.get()
    ours = [record for record in caplog.records if record.name.startswith("microturn")]
    assert {record.getMessage() for record in ours} >= {"session started", "session ended"}
    text = "\n".join(JsonLines().format(record) for record in ours)
    assert not [word for word in ("whispered", "confided", "secret") if word in text]


def test_what_other_libraries_log_comes_without_what_they_put_into_it() -> None:
    try:
        raise ValueError("a whispered secret")
    except ValueError as error:
        record = logging.getLogger("asyncio").makeRecord(
            "asyncio", logging.ERROR, "f", 1, "never retrieved %s\nsecret", ("secret",), (ValueError, error, None)
        )
    line = json.loads(JsonLines().format(record))
    assert {"event": "never retrieved %s", "error": "ValueError", "logger": "asyncio"}.items() <= line.items()
    assert "secret" not in str(line)


async def test_a_taken_port_is_an_error_with_a_remedy() -> None:
    async with running_server() as server:
        port = int(server.url.rsplit(":", 1)[1].rstrip("/"))
        with pytest.raises(MicroturnError, match="--port"):
            await serve(ScriptedEngine(), Listening(port=port))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
async def test_beyond_loopback_a_key_is_required(host: str) -> None:
    with pytest.raises(ValueError, match="MICROTURN_API_KEY"):
        await serve(ScriptedEngine(), Listening(host=host, port=0))
