"""The whole audio and text surface of GPT-Live with the official package: its events, attach, fork, delegate."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from openai import BadRequestError, NotFoundError
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from server_harness import (
    RunningServer,
    WatchedEngine,
    message,
    raw_session,
    receive,
    receive_until,
    running_server,
    says,
    send_turns,
    sound,
    still_answers,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.workbench import Workbench
from microturn.protocol.live import UNSUPPORTED_CLIENT_EVENTS
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind
from microturn.turns.trace import TurnTrace

NESTED = TypeAdapter(ResponseStreamEvent)
TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
LONG = "and it goes on. " * 30 + "So it does."
DECISIONS = {"model": "any", "questions": []}
BY_FUNCTION = {"type": "responses", "responses": {"model": "any", "tools": [TOOL]}}


def asks(*acts: str) -> Any:
    """Writes its acts, one a turn from the third on; says what it is told is done."""

    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        if results := [event.text for event in turn.events if " done: " in event.text or " error: " in event.text]:
            return says(turn.index, f" {results[0]}")
        number = turn.index - 2
        pieces = (Piece(kind=PieceKind.ACT, text=acts[number]),) if 0 <= number < len(acts) else ()
        return MicroTurnOutput(index=turn.index, pieces=pieces)

    return answer


class Librarian:
    """A scripted backend: it has one answer, and waits until it may give it."""

    name = "librarian"
    package_policy = PackagePolicy()

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.questions: list[str] = []

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        self.questions.append(package.question)
        await self.may_answer.wait()
        return Answer(text="minus two degrees")

    async def close(self) -> None:
        pass


# --- every event -----------------------------------------------------------------------------------------------------

TEXT_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
HANDLED: list[tuple[dict[str, Any], str]] = [
    ({"type": "session.update", "session": {}}, "session.updated"),
    ({"type": "session.input_audio.append", "audio": sound()}, "session.output_audio.delta"),
    ({"type": "session.input_audio.mute"}, "session.input_audio.muted"),
    ({"type": "session.input_audio.unmute"}, "session.input_audio.unmuted"),
    ({"type": "session.instructions.append", "content": "x", "delegation_id": None}, "session.instructions.appended"),
    ({"type": "session.thinking.append", "content": "x", "delegation_id": None}, "session.thinking.appended"),
    ({"type": "session.commentary.append", "content": "x", "delegation_id": None}, "session.commentary.appended"),
    ({"type": "session.close"}, "session.closed"),
]


@pytest.mark.parametrize(("event", "answer"), HANDLED, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_client_event_that_is_served(event: dict[str, Any], answer: str) -> None:
    async with running_server() as server, raw_session(server) as socket:
        await socket.send(json.dumps({**event, "event_id": "mine"}))
        answered = await receive_until(socket, answer)
        assert answered.get("client_event_id", "mine") == "mine"


async def test_every_client_event_that_is_not_served_is_named_so() -> None:
    async with running_server() as server, raw_session(server) as socket:
        for kind in UNSUPPORTED_CLIENT_EVENTS:
            await socket.send(message(kind, event_id=kind))
            error = (await receive_until(socket, "error"))["error"]
            assert (error["code"], error["client_event_id"]) == ("unsupported", kind)
        assert await still_answers(socket)


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"audio": {"output": {"voice": {"id": "voice_1"}}}}, "session.audio.output.voice"),
        ({"delegation": {"type": "decisions", "decisions": DECISIONS}}, "session.delegation.type"),
        ({"delegation": {"type": "responses", "responses": {"model": "x"}}}, "session.delegation.type"),
    ],
)
async def test_a_setting_that_is_not_served_is_named_so(session: dict[str, Any], param: str) -> None:
    async with running_server() as server, connect(server.live_url) as socket:
        await socket.send(message("session.start", session={"model": "nano", **session}))
        error = (await receive(socket))["error"]
        assert (error["code"], error["param"]) == ("unsupported", param)


@pytest.mark.parametrize("path", ["accept", "refer", "reject", "content"])
async def test_telephony_and_recordings_are_named_as_not_served(path: str) -> None:
    async with running_server() as server, server.client() as client:
        calls = {
            "accept": lambda: client.live.sessions.accept("x", session={"model": "nano", "type": "live"}),
            "refer": lambda: client.live.sessions.refer("x", target_uri="tel:+14155550123"),
            "reject": lambda: client.live.sessions.reject("x", status_code=486),
            "content": lambda: client.live.sessions.download_recording("x"),
        }
        with pytest.raises(BadRequestError) as refused:
            await calls[path]()
        assert refused.value.code == "unsupported"


async def test_every_step_of_overload_is_said_up_and_down() -> None:
    rungs = [0, 1, 1, 2, 1, 0, 0]
    engine = WatchedEngine(trace=lambda index: TurnTrace(index=index, overload_rung=rungs[index]))
    async with running_server(engine) as server, raw_session(server) as socket:
        await send_turns(socket, len(rungs))
        told = [await receive_until(socket, "info") for _ in range(4)]
        assert {each["code"] for each in told} == {"overload"}
        assert [each["message"].partition(":")[0] for each in told] == [
            "step 1 of 4",
            "step 2 of 4",
            "step 1 of 4",
            "over",
        ]


# --- attaching -------------------------------------------------------------------------------------------------------


async def test_who_attaches_sees_hears_and_steers() -> None:
    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        return says(turn.index, " hello", hear=" you")

    async with running_server(WatchedEngine(answer)) as server, server.client().live.connect() as connection:
        telephone = {"format": {"type": "audio/pcmu", "rate": 8_000}}
        await connection.session.start(session={"model": "nano", "audio": telephone})
        session_id = (await connection.recv()).session.id
        async with server.client().live.sideband.connect(session_id=session_id) as sideband:
            assert (await sideband.recv()).session.id == session_id
            loud = base64.b64encode(b"\x80" * 1600).decode()
            await connection.session.input_audio.append(audio=loud)
            seen: dict[str, Any] = {}
            while len(seen) < 4:
                event = await sideband.recv()
                seen[event.type] = event
            heard = np.frombuffer(base64.b64decode(seen["session.input_audio.append"].audio), "<i2")
            said = np.frombuffer(base64.b64decode(seen["session.output_audio.delta"].delta), "<i2")
            assert (len(heard), len(said)) == (4800, 4800)  # 24 kHz, whatever the session's own format is
            assert np.abs(heard).max() > 20_000
            assert seen["session.input_transcript.delta"].delta == " you"

            await sideband.session.input_audio.mute(event_id="hush")
            await sideband.session.instructions.append(content="be brief", delegation_id=None)
            assert (await _until(sideband, "session.input_audio.muted")).client_event_id == "hush"
            assert (await _until(connection, "session.instructions.appended")).type
            await sideband.send({"type": "session.input_audio.append", "audio": loud})
            assert (await _until(sideband, "error")).error.code == "unsupported"
            await sideband.session.close(event_id="enough")
            assert (await _until(sideband, "session.closed")).client_event_id == "enough"
            assert (await _until(connection, "session.closed")).client_event_id == "enough"


async def test_who_attached_leaves_and_the_session_goes_on() -> None:
    async with running_server() as server, raw_session(server) as socket:
        await _attached_once(server, socket)
        assert await still_answers(socket)


async def _attached_once(server: RunningServer, socket: ClientConnection) -> None:
    session_id = next(iter(await _session_ids(socket)))
    async with connect(f"{server.live_url}/{session_id}/attach") as follower:
        assert (await receive(follower))["type"] == "session.started"


async def _session_ids(socket: ClientConnection) -> list[str]:
    await socket.send(message("session.update", session={}))
    return [(await receive_until(socket, "session.updated"))["session"]["id"]]


async def test_nobody_finds_a_session_that_is_not_there_or_has_no_right_to_look() -> None:
    async with running_server(key="key") as server:
        for path in ("live_nobody/attach", "live_nobody/fork"):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"{server.live_url}/{path}", additional_headers={"authorization": "Bearer key"}):
                    pass
            assert refused.value.response.status_code == 404
        async with server.client("key") as client:
            secret = (await client.realtime.client_secrets.create()).value
            with pytest.raises(NotFoundError):
                await client.live.sessions.hangup("live_nobody")
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{server.live_url}/x/attach", additional_headers={"authorization": f"Bearer {secret}"}):
                pass
        assert refused.value.response.status_code == 403


async def test_hanging_up_ends_the_session() -> None:
    async with running_server() as server, raw_session(server) as socket:
        (session_id,) = await _session_ids(socket)
        await server.client().live.sessions.hangup(session_id)
        assert (await receive_until(socket, "session.closed"))["reason"] == "close_requested"


# --- forking ---------------------------------------------------------------------------------------------------------


async def test_a_fork_goes_on_by_itself_with_usage_of_its_own() -> None:
    def counts(turn: MicroTurnInput) -> MicroTurnOutput:
        return says(turn.index, f" {turn.index}")

    async with running_server(WatchedEngine(counts)) as server, server.client().live.connect() as connection:
        await connection.session.start(session={"model": "nano", "instructions": "Be kind."})
        session_id = (await connection.recv()).session.id
        for _ in range(3):
            await connection.session.input_audio.append(audio=sound())
            await _until(connection, "session.output_audio.delta")
        async with server.client().live.forks.connect(session_id=session_id) as fork:
            await fork.session.start(session={}, event_id="mine")
            started = await fork.recv()
            assert (started.client_event_id, started.session.instructions) == ("mine", "Be kind.")
            assert started.session.id != session_id
            await fork.session.input_audio.append(audio=sound())
            assert (await _until(fork, "session.output_transcript.delta")).delta == " 3"
            await fork.session.close()
            assert (await _until(fork, "session.closed")).usage.seconds == pytest.approx(0.2)
        await connection.session.input_audio.append(audio=sound())
        await connection.session.close()
        assert (await _until(connection, "session.closed")).usage.seconds >= 0.6


async def test_a_fork_cannot_change_who_does_the_work() -> None:
    async with running_server() as server, raw_session(server) as socket:
        (session_id,) = await _session_ids(socket)
        async with connect(f"{server.live_url}/{session_id}/fork") as fork:
            await fork.send(message("session.start", session={"delegation": {"type": "responses"}}))
            assert (await receive(fork))["error"]["code"] == "wrong_delegation"
            await fork.send(message("session.start", session={"model": "other"}))
            assert (await receive(fork))["type"] == "session.started"


# --- delegating ------------------------------------------------------------------------------------------------------


async def test_the_client_does_the_work_and_answers() -> None:
    engine = WatchedEngine(asks("ask 1: weather in Oslo", "amend 1: tomorrow", "ask 2: news", "cancel 2"))
    async with running_server(engine) as server, raw_session(server) as socket:
        await socket.send(message("microturn.extensions.enable", turns=False, jobs=True))
        await send_turns(socket, 6)
        created = await receive_until(socket, "session.delegation.created")
        assert (created["delegation"]["target"], created["offset_ms"]) == ("client", 400)
        asked = await receive_until(socket, "microturn.delegation")
        assert (asked["act"], asked["text"]) == ("ask", "weather in Oslo")
        assert asked["delegation_id"] == created["delegation"]["id"]
        amended = await receive_until(socket, "microturn.delegation")
        assert (amended["job"], amended["act"], amended["text"]) == (1, "amend", "tomorrow")
        dropped = await receive_until(socket, "microturn.delegation")
        assert (await receive_until(socket, "microturn.delegation"))["act"] == "cancel"

        await socket.send(message("session.thinking.append", content="looking", delegation_id=amended["delegation_id"]))
        await socket.send(
            message("session.commentary.append", content=f"**minus 2** {LONG}", delegation_id=amended["delegation_id"])
        )
        await receive_until(socket, "session.commentary.appended")
        await socket.send(message("session.commentary.append", content="x", delegation_id=dropped["delegation_id"]))
        assert (await receive_until(socket, "error"))["error"]["code"] == "unknown_delegation"
        await send_turns(socket, 1)
        told = (await receive_until(socket, "session.output_transcript.delta"))["delta"]
        assert told == f" 1 done: minus two {LONG}"  # whole: there is no page that would have the rest


async def test_a_delegation_can_be_answered_after_a_lost_connection() -> None:
    async with running_server(WatchedEngine(asks("ask 1: weather in Oslo"))) as server:
        async with raw_session(server) as socket:
            await socket.send(message("microturn.extensions.enable", turns=False))
            token = (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]
            (session_id,) = await _session_ids(socket)
            await send_turns(socket, 3)
            created = await receive_until(socket, "session.delegation.created")
        await server.engine.parked.get()
        async with connect(server.live_url) as socket:
            await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
            assert (await receive(socket))["session"]["id"] == session_id
            delegation_id = created["delegation"]["id"]
            await socket.send(message("session.commentary.append", content="minus 2", delegation_id=delegation_id))
            await receive_until(socket, "session.commentary.appended")


async def test_a_session_that_is_resumed_keeps_its_settings_but_for_the_format() -> None:
    async with running_server(WatchedEngine(asks("ask 1: Oslo"))) as server:
        async with raw_session(server, delegation=BY_FUNCTION, instructions="Be brief.") as socket:
            await socket.send(message("microturn.extensions.enable", turns=False))
            token = (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]
        await server.engine.parked.get()
        async with connect(server.live_url) as socket:
            again = {"model": "nano", "audio": {"format": {"type": "audio/pcmu", "rate": 8_000}}}
            await socket.send(message("microturn.session.resume", resume_token=token, session=again))
            resource = (await receive(socket))["session"]
            assert resource["instructions"] == "Be brief."
            assert resource["audio"]["format"]["type"] == "audio/pcmu"
            for _ in range(3):
                await socket.send(message("session.input_audio.append", audio=base64.b64encode(bytes(1_600)).decode()))
            assert (await receive_until(socket, "session.delegation.created"))["delegation"]["target"] == "responses"


async def test_a_function_of_the_client_is_called_through_responses() -> None:
    async with (
        running_server(WatchedEngine(asks("ask 1: Oslo"))) as server,
        raw_session(server, delegation=BY_FUNCTION) as socket,
    ):
        await send_turns(socket, 3)
        delegation = (await receive_until(socket, "session.delegation.created"))["delegation"]
        assert delegation["target"] == "responses"
        nested = await _response(socket)
        assert nested[0]["response"]["id"] == delegation["response_id"]
        (call,) = [each["item"] for each in nested if each["type"] == "response.output_item.done"]
        assert (call["name"], call["arguments"]) == ("weather", '{"place": "Oslo"}')
        await socket.send(message("response.create", event_id="early"))
        assert (await receive_until(socket, "error"))["error"]["code"] == "no_item"
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": "minus 2"}
        await socket.send(message("response.item.create", item=item))
        await socket.send(message("response.create"))
        assert (await _response(socket))[-1]["type"] == "response.completed"
        await socket.send(message("response.item.create", item=item))
        assert (await receive_until(socket, "error"))["error"]["code"] == "unknown_call"
        await send_turns(socket, 1)
        assert (await receive_until(socket, "session.output_transcript.delta"))["delta"] == " 1 done: minus two"


@asynccontextmanager
async def server_with(librarian: Librarian, engine: WatchedEngine) -> AsyncIterator[RunningServer]:
    async with Coordinator(librarian) as coordinator, running_server(engine, background=coordinator) as server:
        yield server


async def test_the_background_answers_as_a_response() -> None:
    librarian = Librarian()
    async with (
        server_with(librarian, WatchedEngine(asks("ask 1: weather in Oslo"))) as server,
        raw_session(server) as socket,
    ):
        await send_turns(socket, 3)
        delegation = (await receive_until(socket, "session.delegation.created"))["delegation"]
        librarian.may_answer.set()
        nested = await _response(socket)
        assert [each["type"] for each in nested][:2] == ["response.created", "response.in_progress"]
        (text,) = [each["text"] for each in nested if each["type"] == "response.output_text.done"]
        assert (text, nested[0]["response"]["model"], delegation["target"]) == (
            "minus two degrees",
            "librarian",
            "responses",
        )
        await socket.send(message("response.item.create", item={**TEXT_ITEM, "content": "and tomorrow?"}))
        await socket.send(message("response.create"))
        assert (await _response(socket))[-1]["type"] == "response.completed"
        assert ["tomorrow" in question for question in librarian.questions] == [False, True]


async def test_a_client_that_wants_the_work_has_it_though_there_is_a_background() -> None:
    librarian = Librarian()
    engine = WatchedEngine(asks("ask 1: weather in Oslo"))
    async with server_with(librarian, engine) as server, raw_session(server, delegation={"type": "client"}) as socket:
        await send_turns(socket, 4)
        assert (await receive_until(socket, "session.delegation.created"))["delegation"]["target"] == "client"
        assert await still_answers(socket)
    assert librarian.questions == []


async def _response(socket: ClientConnection) -> list[dict[str, Any]]:
    """The nested events of one response, each one of the Responses API."""
    nested: list[dict[str, Any]] = []
    while not nested or nested[-1]["type"] not in ("response.completed", "response.failed", "response.incomplete"):
        nested.append((await receive_until(socket, "response.event"))["event"])
        NESTED.validate_python(nested[-1])
    assert [each["sequence_number"] for each in nested] == list(range(len(nested)))
    return nested


async def _until(connection: Any, kind: str) -> Any:
    while (event := await connection.recv()).type != kind:
        pass
    return event
