"""Client secrets, rights, limits per key, TLS and metrics, on a running server."""

import asyncio
import re
import ssl
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from openai import PermissionDeniedError
from server_harness import (
    WITHIN_S,
    WatchedEngine,
    message,
    raw_session,
    receive,
    running_server,
    says,
    send_turns,
    still_answers,
)
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from microturn.errors import MicroturnError
from microturn.server.limits import Limits
from microturn.server.serve import Listening, serve
from microturn.testing.scripted_engine import ScriptedEngine, script


async def test_a_client_secret_connects_and_makes_no_other() -> None:
    async with running_server(key="secret-key") as server:
        made = await server.client("secret-key").realtime.client_secrets.create(expires_after={"seconds": 60})
        assert made.value.startswith("ek_")
        async with server.client(made.value).live.connect() as connection:
            await connection.session.start(session={"model": "nano"})
            assert (await connection.recv()).type == "session.started"
        with pytest.raises(PermissionDeniedError, match="no right to mint"):
            await server.client(made.value).realtime.client_secrets.create()


async def test_a_client_secret_controls_a_session_when_its_maker_says_so() -> None:
    async with running_server(key="secret-key") as server:
        minted = server.client("secret-key").realtime.client_secrets
        narrow, wide = await minted.create(), await minted.create(extra_body={"rights": ["connect", "control"]})
        async with server.client(wide.value).live.connect() as connection:
            await connection.session.start(session={"model": "nano"})
            started = await connection.recv()
            assert started.type == "session.started"
            with pytest.raises(PermissionDeniedError, match="no right to control"):
                await server.client(narrow.value).live.sessions.hangup(started.session.id)
            await server.client(wide.value).live.sessions.hangup(started.session.id)
            while (await connection.recv()).type != "session.closed":
                pass
        with pytest.raises(PermissionDeniedError, match="cannot hand out mint"):
            await minted.create(extra_body={"rights": ["connect", "mint"]})


async def test_one_key_holds_so_many_sessions() -> None:
    limits = Limits(max_connections_per_key=1)
    async with running_server(limits=limits, key="secret-key") as server:
        headers = {"Authorization": "Bearer secret-key"}
        async with connect(server.live_url, additional_headers=headers):
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.live_url, additional_headers=headers)
            assert refused.value.response.status_code == 429


async def test_one_key_makes_so_many_secrets_a_second() -> None:
    limits = Limits(per_key=replace(Limits().per_key, max_requests_per_s=0.001, burst_s=3_000.0))
    async with (
        running_server(limits=limits, key="secret-key") as server,
        httpx.AsyncClient(base_url=server.url.partition("#")[0]) as minter,
    ):
        minter.headers["Authorization"] = "Bearer secret-key"
        answers = [await minter.post("/v1/realtime/client_secrets", json={}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        error = answers[-1].json()["error"]
        assert error["code"] == "rate_limit_exceeded"
        assert "send less" in error["message"]
        assert answers[-1].headers["retry-after"] == "1"


async def test_the_sessions_of_one_key_share_what_they_may_send() -> None:
    limits = Limits(per_key=replace(Limits().per_key, max_messages_per_s=0.001, burst_s=4_000.0))
    headers = {"Authorization": "Bearer secret-key"}
    async with (
        running_server(limits=limits, key="secret-key") as server,
        connect(server.live_url, additional_headers=headers) as one,
        connect(server.live_url.replace("live/sessions", "realtime"), additional_headers=headers) as other,
    ):
        await one.send(message("session.start", session={"model": "nano"}))
        await one.send(message("session.input_audio.mute"))
        await one.send(message("session.input_audio.unmute"))
        while (await receive(one))["type"] != "session.input_audio.unmuted":
            pass
        for _ in range(2):
            await other.send(message("input_audio_buffer.clear"))
        while (event := await receive(other))["type"] != "input_audio_buffer.cleared":
            pass
        while (event := await receive(other))["type"] != "error":
            pass
        assert event["error"]["code"] == "rate_limit_exceeded"
        assert "connections of this key" in event["error"]["message"]


async def test_a_flood_of_large_messages_is_cut_off() -> None:
    limits = Limits(max_chars_per_s=1.0, max_char_burst=100_000)
    async with running_server(limits=limits) as server, raw_session(server) as socket, raw_session(server) as other:
        for _ in range(3):
            await socket.send(message("microturn.camera_frame", image="A" * 40_000))
        while (event := await receive(socket))["error"]["code"] == "invalid_image":
            pass
        assert event["error"]["code"] == "rate_limit_exceeded"
        assert await still_answers(other)


async def test_metrics_count_turns_and_hold_no_words() -> None:
    pytest.importorskip("prometheus_client")
    async with (
        running_server(WatchedEngine(script([says(0, " whispered")])), key="secret-key") as server,
        httpx.AsyncClient(base_url=server.url.partition("#")[0]) as operator,
    ):
        assert (await operator.get("/metrics")).status_code == 401
        operator.headers["Authorization"] = "Bearer secret-key"
        headers = {"Authorization": "Bearer secret-key"}
        async with connect(server.live_url, additional_headers=headers) as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            assert (await receive(socket))["type"] == "session.started"
            await send_turns(socket, 2)
            for _ in range(3):
                await receive(socket)
            figures = (await operator.get("/metrics")).text
            assert "microturn_sessions 1.0" in figures
            assert "microturn_turns_total 2.0" in figures
            assert "microturn_speaking_turns_total 1.0" in figures
            assert 'microturn_turn_phase_seconds_count{phase="vocoder"} 2.0' in figures
            assert "whispered" not in figures
        assert 'microturn_refused_connections_total{code="invalid_api_key"} 1.0' in figures
        assert (await operator.get("/readyz")).json() == {"status": "ready"}


async def test_a_certificate_of_our_own_makes_the_page_secure(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from microturn.server.tls import self_signed

    certificate = self_signed(tmp_path, "127.0.0.1")
    assert self_signed(tmp_path, "127.0.0.1") == certificate
    assert certificate[1].stat().st_mode & 0o077 == 0
    ready: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve(ScriptedEngine(), Listening(port=0, certificate=certificate), on_ready=ready.put_nowait, stop=stop)
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            url = await ready.get()
            trusting = ssl.create_default_context(cafile=certificate[0])
            async with httpx.AsyncClient(base_url=url, verify=trusting) as browser:
                assert (await browser.get("/healthz")).json()["status"] == "ok"
            async with connect(url.replace("https", "wss") + "v1/live/sessions", ssl=trusting) as socket:
                await socket.send(message("session.start", session={"model": "nano"}))
                assert (await receive(socket))["type"] == "session.started"
    finally:
        stop.set()
        await serving
    assert url.startswith("https://")


async def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "a.pem", tmp_path / "b.pem"
    with pytest.raises(MicroturnError, match="--self-signed"):
        await serve(ScriptedEngine(), Listening(port=0, certificate=absent))


def test_the_dashboard_draws_figures_that_exist() -> None:
    pytest.importorskip("prometheus_client")
    from microturn.server.telemetry import Metrics

    known = Metrics().exposition().decode()
    dashboard = (Path(__file__).parents[2] / "docs" / "grafana-dashboard.json").read_text()
    drawn = set(re.findall(r"microturn_[a-z_]+", dashboard))
    assert len(drawn) > 8
    assert not [name for name in drawn if f"# TYPE {name.removesuffix('_bucket')} " not in known]
