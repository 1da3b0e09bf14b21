"""Clients that send anything at all, to a server in memory, beside a neighbour who must notice nothing of it.

Connections run on a channel in memory around a scripted engine: what is left out is the network, not a line of ours. A
crash inside a session would show as ``internal_error``, the one code that must never be seen here.
"""

import asyncio
import copy
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from server_harness import TONE, sound

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.background.tools import builtin_tools
from microturn.clock import Clock, SystemClock
from microturn.protocol.live import SERVER_EVENT
from microturn.server.admission import UNLIMITED
from microturn.server.background_engine import BackgroundEngine
from microturn.server.channel import ClientGoneError
from microturn.server.connection import Connection
from microturn.server.edge import converse_and_flush
from microturn.server.limits import Limits
from microturn.server.live_server import LiveServer
from microturn.server.session_setup import Offer
from microturn.testing.clock import ManualClock
from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind

WITHIN_S = 60.0
"""Only a hang takes so long."""
OWNER = "anybody"
FUZZ = settings(
    deadline=None, derandomize=True, database=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
RULES = [{"tool": "forget_*", "permission": "deny"}, {"tool": "tell_time", "permission": "ask"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

ENABLING: dict[str, Any] = {
    "type": "microturn.extensions.enable",
    "jobs": True,
    "locale": "de-AT",
    "time_zone": "Europe/Vienna",
    "tools": RULES,
}
SPOKEN: dict[str, Any] = {"type": "session.input_audio.append", "audio": sound(1_000)}
BACKGROUND_EVENTS: list[dict[str, Any]] = [
    ENABLING,
    SPOKEN,
    {"type": "microturn.tools.update", "rules": RULES},
    {"type": "microturn.job.decide", "job": 2, "allow": True},
]
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
            "client": {"data_channel": {"allowed_client_events": "all", "allowed_server_events": [{"type": "error"}]}},
            "delegation": {"type": "responses", "responses": {"model": "any", "tools": [TOOL]}},
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        },
    },
    {"type": "session.update", "session": {"delegation": {"type": "responses", "responses": {"tools": [TOOL]}}}},
    {"type": "session.input_audio.append", "audio": sound(200)},
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
    *BACKGROUND_EVENTS,
    {"type": "microturn.session.resume", "resume_token": "token-0", "session": {"model": "nano"}},
    {"type": "microturn.text", "text": "hello"},
    {"type": "microturn.say", "text": "hello"},
    {"type": "microturn.camera_frame", "image": PIXEL},
    {"type": "session.close"},
]
OPENINGS = [[], [LIVE_EVENTS[1]], [LIVE_EVENTS[0], ENABLING, SPOKEN]]
"""What a client may have said before anything else."""
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


def messages(
    events: list[dict[str, Any]], *, beside: st.SearchStrategy[Any] | None = None
) -> st.SearchStrategy[list[Any]]:
    """What one client sends; None stands for binary junk.

    Args:
        beside: What else it may send.
    """
    whole = st.sampled_from(events).map(json.dumps)
    one = whole | whole | altered(events) | altered(events) | ODD.map(json.dumps) | ODD_TEXT | DEEP | st.none()
    return st.lists(one if beside is None else one | beside, min_size=1, max_size=10)


# --- a server in memory ----------------------------------------------------------------------------------------------


class Client(Protocol):
    """Who says what is drawn."""

    def say(self, said: Any) -> None:
        """Send one message."""
        ...

    def hang_up(self) -> None:
        """Be gone."""
        ...


class MemoryChannel:
    """A channel whose client speaks, and hangs up, when told to."""

    allowance = UNLIMITED

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[str | type[ClientGoneError] | None] = asyncio.Queue()
        self.received: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()

    def say(self, said: str | None) -> None:
        self._incoming.put_nowait(said)

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

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of a kind, once there are so many."""
        while len(events := [event for event in self.received if event["type"] == kind]) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return events


class Neighbour:
    """Another session of the same server: it sends its turns, and hears of each in its order, whatever others do."""

    def __init__(self, clock: ManualClock) -> None:
        self.channel = MemoryChannel()
        self._clock = clock
        self._num_turns = 0

    async def begin(self) -> None:
        self.channel.say(json.dumps(LIVE_EVENTS[0]))
        await self.channel.until("session.started")

    async def take_turn(self) -> None:
        self._num_turns += 1
        self._clock.advance_ms(2_000)  # Enough also for sound that came from who is attached.
        self.channel.say(json.dumps({"type": "session.input_audio.append", "audio": sound()}))
        heard = await self.channel.until("session.input_transcript.delta", self._num_turns)
        assert [event["delta"] for event in heard] == [f" {index}" for index in range(len(heard))]
        assert "error" not in [event["type"] for event in self.channel.received]


ASKED = ("ask 1: Oslo", "amend 1: Rome", "ask 2: delete my notes", "ask 3: three times four", "cancel 1", "gibberish")


def answer(turn: MicroTurnInput) -> MicroTurnOutput:
    """Hears, says, asks, breaks off."""
    piece = Piece(kind=PieceKind.ACT, text=ASKED[turn.index % len(ASKED)])
    return MicroTurnOutput(
        index=turn.index, hear=f" {turn.index}", say=" me", audio=TONE, pieces=(piece,), is_clear=turn.index % 5 == 4
    )


def new_server(clock: Clock | None = None, background: Coordinator | None = None) -> LiveServer:
    engine = ScriptedEngine(answer)
    return LiveServer(
        engine=engine if background is None else BackgroundEngine(engine, background),
        offer=Offer(model="nano", voice="heart", background=background.backend.name if background else None),
        limits=Limits(max_bad_messages=8),
        clock=clock or SystemClock(),
    )


async def converse_beside_a_neighbour(
    client: Client,
    sent: Sequence[Any],
    converse: Callable[[LiveServer], Coroutine[Any, Any, Any]],
    *,
    has_background: bool,
) -> None:
    """Let one client say all that and hang up; its neighbour has a turn after each message, and one at the end."""
    clock = ManualClock(10**12)
    background = Coordinator(ToolsBackend(), builtin_tools()) if has_background else None
    live, neighbour = new_server(clock, background), Neighbour(clock)
    await (await live.engine.open()).park()  # The first token's: anybody may go on with it.
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(converse_and_flush(Connection(live, neighbour.channel, OWNER)))
        await neighbour.begin()
        conversing = tasks.create_task(converse(live))
        for each in sent:
            client.say(each)
            await neighbour.take_turn()
        client.hang_up()
        await conversing
        await neighbour.take_turn()
        neighbour.channel.hang_up()
    if background is not None:
        await background.close()


def check_live(received: list[dict[str, Any]]) -> None:
    """What came is of the protocol, and no crash."""
    for event in received:
        SERVER_EVENT.validate_python(event)
        assert event["type"] != "error" or event["error"]["code"] != "internal_error", event
