"""Garbage, floods, giants, strangers and the dead: a clear error each, and nobody else notices."""

import asyncio
import base64
import contextlib
import io
import json
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image
from server_harness import (
    WatchedEngine,
    message,
    raw_session,
    receive,
    receive_until,
    running_server,
    send_turns,
    sound,
    still_answers,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from microturn.server.ingest import FrameIngest
from microturn.server.limits import Limits
from microturn.testing.scripted_engine import script
from microturn.turns.micro_turn import MicroTurnOutput

APPEND = "session.input_audio.append"


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        ("garbage", "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ('"text"', "invalid_json", None),
        ("{}", "missing_type", "type"),
        ('{"type": 7}', "missing_type", "type"),
        (message("nope", event_id="e"), "unknown_event", "type"),
        (message("response.create", event_id="e"), "wrong_delegation", "type"),
        (message("decision.create", event_id="e"), "unsupported", "type"),
        (message(APPEND), "invalid_value", "audio"),
        (message(APPEND, audio=5), "invalid_value", "audio"),
        (message(APPEND, audio="not base64!"), "invalid_base64", "audio"),
        (message(APPEND, audio="AAAA"), "invalid_audio", "audio"),
        (message(APPEND, audio=sound(10_400)), "audio_too_fast", "audio"),
        (message(APPEND, audio="A" * 1_000_000), "message_too_large", None),
        (message("session.start", session={"model": "x"}), "session_already_started", None),
        (
            message("session.update", session={"delegation": {"type": "responses"}}),
            "wrong_delegation",
            None,
        ),
        (message("session.thinking.append", content="x", delegation_id="d"), "unknown_delegation", None),
        (message("session.thinking.append", content="", delegation_id=None), "invalid_value", "content"),
        (message("microturn.text", text=""), "invalid_value", "text"),
        (message("microturn.say", text=" ... "), "invalid_value", "text"),
        (message("microturn.say", text="a" * 501), "invalid_value", "text"),
        (message("microturn.text", text="x", extra=1), "unknown_parameter", "extra"),
        (message("microturn.camera_frame", image="AAAA"), "invalid_image", "image"),
        (b"\x00\x01", "binary_message", None),
    ],
)
async def test_a_bad_message_is_answered_and_the_session_goes_on(
    bad: str | bytes, code: str, param: str | None
) -> None:
    async with running_server() as server, raw_session(server) as socket:
        await socket.send(bad)
        event = await receive(socket)
        assert event["type"] == "error"
        assert event["error"]["code"] == code
        assert param is None or event["error"]["param"] == param
        if isinstance(bad, str) and '"event_id": "e"' in bad:
            assert event["error"]["client_event_id"] == "e"
        assert ":" in event["error"]["message"] or "read" in event["error"]["message"]
        assert await still_answers(socket)


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({}, "session.model"),
        ({"model": "x", "audio": {"format": {"type": "audio/pcm", "rate": 44_100}}}, "session.audio.format.rate"),
        ({"model": "x", "audio": {"format": {"type": "audio/pcmu", "rate": 16_000}}}, "session.audio.format.rate"),
        ({"model": "x", "audio": {"format": {"type": "audio/opus", "rate": 48_000}}}, "session.audio.format.type"),
        ({"model": "x", "delegation": {"type": "responses", "responses": {"model": "y"}}}, "session.delegation.type"),
        ({"model": "x", "instructions": "x" * 16_001}, "session.instructions"),
        ({"model": "x", "input": [{"role": "user", "content": [{"text": "x"}]}] * 61}, "session.input"),
        ({"model": "x", "input": [{"role": "user", "content": [{"text": "x" * 4_000}]}] * 11}, "session.input"),
    ],
)
async def test_a_bad_start_is_refused_and_may_be_tried_again(session: dict[str, Any], param: str) -> None:
    async with running_server() as server, connect(server.live_url) as socket:
        await socket.send(message(APPEND, audio=sound()))
        assert (await receive(socket))["error"]["code"] == "session_not_started"
        await socket.send(message("session.start", session=session))
        assert (await receive(socket))["error"]["param"] == param
        await socket.send(message("session.start", session={"model": "nano"}))
        assert (await receive(socket))["type"] == "session.started"


async def test_a_client_that_never_starts_is_sent_away() -> None:
    async with running_server(limits=Limits(start_within_ms=50)) as server, connect(server.live_url) as socket:
        assert (await receive(socket))["error"]["code"] == "session_start_timeout"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_as_much_as_a_start_may_hold_reaches_the_model() -> None:
    history = [{"role": "user", "content": [{"text": f"message {i}"}]} for i in range(60)]
    async with (
        running_server() as server,
        raw_session(server, instructions="x" * 16_000, input=history) as socket,
    ):
        await send_turns(socket, 1)
        await receive_until(socket, "session.output_audio.delta")
        events = server.engine.sessions[0].inputs[0].events
    assert [event.text for event in events[-60:]] == [f"message {i}" for i in range(60)]


