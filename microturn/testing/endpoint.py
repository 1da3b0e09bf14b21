"""A real OpenAI-compatible endpoint on this machine that answers from a script, with every fault that networks have."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

_MAX_REQUEST_BYTES = 10_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointReply:
    """What one request is answered with. The plain one streams ``text`` word by word."""

    text: str = ""
    tool: str = ""
    """Calls this tool, after the text."""
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    status: int = 200
    """Anything else is an error of this status."""
    raw: bytes | None = None
    """Sent as it is in place of the stream's body: for malformed answers."""
    cut_after: int | None = None
    """The connection breaks after so many chunks."""
    stalls_after: int | None = None
    """After so many chunks nothing more comes, until the client goes."""
    pause_ms: int = 0
    """Between chunks."""
    words_per_chunk: int = 1


Script = Callable[[dict[str, Any]], EndpointReply]


def in_order(replies: Iterable[EndpointReply]) -> Script:
    """Answers the requests with these replies one after the other; the last stands for all further ones."""
    left: Iterator[EndpointReply] = iter(replies)
    last = EndpointReply(status=500)

    def next_reply(request: dict[str, Any]) -> EndpointReply:
        nonlocal last
        last = next(left, last)
        return last

    return next_reply


class ScriptedEndpoint:
    """Chat completions and responses over HTTP/1.1, streamed, answered from a script.

    ``requests`` holds what was asked. A request with an ``input`` is answered as the responses API does, one with
    ``messages`` as chat completions do.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.num_open = 0
        """Requests under way."""
        self.asked = asyncio.Event()
        """Set whenever a request has come in."""
        self.left = asyncio.Event()
        """Set whenever a request has ended, from either side."""

    @property
    def base_url(self) -> str:
        """Where it listens."""
        assert self._server is not None, "the endpoint is used as a context"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def kill(self) -> None:
        """Die as a process would: no more connections, and those that are open break."""
        assert self._server is not None, "the endpoint is used as a context"
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served in a task"
        self._tasks.add(task)
        self.num_open += 1
        gone = asyncio.create_task(self._answer(reader, writer))
        try:
            await gone
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            gone.cancel()
        finally:
            self.num_open -= 1
            self._tasks.discard(task)
            writer.transport.abort()
            self.left.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        sizes = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(min(int(sizes[0]) if sizes else 0, _MAX_REQUEST_BYTES))
        request: dict[str, Any] = json.loads(body)
        self.requests.append(request)
        self.headers.append(head)
        self.asked.set()
        reply = self._script(request)
        if reply.status != 200:
            error = json.dumps({"error": {"message": "scripted fault, secret-detail", "code": None}}).encode()
            writer.write(
                f"HTTP/1.1 {reply.status} Fault\r\ncontent-type: application/json\r\nconnection: close\r\n"
                f"content-length: {len(error)}\r\n\r\n".encode()
                + error
            )
            await writer.drain()
            await _close(writer)
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        stream = _response_events(reply) if "input" in request else _chunks(reply)
        for number, chunk in enumerate(stream):
            if reply.stalls_after == number:
                await writer.drain()
                await reader.read()  # until the client goes
                return
            if reply.cut_after == number:
                await writer.drain()
                return
            if reply.pause_ms:
                await writer.drain()
                await asyncio.sleep(reply.pause_ms / 1000)
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        await _close(writer)


@asynccontextmanager
async def scripted_endpoint(script: Script | Iterable[EndpointReply]) -> AsyncGenerator[ScriptedEndpoint, None]:
    """An endpoint that listens as long as the context lasts."""
    endpoint = ScriptedEndpoint(script if callable(script) else in_order(script))
    await endpoint.start()
    try:
        yield endpoint
    finally:
        await endpoint.kill()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _chunks(reply: EndpointReply) -> Iterator[bytes]:
    """The body of a stream, as server-sent events."""
    if reply.raw is not None:
        yield reply.raw
        return
    yield _event({"role": "assistant", "content": ""})
    words = reply.text.split(" ")
    for start in range(0, len(words), reply.words_per_chunk):
        stretch = " ".join(words[start : start + reply.words_per_chunk])
        yield _event({"content": f" {stretch}" if start else stretch})
    if reply.tool:
        function = {"name": reply.tool, "arguments": json.dumps(reply.arguments)}
        yield _event({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})
    yield _event({}, finish="tool_calls" if reply.tool else "stop")
    yield b"data: [DONE]\n\n"


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    chunk: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    if finish:
        chunk["usage"] = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _response_events(reply: EndpointReply) -> Iterator[bytes]:
    """The body of a stream of the responses API."""
    if reply.raw is not None:
        yield reply.raw
        return
    deltas: list[dict[str, Any]]
    if reply.tool:
        done: dict[str, Any] = {
            "id": "fc_1",
            "type": "function_call",
            "call_id": "call_1",
            "name": reply.tool,
            "arguments": json.dumps(reply.arguments),
        }
        begun = {**done, "arguments": ""}
        deltas = [{"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": done["arguments"]}]
    else:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        done = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        begun = {**done, "status": "in_progress", "content": []}
        place = {"item_id": "msg_1", "content_index": 0}
        deltas = [{"type": "response.content_part.added", **place, "part": {**part, "text": ""}}]
        for number, word in enumerate(reply.text.split(" ")):
            delta = f" {word}" if number else word
            deltas.append({"type": "response.output_text.delta", **place, "delta": delta, "logprobs": []})
    events = [
        {"type": "response.created", "response": _response(())},
        {"type": "response.output_item.added", "item": begun, "output_index": 0},
        *({**delta, "output_index": 0} for delta in deltas),
        {"type": "response.output_item.done", "item": done, "output_index": 0},
        {"type": "response.completed", "response": _response((done,))},
    ]
    for number, event in enumerate(events):
        yield f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode()


def _response(output: Iterable[dict[str, Any]]) -> dict[str, Any]:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    }
    items = list(output)
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "scripted",
        "status": "completed" if items else "in_progress",
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if items else None,
    }
