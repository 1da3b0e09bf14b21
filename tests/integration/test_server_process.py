"""The server as a process of its own: it says where it listens, and a signal ends it in good order."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from server_harness import WITHIN_S, message, receive, receive_until, send_turns
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from websockets.asyncio.client import connect

PROGRAM = """
import asyncio
from microturn.server.log import log_to_stderr
from microturn.server.serve import Listening, serve
from microturn.testing.scripted_engine import ScriptedEngine, script
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.trace import TurnTrace

log_to_stderr()
answer = script([MicroTurnOutput(index=1, say=" whispered")])
engine = ScriptedEngine(answer, trace=lambda index: TurnTrace(index=index, num_waiting_event_tokens=7))
asyncio.run(serve(engine, Listening(port=0), on_ready=lambda url: print(url, flush=True)))
"""
TRACED = """
from microturn.server.telemetry import trace_to_collector

assert trace_to_collector()
"""


@asynccontextmanager
async def running_program(program: str, **environment: str) -> AsyncIterator[tuple[Process, str]]:
    """A server in a process of its own, and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=PIPE, stderr=PIPE, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind exist on POSIX only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_tells_the_sessions_and_ends_the_process(number: signal.Signals) -> None:
    async with asyncio.timeout(3 * WITHIN_S), running_program(PROGRAM) as (process, url):
        async with connect(url.replace("http", "ws") + "v1/live/sessions") as client:
            await client.send(message("session.start", session={"model": "nano"}))
            assert (await receive(client))["type"] == "session.started"
            process.send_signal(number)
            assert (await receive_until(client, "info"))["code"] == "server_stopping"
            assert (await receive(client))["reason"] == "close_requested"
        _, log = await process.communicate()
    assert process.returncode == 0
    events = [json.loads(line) for line in log.decode().splitlines()]
    assert [event["event"] for event in events] == ["session started", "session ended"]
    assert events[1]["detail"] == "server_stopping"


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, list[bytes]]]:
    """An address that takes spans as OpenTelemetry's exporter sends them, and the bodies that came there."""
    bodies: list[bytes] = []

    async def take(request: Request) -> Response:
        bodies.append(await request.body())
        return Response(media_type="application/x-protobuf")

    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", bodies
    finally:
        server.should_exit = True
        await serving


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind exist on POSIX only")
async def test_the_spans_of_a_session_reach_a_collector_and_hold_no_words() -> None:
    trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    async with (
        asyncio.timeout(3 * WITHIN_S),
        collector() as (address, bodies),
        running_program(TRACED + PROGRAM, OTEL_EXPORTER_OTLP_ENDPOINT=address) as (process, url),
    ):
        async with connect(url.replace("http", "ws") + "v1/live/sessions") as client:
            await client.send(message("session.start", session={"model": "nano"}))
            assert (await receive(client))["type"] == "session.started"
            await send_turns(client, 3)
            await receive_until(client, "session.output_transcript.delta")
            await receive_until(client, "session.output_audio.delta")
            await client.send(message("session.close"))
            await receive_until(client, "session.closed")
        process.terminate()  # What has not been sent goes out before the end.
        await process.communicate()
    sent = [trace_service.ExportTraceServiceRequest.FromString(body) for body in bodies]
    resources = [each for request in sent for each in request.resource_spans]
    assert {value_of(a) for each in resources for a in each.resource.attributes if a.key == "service.name"} == {
        "microturn"
    }
    spans = [span for each in resources for scope in each.scope_spans for span in scope.spans]
    (session,) = [span for span in spans if span.name == "microturn.session"]
    turns = [span for span in spans if span.name == "microturn.turn"]
    assert {span.parent_span_id for span in turns} == {session.span_id}
    assert {span.trace_id for span in turns} == {session.trace_id}
    told = [{attribute.key: value_of(attribute) for attribute in span.attributes} for span in turns]
    assert [each["turn.index"] for each in told] == [0, 1, 2]
    assert {each["turn.num_waiting_event_tokens"] for each in told} == {7}
    assert not any(b"whispered" in body for body in bodies)


def value_of(attribute: Any) -> Any:
    """The value of an attribute, whatever its type."""
    return getattr(attribute.value, attribute.value.WhichOneof("value"))