async def test_refused_openings_do_not_hold_the_place_of_a_session() -> None:
    async with running_server(limits=Limits(start_within_ms=400)) as server, connect(server.live_url) as socket:
        codes: list[str] = []
        while "session_start_timeout" not in codes:
            with contextlib.suppress(ConnectionClosed):
                await socket.send(message("session.close"))
            codes.append((await receive(socket))["error"]["code"])
            await asyncio.sleep(0.1)
        assert set(codes) == {"session_not_started", "session_start_timeout"}


async def test_messages_that_parse_but_are_refused_count_as_bad() -> None:
    async with running_server(limits=Limits(max_bad_messages=5)) as server, raw_session(server) as socket:
        for _ in range(5):
            await socket.send(message(APPEND, audio="!"))
        codes = [(await receive(socket))["error"]["code"] for _ in range(6)]
        assert codes == ["invalid_base64"] * 5 + ["too_many_errors"]


async def flood(socket: ClientConnection) -> None:
    while True:
        await socket.send(message("session.input_audio.mute"))
        await socket.recv()


async def test_a_flood_ends_its_own_connection_only() -> None:
    limits = Limits(max_messages_per_s=1.0, max_message_burst=50)
    async with (
        running_server(limits=limits) as server,
        raw_session(server) as bystander,
        raw_session(server) as flooder,
    ):
        with pytest.raises(ConnectionClosed) as closed:
            await flood(flooder)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert await server.engine.closed.get() is server.engine.sessions[1]
        assert await still_answers(bystander)


async def test_the_flooder_is_told_why() -> None:
    limits = Limits(max_messages_per_s=1.0, max_message_burst=10)
    async with running_server(limits=limits) as server, raw_session(server) as socket:
        for _ in range(12):
            await socket.send(message("session.input_audio.mute"))
        assert (await receive_until(socket, "error"))["error"]["code"] == "rate_limit_exceeded"
        assert (await receive_until(socket, "session.closed"))["reason"] == "connection_lost"


async def test_garbage_without_end_is_cut_off() -> None:
    async with running_server(limits=Limits(max_bad_messages=5)) as server, raw_session(server) as socket:
        for _ in range(5):
            await socket.send("garbage")
        codes = [(await receive(socket))["error"]["code"] for _ in range(6)]
        assert codes == ["invalid_json"] * 5 + ["too_many_errors"]
        assert await receive_until(socket, "session.closed")


async def test_a_client_that_vanishes_frees_its_slot() -> None:
    async with running_server(WatchedEngine(max_sessions=1)) as server:
        async with raw_session(server) as socket:
            await send_turns(socket, 3)
            socket.transport.abort()
            assert await server.engine.closed.get() is server.engine.sessions[0]
        async with raw_session(server) as successor:
            assert await still_answers(successor)


async def test_a_client_that_does_not_read_is_taken_as_gone() -> None:
    limits = Limits(max_outbox_events=8, max_messages_per_s=1e6, max_message_burst=1_000_000)
    async with running_server(limits=limits) as server, connect(server.live_url, max_queue=1) as socket:
        # Every answer repeats the instructions, so that a few hundred fill what the network holds.
        await socket.send(message("session.start", session={"model": "nano", "instructions": "x" * 15_000}))
        update = message("session.update", session={"delegation": {"type": "client"}})
        with contextlib.suppress(ConnectionClosed):
            for _ in range(2_000):
                await socket.send(update)
        assert await server.engine.closed.get() is server.engine.sessions[0]
        socket.transport.abort()


async def test_a_full_engine_says_so() -> None:
    async with (
        running_server(WatchedEngine(max_sessions=1)) as server,
        raw_session(server) as first,
        connect(server.live_url) as second,
    ):
        await second.send(message("session.start", session={"model": "nano"}))
        error = (await receive(second))["error"]
        assert (error["code"], error["type"]) == ("capacity_exceeded", "server_error")
        with pytest.raises(ConnectionClosed) as closed:
            await second.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        assert await still_answers(first)


async def test_too_many_connections_are_refused_before_they_begin() -> None:
    async with running_server(limits=Limits(max_connections=1)) as server, raw_session(server):
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.live_url)
        assert refused.value.response.status_code == 503


async def test_an_engine_that_fails_takes_down_one_session() -> None:
    async with running_server() as server, raw_session(server) as healthy, raw_session(server) as doomed:
        server.engine.sessions[1].fail(RuntimeError("the user said something private"))
        error = (await receive(doomed))["error"]
        assert error["code"] == "internal_error"
        assert "private" not in error["message"]
        assert await server.engine.closed.get() is server.engine.sessions[1]
        assert await still_answers(healthy)


