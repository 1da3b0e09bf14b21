"""The official openai package offers functions of several arguments; a language model behind the server calls them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from server_harness import (
    RunningServer,
    WatchedEngine,
    message,
    raw_session,
    receive_until,
    running_server,
    says,
    send_turns,
    sound,
)
from websockets.asyncio.client import connect

pytest.importorskip("pydantic_ai")

from microturn.background.backends.agent import AgentBackend, EndpointConfig
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.testing.endpoint import EndpointReply, ScriptedEndpoint, scripted_endpoint
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind

PARAMETERS = {
    "type": "object",
    "properties": {"origin": {"type": "string"}, "city": {"type": "string"}, "seats": {"type": "integer"}},
    "required": ["origin", "city", "seats"],
}
FLIGHTS = {"type": "function", "name": "find_flights", "description": "Finds flights.", "parameters": PARAMETERS}
BOOK = {
    "type": "function",
    "name": "book_flight",
    "parameters": {"type": "object", "properties": {"flight": {"type": "string"}, "seats": {"type": "integer"}}},
}
SEARCH = EndpointReply(tool="find_flights", arguments={"origin": "Rome", "city": "Oslo", "seats": 2})
REPLIES = [
    SEARCH,
    EndpointReply(tool="book_flight", arguments={"flight": "SK1", "seats": 2}),
    EndpointReply(text="You fly at eight."),
]
OUTPUTS = {"find_flights": '["SK1"]', "book_flight": "booked"}


def asks(turn: MicroTurnInput) -> MicroTurnOutput:
    """Asks in the third turn, and takes it back long after; says what it is told is done."""
    if results := [event.text for event in turn.events if " done: " in event.text or " error: " in event.text]:
        return says(turn.index, f" {results[0]}")
    acts = {2: "ask 1: two seats from rome to oslo", 40: "cancel 1"}
    pieces = (Piece(kind=PieceKind.ACT, text=acts[turn.index]),) if turn.index in acts else ()
    return MicroTurnOutput(index=turn.index, pieces=pieces)


@asynccontextmanager
async def server_with(replies: list[EndpointReply]) -> AsyncGenerator[tuple[RunningServer, ScriptedEndpoint]]:
    async with scripted_endpoint(replies) as endpoint:
        backend = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        async with (
            Coordinator(backend) as coordinator,
            running_server(WatchedEngine(asks), background=coordinator) as server,
        ):
            yield server, endpoint


def by_responses(*tools: Any, **more: Any) -> dict[str, Any]:
    return {"type": "responses", "responses": {"model": "m", "tools": list(tools), **more}}


async def test_live_functions_that_depend_on_each_other_are_called_with_all_their_arguments() -> None:
    async with server_with(REPLIES) as (server, endpoint), server.client().live.connect() as connection:
        delegation: Any = by_responses(FLIGHTS, BOOK, instructions="Prefer the morning.")
        await connection.session.start(session={"model": "nano", "delegation": delegation})
        calls: list[tuple[str, dict[str, Any]]] = []
        nested: list[str] = []
        delegations: list[str] = []
        said = ""
        for _ in range(3):
            await connection.session.input_audio.append(audio=sound())
        async for event in connection:
            match event.type:
                case "info":
                    assert "instructions" not in event.message
                case "session.delegation.created":
                    delegations.append(event.delegation.id)
                case "response.event":
                    assert event.delegation_id == delegations[0]
                    inner: Any = event.event
                    nested.append(inner["type"] if isinstance(inner, dict) else inner.type)
                    inner = inner if isinstance(inner, dict) else inner.model_dump()
                    item = inner.get("item") or {}
                    if inner["type"] == "response.output_item.done" and item["type"] == "function_call":
                        calls.append((item["name"], json.loads(item["arguments"])))
                        output = {
                            "type": "function_call_output",
                            "call_id": item["call_id"],
                            "output": OUTPUTS[item["name"]],
                        }
                        await connection.send({"type": "response.item.create", "item": output})  # pyright: ignore
                        await connection.send({"type": "response.create"})  # pyright: ignore
                    if inner["type"] == "response.output_text.done":
                        assert inner["text"] == "You fly at eight."
                        for _ in range(2):
                            await connection.session.input_audio.append(audio=sound())
                case "session.output_transcript.delta":
                    said += event.delta
                    break
                case "error":
                    raise AssertionError(event)
                case _:
                    pass
        assert calls == [
            ("find_flights", {"origin": "Rome", "city": "Oslo", "seats": 2}),
            ("book_flight", {"flight": "SK1", "seats": 2}),
        ]
        assert said == " 1 done: You fly at eight."
        assert len(delegations) == 1
        assert nested.count("response.created") == nested.count("response.completed") == 3
    assert "Prefer the morning." in json.dumps(endpoint.requests[0]["messages"])


async def test_realtime_functions_that_depend_on_each_other_are_called_with_all_their_arguments() -> None:
    async with (
        server_with(REPLIES) as (server, _),
        server.client().realtime.connect(model="gpt-realtime") as connection,
    ):
        tools: Any = [FLIGHTS, BOOK]
        await connection.session.update(session={"type": "realtime", "tools": tools})
        calls: list[tuple[str, dict[str, Any]]] = []
        said = ""
        async for event in connection:
            if event.type == "response.done":
                for item in event.response.output or []:
                    if item.type == "function_call":
                        calls.append((item.name or "", json.loads(item.arguments)))
                        output: Any = {
                            "type": "function_call_output",
                            "call_id": item.call_id,
                            "output": OUTPUTS[item.name or ""],
                        }
                        await connection.conversation.item.create(item=output)
                        await connection.response.create()
                if said:
                    break
            elif event.type == "response.output_audio_transcript.done":
                said = event.transcript
            assert event.type != "error"
        assert calls == [
            ("find_flights", {"origin": "Rome", "city": "Oslo", "seats": 2}),
            ("book_flight", {"flight": "SK1", "seats": 2}),
        ]
        assert said == "1 done: You fly at eight."


async def test_functions_are_changed_with_the_session() -> None:
    async with server_with([EndpointReply(text="Fine.")]) as (server, endpoint):
        async with raw_session(server, delegation=by_responses(FLIGHTS)) as socket:
            update = {"delegation": by_responses(BOOK, instructions="Be quick.")}
            await socket.send(message("session.update", session=update))
            await receive_until(socket, "session.updated")
            await send_turns(socket, 3)
            await endpoint.asked.wait()
        assert [tool["function"]["name"] for tool in endpoint.requests[0]["tools"]] == ["book_flight"]
        assert "Be quick." in json.dumps(endpoint.requests[0]["messages"])


async def test_a_call_outlasts_the_connection_and_is_told_once() -> None:
    async with server_with([SEARCH, EndpointReply(text="You fly at eight.")]) as (server, _):
        async with raw_session(server, delegation=by_responses(FLIGHTS)) as socket:
            await socket.send(message("microturn.extensions.enable", turns=False))
            token = (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]
            await send_turns(socket, 3)
            call = await _call(socket)
        await server.engine.parked.get()
        async with connect(server.live_url) as socket:
            await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
            item = {"type": "function_call_output", "call_id": call["call_id"], "output": "[]"}
            await socket.send(message("response.item.create", item=item))
            await socket.send(message("response.create"))
            kinds: list[str] = []
            while "response.completed" not in kinds:
                kinds.append((await receive_until(socket, "response.event"))["event"]["type"])
            assert "response.function_call_arguments.done" not in kinds
            assert "response.output_text.done" in kinds


async def test_the_output_of_a_call_that_was_withdrawn_is_refused() -> None:
    async with server_with([SEARCH]) as (server, _), raw_session(server, delegation=by_responses(FLIGHTS)) as socket:
        await send_turns(socket, 3)
        call = await _call(socket)
        await socket.send(message("microturn.extensions.enable", turns=False, jobs=True))
        assert (await receive_until(socket, "microturn.job"))["state"] == "running"
        await send_turns(socket, 38)
        while (await receive_until(socket, "microturn.job"))["state"] != "cancelled":
            pass
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "[]"}
        await socket.send(message("response.item.create", item=output))
        assert (await receive_until(socket, "error"))["error"]["code"] == "unknown_call"


async def test_more_functions_than_a_model_can_read_are_refused() -> None:
    async with running_server() as server, connect(server.live_url) as socket:
        many = [{**FLIGHTS, "name": f"find_{number}"} for number in range(65)]
        await socket.send(message("session.start", session={"model": "nano", "delegation": by_responses(*many)}))
        assert (await receive_until(socket, "error"))["error"]["code"] == "invalid_value"
        long = {**FLIGHTS, "description": "x" * 40_000}
        await socket.send(message("session.start", session={"model": "nano", "delegation": by_responses(long)}))
        assert "shorten" in (await receive_until(socket, "error"))["error"]["message"]


async def test_without_a_language_model_choices_and_numbers_are_filled_in_from_the_words() -> None:
    seats: Any = {"enum": ["window", "aisle"]}
    parameters = {"type": "object", "properties": {"seat": seats, "count": {"type": "integer"}}}
    reserve = {"type": "function", "name": "reserve_seats", "parameters": parameters}

    def wants(turn: MicroTurnInput) -> MicroTurnOutput:
        piece = Piece(kind=PieceKind.ACT, text="ask 1: two seats at the window")
        return MicroTurnOutput(index=turn.index, pieces=(piece,) if turn.index == 2 else ())

    for background in (None, Coordinator(ToolsBackend())):
        async with (
            running_server(WatchedEngine(wants), background=background) as server,
            raw_session(server, delegation=by_responses(reserve)) as socket,
        ):
            await send_turns(socket, 3)
            call = await _call(socket)
            assert (call["name"], json.loads(call["arguments"])) == ("reserve_seats", {"seat": "window", "count": 2})
        if background is not None:
            await background.close()


async def _call(socket: Any) -> dict[str, Any]:
    """The next function call."""
    while True:
        event = (await receive_until(socket, "response.event"))["event"]
        if event["type"] == "response.output_item.done":
            return event["item"]


@pytest.fixture(autouse=True)
async def _limited():
    async with asyncio.timeout(60):
        yield
