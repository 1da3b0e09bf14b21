"""Whatever comes over the wire, nothing crashes or hangs, every refusal is typed, and the neighbour notices nothing.

Connections run on a channel in memory around a scripted engine: what is left out is TCP, not a line of ours. A crash
inside a session would show as ``internal_error``, the one code that must never be seen here.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from server_harness import TONE, sound

from microturn.protocol.live import SERVER_EVENT
from microturn.server.access import Access
from microturn.server.admission import UNLIMITED
from microturn.server.app import CALLS_PATH, LIVE_PATH, create_app
from microturn.server.channel import Channel, ClientGoneError
from microturn.server.connection import Connection
from microturn.server.edge import converse_and_flush
from microturn.server.fork import ForkConnection
from microturn.server.limits import Limits
from microturn.server.live_server import LiveServer
from microturn.server.realtime.connection import RealtimeConnection
from microturn.server.session_setup import Offer
from microturn.server.sideband import Sideband
from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind

WITHIN_S = 60.0
"""Only a hang takes so long."""
OWNER = "anybody"
REALTIME_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
FUZZ = settings(
    deadline=None, derandomize=True, database=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

LIVE_EVENTS: list[dict[str, Any]] = [
    {"type": "session.start", "session": {"model": "nano"}},
    {
        "type": "session.start",
        "event_id": "e",
        "session": {
            "model": "nano",
            "instructions": "Be kind.",
            "store": True,
            "audio": {"format": {"type": "audio/pcm", "rate": 16_000}, "output": {"voice": "marin"}},
            "client": {"data_channel": {"allowed_client_events": "all", "allowed_server_events": []}},
            "delegation": {"type": "responses", "responses": {"model": "any", "tools": [TOOL]}},
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        },
    },
    {"type": "session.update", "session": {"delegation": {"type": "responses", "responses": {"tools": [TOOL]}}}},
    {"type": "session.input_audio.append", "audio": sound(200)},
    {"type": "session.input_audio.append", "audio": sound(1_000)},
    {"type": "session.input_audio.mute"},
    {"type": "session.input_audio.unmute"},
    {"type": "session.instructions.append", "content": "be brief", "delegation_id": None},
    {"type": "session.thinking.append", "content": "it rains", "delegation_id": "delegation_1"},
    {"type": "session.commentary.append", "content": "tea", "delegation_id": None},
    {"type": "response.item.create", "item": {"type": "message", "role": "user", "content": "and tomorrow?"}},
    {"type": "response.item.create", "item": {"type": "function_call_output", "call_id": "call_1", "output": "x"}},
    {"type": "response.create"},
    {"type": "decision.create", "event_id": "d"},
    {"type": "transport.dtmf.send", "event": "1"},
    {"type": "microturn.extensions.enable", "turns": True, "silence": "omit", "jobs": True},
    {"type": "microturn.session.resume", "resume_token": "token-0", "session": {"model": "nano"}},
    {"type": "microturn.text", "text": "hello"},
    {"type": "microturn.say", "text": "hello"},
    {"type": "microturn.camera_frame", "image": PIXEL},
    {"type": "microturn.job.decide", "job": 1, "allow": True},
    {"type": "session.close"},
]
REALTIME_EVENTS: list[dict[str, Any]] = [
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": "Be kind.",
            "output_modalities": ["text"],
            "tools": [TOOL],
            "audio": {
                "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad"}},
                "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin"},
            },
        },
    },
    {"type": "input_audio_buffer.append", "audio": sound(200)},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "output_audio_buffer.clear"},
    {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_audio", "audio": sound(40)},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
            ],
        },
    },
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "x"}},
    {"type": "conversation.item.delete", "item_id": "item_1"},
    {"type": "conversation.item.retrieve", "item_id": "item_1"},
    {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 5},
    {"type": "response.create", "response": {"instructions": "be brief", "metadata": {"a": "b"}}},
    {"type": "response.cancel"},
    {"type": "transcription_session.update", "session": {}},
]

# --- what comes over the wire ----------------------------------------------------------------------------------------

ODD_TEXT = st.text(max_size=20) | st.sampled_from(
    ["\x00", "\ud800", "🙂" * 50, "x" * 50_000, "AAA", "A" * 7 + "=", "====", sound(40)[:-3], "-1", "null"]
)
ODD_NUMBERS = st.integers() | st.sampled_from([10**400, -(10**20), 2**63, 1e308, float("nan"), float("inf"), -0.0])
ODD = st.recursive(
    st.none() | st.booleans() | ODD_NUMBERS | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=6,
)
DEEP = st.sampled_from(["[" * 50_000, '{"type":' * 5_000, '{"type": "session.start", "session": ' + "[" * 2_000])


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything inside a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for key, inner in value.items() for place in places_in(inner, (*path, key))]
    elif isinstance(value, list):
        found += [place for index, inner in enumerate(value) for place in places_in(inner, (*path, index))]
    return found


@st.composite
def altered(draw: st.DrawFn, events: list[dict[str, Any]]) -> str:
    """An event of the protocol with one thing in it replaced, taken away or added."""
    event = copy.deepcopy(draw(st.sampled_from(events)))
    *path, last = draw(st.sampled_from(places_in(event)))
    inner: Any = event
    for step in path:
        inner = inner[step]
    change = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
    if change == "remove":
        del inner[last]
    elif change == "replace" or not isinstance(inner, dict):
        inner[last] = draw(ODD)
    else:
        inner[draw(ODD_TEXT)] = draw(ODD)
    return json.dumps(event)


def messages(events: list[dict[str, Any]]) -> st.SearchStrategy[list[str | None]]:
    """What one client sends; None stands for binary junk."""
    whole = st.sampled_from(events).map(json.dumps)
    one = whole | whole | altered(events) | altered(events) | ODD.map(json.dumps) | ODD_TEXT | DEEP | st.none()
    return st.lists(one, min_size=1, max_size=10)


# --- a server in memory ----------------------------------------------------------------------------------------------


class MemoryChannel:
    """A channel whose client has said everything beforehand, and hangs up when told to."""

    allowance = UNLIMITED

    def __init__(self, sent: list[str | None]) -> None:
        self._incoming: asyncio.Queue[str | type[ClientGoneError] | None] = asyncio.Queue()
        self.received: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()
        for text in sent:
            self._incoming.put_nowait(text)

    def say(self, text: str) -> None:
        self._incoming.put_nowait(text)

    def hang_up(self) -> None:
        self._incoming.put_nowait(ClientGoneError)

    async def receive(self) -> str | None:
        text = await self._incoming.get()
        if text is ClientGoneError:
            raise ClientGoneError
        return text  # pyright: ignore[reportReturnType]

    async def send(self, text: str) -> None:
        self.received.append(json.loads(text))
        self._arrived.set()

    async def until(self, kind: str) -> dict[str, Any]:
        """The first event of a kind."""
        while True:
            for event in self.received:
                if event["type"] == kind:
                    return event
            self._arrived.clear()
            await self._arrived.wait()


def answer(turn: MicroTurnInput) -> MicroTurnOutput:
    """Hears, says, asks, breaks off."""
    piece = Piece(kind=PieceKind.ACT, text=("ask 1: Oslo", "amend 1: Rome", "cancel 1", "gibberish")[turn.index % 4])
    return MicroTurnOutput(
        index=turn.index, hear=" you", say=" me", audio=TONE, pieces=(piece,), is_clear=turn.index % 5 == 4
    )


def new_server() -> LiveServer:
    return LiveServer(
        engine=ScriptedEngine(answer), offer=Offer(model="nano", voice="heart"), limits=Limits(max_bad_messages=8)
    )


async def converse_beside_a_neighbour(
    sent: list[str | None], make: Callable[[LiveServer, Channel], Any], started: str = ""
) -> MemoryChannel:
    """Let one client say all that, hang up, and see that its neighbour is still heard."""
    live = new_server()
    neighbour = MemoryChannel(['{"type": "session.start", "session": {"model": "nano"}}'])
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(converse_and_flush(Connection(live, neighbour, OWNER)))
        await neighbour.until("session.started")
        channel = MemoryChannel(sent)
        channel.hang_up()
        await converse_and_flush(make(live, channel))
        neighbour.say(json.dumps({"type": "session.input_audio.append", "audio": sound()}))
        await neighbour.until("session.output_audio.delta")
        neighbour.hang_up()
    assert "error" not in [event["type"] for event in neighbour.received]
    return channel


def check_live(channel: MemoryChannel) -> None:
    for event in channel.received:
        SERVER_EVENT.validate_python(event)
        assert event["type"] != "error" or event["error"]["code"] != "internal_error", event


# --- the protocols ---------------------------------------------------------------------------------------------------


@FUZZ
@given(messages(LIVE_EVENTS), st.booleans())
def test_live(sent: list[str | None], has_started: bool) -> None:
    first: list[str | None] = [json.dumps(LIVE_EVENTS[1])] if has_started else []
    check_live(
        asyncio.run(converse_beside_a_neighbour(first + sent, lambda live, channel: Connection(live, channel, OWNER)))
    )


@FUZZ
@given(messages(LIVE_EVENTS))
def test_a_fork(sent: list[str | None]) -> None:
    def fork(live: LiveServer, channel: Channel) -> ForkConnection:
        (entry,) = live.directory
        return ForkConnection(live, channel, entry)

    check_live(asyncio.run(converse_beside_a_neighbour([json.dumps(LIVE_EVENTS[0]), *sent], fork)))


@FUZZ
@given(messages([event for event in LIVE_EVENTS if event["type"] != "session.close"]))
def test_an_attached_client(sent: list[str | None]) -> None:
    def attach(live: LiveServer, channel: Channel) -> Sideband:
        (entry,) = live.directory
        assert entry.session is not None
        return Sideband(live, channel, entry.session)

    check_live(asyncio.run(converse_beside_a_neighbour(sent, attach)))


@FUZZ
@given(messages(REALTIME_EVENTS))
def test_realtime(sent: list[str | None]) -> None:
    channel = asyncio.run(converse_beside_a_neighbour(sent, RealtimeConnection))
    for event in channel.received:
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
