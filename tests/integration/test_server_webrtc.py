"""A real aiortc peer on this machine's own network holds a session: sound both ways, pictures, events, bad offers."""

import re

import httpx
import numpy as np
import pytest
from openai import APIStatusError, BadRequestError
from server_harness import WatchedEngine, message, running_server, says

from microturn.server.limits import Limits
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput

pytest.importorskip("aiortc")
from webrtc_harness import Caller, Giant, Red, Tone, call


def hears_and_sees(turn: MicroTurnInput) -> MicroTurnOutput:
    words = " tone" if np.abs(turn.audio).max() > 0.1 else ""
    sight = " red" if turn.frames and turn.frames[0].pixels[..., 0].mean() > 120 else ""
    return says(turn.index, " hello", hear=words + sight)


async def test_sound_pictures_and_events_both_ways() -> None:
    async with running_server(WatchedEngine(hears_and_sees)) as server, call(server, Tone(), Red()) as caller:
        session_id = await caller.call(server)
        started = await caller.until("session.started")
        assert started["session"]["id"] == session_id
        heard = ""
        while not ("tone" in heard and "red" in heard):
            heard += (await caller.until("session.input_transcript.delta"))["delta"]
        assert (await caller.until("session.output_transcript.delta"))["delta"] == " hello"
        voice = await caller.voice.get()
        while np.abs((await voice.recv()).to_ndarray()).max() < 3_000:
            pass
        caller.channel.send(message("session.input_audio.append", audio="AAAA", event_id="no"))
        assert (await caller.until("error"))["error"]["code"] == "unsupported"
        caller.channel.send(message("session.close", event_id="bye"))
        assert (await caller.until("session.closed"))["client_event_id"] == "bye"
        assert await server.engine.closed.get() is server.engine.sessions[0]
    assert server.engine.sessions[0].instructions == "Be kind."


async def test_a_data_channel_carries_only_what_it_may() -> None:
    allowed = {"allowed_client_events": ["session.close"], "allowed_server_events": [{"type": "session.started"}]}
    async with running_server(WatchedEngine(hears_and_sees)) as server, call(server, Tone()) as caller:
        session_id = await caller.call(server, client={"data_channel": allowed})
        await caller.until("session.started")
        caller.channel.send(message("session.input_audio.mute"))
        async with server.client().live.sideband.connect(session_id=session_id) as sideband:
            while (await sideband.recv()).type != "session.output_transcript.delta":
                pass  # who attaches is trusted, and sees what the frontend does not
            caller.channel.send(message("session.close"))
            while (await sideband.recv()).type != "session.closed":
                pass
        assert caller.events.qsize() <= 1  # the notice of the permissions, which came first
        assert server.engine.sessions[0].inputs[-1].audio.any()  # it was not muted by the frontend


async def test_a_fork_goes_on_over_webrtc() -> None:
    async with running_server(WatchedEngine(hears_and_sees)) as server, call(server, Tone()) as first:
        session_id = await first.call(server)
        while (await first.until("session.input_transcript.delta"))["start_ms"] < 400:
            pass
        async with call(server, Tone()) as second, server.client() as client:
            forked = await client.live.sessions.fork(
                session_id, transport={"type": "webrtc", "sdp": await second.offer()}, session={}
            )
            await second.accept(forked.transport.sdp)
            assert (await second.until("session.started"))["session"]["instructions"] == "Be kind."
            assert (await second.until("session.input_transcript.delta"))["start_ms"] >= 400
            assert forked.session.id != session_id


async def test_a_peer_that_hangs_up_frees_its_slot() -> None:
    async with running_server(WatchedEngine()) as server, call(server, Tone()) as caller:
        await caller.call(server)
        await caller.until("session.started")
        await caller.connection.close()
        assert await server.engine.closed.get() is server.engine.sessions[0]


async def test_a_camera_with_giant_pictures_loses_its_track_and_the_voice_goes_on() -> None:
    async with running_server(WatchedEngine(hears_and_sees)) as server, call(server, Tone(), Giant()) as caller:
        await caller.call(server)
        error = (await caller.until("error"))["error"]
        assert error["code"] == "video_too_large"
        assert "2048x1280" in error["message"]
        assert "scale" in error["message"]
        assert (await caller.until("session.input_transcript.delta"))["delta"] == " tone"
        assert not any(turn.frames for turn in server.engine.sessions[0].inputs)


async def test_sound_beyond_what_a_connection_may_send_is_dropped_and_told() -> None:
    limits = Limits(max_media_bytes_per_s=1.0, max_media_burst_bytes=2_000)
    async with running_server(WatchedEngine(hears_and_sees), limits=limits) as server, call(server, Tone()) as caller:
        await caller.call(server)
        error = (await caller.until("error"))["error"]
        assert error["code"] == "rate_limit_exceeded"
        assert "bitrate" in error["message"]
        num_turns = len(server.engine.sessions[0].inputs)
        while len(server.engine.sessions[0].inputs) < num_turns + 3:  # silence stands for what was dropped
            await caller.until("session.output_transcript.delta")


async def test_an_offer_without_the_one_codec_of_pictures_is_refused() -> None:
    async with running_server() as server, call(server, Tone(), Red()) as caller:
        offer = await caller.offer()
        no_vp8 = re.sub(r"(?m)^a=rtpmap:(\d+) VP8/90000", r"a=rtpmap:\1 AV1/90000", offer)
        async with httpx.AsyncClient(base_url=server.url) as browser:
            body = {"session": {"model": "nano"}, "transport": {"type": "webrtc", "sdp": no_vp8}}
            answer = await browser.post("v1/live/sessions", json=body)
        assert answer.status_code == 400
        assert "no video/VP8" in answer.json()["error"]["message"]
        assert not server.engine.sessions


async def test_a_second_picture_track_is_refused_and_leaves_no_count() -> None:
    async with running_server(limits=Limits(max_connections=1)) as server:
        greedy = Caller([Tone(), Red(), Red()])
        with pytest.raises(BadRequestError, match="2 tracks of one kind"):
            await greedy.call(server)
        await greedy.connection.close()
        async with call(server, Tone()) as caller:
            await caller.call(server)
            await caller.until("session.started")
            with pytest.raises(APIStatusError) as full:
                await Caller([Tone()]).call(server)
            assert full.value.status_code == 503


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("garbage", 400, "invalid_value"),
        ("{}", 400, "invalid_value"),
        ('{"session": {"model": "nano"}, "transport": {"type": "webrtc", "sdp": "nonsense"}}', 400, "invalid_sdp"),
        ('{"session": {"model": "nano"}, "transport": {"type": "webrtc", "sdp": ""}}', 400, "invalid_sdp"),
        ("x" * 1_100_000, 413, "request_too_large"),
    ],
)
async def test_a_bad_offer_is_answered(body: str, status: int, code: str) -> None:
    async with running_server() as server, httpx.AsyncClient(base_url=server.url) as browser:
        answer = await browser.post("v1/live/sessions", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert not server.engine.sessions
