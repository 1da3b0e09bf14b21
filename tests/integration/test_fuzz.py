"""Whatever comes over the wire, nothing crashes or hangs, every refusal is typed, and the neighbour notices nothing."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from fuzz_harness import (
    BACKGROUND_EVENTS,
    FUZZ,
    LIVE_EVENTS,
    ODD,
    OPENINGS,
    OWNER,
    REALTIME_EVENTS,
    WITHIN_S,
    MemoryChannel,
    altered,
    check_live,
    converse_beside_a_neighbour,
    messages,
    new_server,
)
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from microturn.server.access import Access
from microturn.server.app import CALLS_PATH, LIVE_PATH, create_app
from microturn.server.channel import Channel
from microturn.server.connection import Connection
from microturn.server.edge import Conversing, converse_and_flush
from microturn.server.fork import ForkConnection
from microturn.server.live_server import LiveServer
from microturn.server.realtime.connection import RealtimeConnection
from microturn.server.sideband import Sideband

REALTIME_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

# --- the protocols ---------------------------------------------------------------------------------------------------


def answers(
    sent: list[str | None], make: Callable[[LiveServer, Channel], Conversing], has_background: bool
) -> list[dict[str, Any]]:
    """What a client who says that is told."""
    channel = MemoryChannel()
    conversation = converse_beside_a_neighbour(
        channel, sent, lambda live: converse_and_flush(make(live, channel)), has_background=has_background
    )
    asyncio.run(conversation)
    return channel.received


@FUZZ
@given(messages(LIVE_EVENTS), st.sampled_from(OPENINGS), st.booleans())
def test_live(sent: list[str | None], opening: list[dict[str, Any]], has_background: bool) -> None:
    check_live(
        answers(
            [*map(json.dumps, opening), *sent], lambda live, channel: Connection(live, channel, OWNER), has_background
        )
    )


@FUZZ
@given(messages(BACKGROUND_EVENTS))
def test_tools_and_jobs_of_a_background(sent: list[str | None]) -> None:
    first = map(json.dumps, [LIVE_EVENTS[0], *BACKGROUND_EVENTS])
    check_live(answers([*first, *sent], lambda live, channel: Connection(live, channel, OWNER), True))


@FUZZ
@given(messages(LIVE_EVENTS), st.booleans())
def test_a_fork(sent: list[str | None], has_background: bool) -> None:
    def fork(live: LiveServer, channel: Channel) -> ForkConnection:
        (entry,) = live.directory
        return ForkConnection(live, channel, entry)

    check_live(answers([json.dumps(LIVE_EVENTS[0]), *sent], fork, has_background))


@FUZZ
@given(messages([event for event in LIVE_EVENTS if event["type"] != "session.close"]), st.booleans())
def test_an_attached_client(sent: list[str | None], has_background: bool) -> None:
    def attach(live: LiveServer, channel: Channel) -> Sideband:
        (entry,) = live.directory
        assert entry.session is not None
        return Sideband(live, channel, entry.session)

    check_live(answers(sent, attach, has_background))


@FUZZ
@given(messages(REALTIME_EVENTS), st.booleans())
def test_realtime(sent: list[str | None], has_background: bool) -> None:
    for event in answers(sent, RealtimeConnection, has_background):
        REALTIME_EVENT.validate_python(event)
        assert event["type"] != "error" or event["error"]["code"] != "internal_error", event


# --- HTTP ------------------------------------------------------------------------------------------------------------

PATHS = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/v1/realtime/client_secrets",
    LIVE_PATH,
    *(f"{LIVE_PATH}/live_x/{what}" for what in ("fork", "hangup", "accept", "refer", "reject", "content", "attach")),
    "/v1/realtime",
    CALLS_PATH,
    f"{CALLS_PATH}/x/hangup",
    "/",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/%00",
    f"/{'x' * 4_000}",
]
BODIES: list[dict[str, Any]] = [
    {"expires_after": {"anchor": "created_at", "seconds": 600}, "session": {"type": "realtime"}},
    {"session": {"model": "nano", "instructions": "x"}, "transport": {"type": "webrtc", "sdp": "v=0\r\n"}},
    {
        "session": {"model": "nano"},
        "transport": {
            "type": "webrtc",
            "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
        },
    },
    {"status_code": 486},
]
FORM = (
    "--b\r\nContent-Disposition: form-data; name=sdp\r\n\r\nv=0\r\n"
    "--b\r\nContent-Disposition: form-data; name=session\r\n\r\n%s\r\n--b--\r\n"
)
BODY = (
    altered(BODIES).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.sampled_from(BODIES).map(lambda body: json.dumps(body).encode())
    | ODD.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=200)
    | st.just(b"x" * 1_000_001)
    | altered([{"type": "realtime", "instructions": "x"}]).map(
        lambda session: (FORM % session).encode("utf-8", "replace")
    )
)
KEYS = [None, "key"]
HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "origin", "host", "content-type", "sec-websocket-protocol", "content-length"]),
    st.sampled_from(
        [
            "",
            "Bearer",
            "Bearer key",
            "\xff",
            "x" * 2_000,
            "http://[",
            "multipart/form-data; boundary=b",
            "localhost:x",
            "a, ,b",
            "-5",
        ]
    ),
    max_size=2,
)


@FUZZ
@given(
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    st.sampled_from(PATHS),
    BODY,
    HEADERS,
    st.sampled_from([None, "key"]),
)
def test_http(method: str, path: str, body: bytes, headers: dict[str, str], key: str | None) -> None:
    async def ask() -> httpx.Response:
        app = create_app(new_server(), Access(host="127.0.0.1", key=key))
        sent = {"host": "127.0.0.1", **({"authorization": f"Bearer {key}"} if key else {}), **headers}
        transport = httpx.ASGITransport(app)  # what the application raises comes out here
        async with asyncio.timeout(WITHIN_S), httpx.AsyncClient(transport=transport) as client:
            request = client.build_request(method, "http://127.0.0.1/", content=body)
            request.url = request.url.copy_with(raw_path=path.encode())
            request.headers = httpx.Headers({name: value.encode("latin-1") for name, value in sent.items()})
            return await client.send(request)

    response = asyncio.run(ask())
    assert response.status_code < 500 or response.status_code in (501, 503)
    if response.status_code in (400, 401, 403, 404, 405, 413, 429, 501) and method != "HEAD":
        error = response.json()["error"]
        assert error["code"]
        assert error["message"]