async def test_two_sessions_hear_only_themselves() -> None:
    def answer(turn):
        return MicroTurnOutput(index=turn.index, hear=" loud" if np.abs(turn.audio).max() > 0.1 else " quiet")

    loud = base64.b64encode(np.full(4_800, 9_000, dtype="<i2").tobytes()).decode()
    async with (
        running_server(WatchedEngine(answer)) as server,
        raw_session(server) as one,
        raw_session(server) as other,
    ):
        await one.send(message(APPEND, audio=loud))
        await send_turns(other, 1)
        assert (await receive_until(one, "session.input_transcript.delta"))["delta"] == " loud"
        assert (await receive_until(other, "session.input_transcript.delta"))["delta"] == " quiet"


async def test_what_follows_a_long_message_waits_until_it_has_been_taken_in() -> None:
    def loud(num_turns: int) -> str:
        return base64.b64encode(np.full(4_800 * num_turns, 9_000, dtype="<i2").tobytes()).decode()

    async with running_server() as server, raw_session(server) as socket:
        await socket.send(message(APPEND, audio=loud(8)))
        await socket.send(message("session.input_audio.mute"))
        await socket.send(message(APPEND, audio=loud(2)))
        while len(server.engine.sessions[0].inputs) < 10:
            await receive_until(socket, "session.output_audio.delta")
        inputs = server.engine.sessions[0].inputs
    assert [np.abs(turn.audio).mean() > 0.2 for turn in inputs[:10]] == [True] * 8 + [False] * 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_pages_of_other_sites_stay_out(headers: dict[str, str], status: int) -> None:
    async with running_server() as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.live_url, additional_headers=headers, proxy=None)
        assert refused.value.response.status_code == status


async def test_our_own_page_comes_in_with_a_key_in_its_subprotocol() -> None:
    async with running_server(key="secret-key") as server:
        origin = server.url.partition("/#")[0]
        protocols = ["microturn.v1", "openai-insecure-api-key.secret-key"]
        async with connect(server.live_url, origin=origin, subprotocols=protocols) as socket:  # type: ignore[arg-type]
            assert socket.subprotocol == "microturn.v1"
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.live_url, origin=origin, subprotocols=protocols[:1])  # type: ignore[arg-type]
        assert refused.value.response.status_code == 401


def jpeg(width: int, height: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


async def test_a_camera_frame_arrives_as_a_picture_and_a_giant_does_not() -> None:
    async with running_server() as server, raw_session(server) as socket:
        await socket.send(
            json.dumps({"type": "microturn.camera_frame", "image": jpeg(4_000, 3_000), "event_id": "big"})
        )
        error = (await receive(socket))["error"]
        assert (error["code"], error["client_event_id"]) == ("invalid_image", "big")
    async with running_server() as server, raw_session(server) as socket:
        await socket.send(message("microturn.camera_frame", image=jpeg(64, 48)))
        while not (inputs := server.engine.sessions[0].inputs) or not inputs[-1].frames:
            assert await still_answers(socket)
        assert inputs[-1].frames[0].pixels.shape == (48, 64, 3)
        assert inputs[-1].frames[0].pixels[..., 0].mean() == pytest.approx(200, abs=4)


async def test_a_picture_that_is_never_decoded_is_told_of_and_a_neighbours_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go, decode = threading.Event(), FrameIngest._decode
    monkeypatch.setattr(
        FrameIngest,
        "_decode",
        lambda self, image, time_ms: (image != jpeg(13, 13) or let_go.wait()) and decode(self, image, time_ms),
    )
    limits = Limits(decode_within_ms=1_000)
    async with running_server(limits=limits) as server, raw_session(server) as slow, raw_session(server) as neighbour:
        try:
            await slow.send(message("microturn.camera_frame", image=jpeg(13, 13), event_id="slow"))
            await neighbour.send(message("microturn.camera_frame", image=jpeg(64, 48)))
            error = (await receive_until(slow, "error"))["error"]
            assert (error["code"], error["client_event_id"]) == ("decode_timeout", "slow")
            inputs = server.engine.sessions[1].inputs
            while not inputs or not inputs[-1].frames:
                assert await still_answers(neighbour)
            assert await still_answers(slow)  # What it says is heard, whatever it shows.
        finally:
            let_go.set()


async def test_stopping_tells_every_session() -> None:
    async with (
        running_server(WatchedEngine(script([]))) as server,
        raw_session(server) as one,
        raw_session(server) as other,
    ):
        server.stop.set()
        for socket in (one, other):
            assert (await receive_until(socket, "info"))["code"] == "server_stopping"
            assert (await receive(socket))["type"] == "session.closed"
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
    assert all(session.is_closed for session in server.engine.sessions)
