"""Streams of language models, read in gulps rather than token by token.

A hosted model sends some fifty events a second, each a packet, and each costs the event loop a wake-up, the client a
validated object and the agent library an event. Nothing that we do with an answer needs that: it is told when it is
whole, and shown four times a second at most while it is written. So the network is read that often, and neighbouring
pieces of text are made one before anybody looks at them. The interaction model, whose thread shares this process,
notices the difference.

Only what is known to be a plain piece of text is joined; everything else passes as it came, malformed or not.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import httpx2

GATHER_S = 0.25
"""How long the network is left alone after a read."""
_WAITED_S = 0.002
"""A piece that took longer than this was waited for: what had come before it has all been read."""
_MAX_WAITING_BYTES = 1 << 20
"""Of an event without an end; more is passed on as it is."""
_END = b"\n\n"
_Event = dict[str, Any]


def gather_streams(silence_s: float) -> Callable[[httpx2.Response], Awaitable[None]]:
    """A response hook for ``httpx2.AsyncClient``: streams of events are read in gulps, and given up where they fall
    silent for so long once they have begun. How long the beginning may take is the client's own time-out."""

    async def gather(response: httpx2.Response) -> None:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream), "asynchronous clients have such streams"
            response.stream = GatheredStream(response.stream, silence_s=silence_s)

    return gather


class GatheredStream(httpx2.AsyncByteStream):
    """The same server-sent events with fewer, longer pieces of text."""

    def __init__(
        self, stream: httpx2.AsyncByteStream, gather_s: float = GATHER_S, *, silence_s: float | None = None
    ) -> None:
        self._stream = stream
        self._gather_s = gather_s
        self._silence_s = silence_s
        self._gulps = self._gathered()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """What has not been read yet: a reader may leave, and another one take what is left."""
        return self._gulps

    async def _gathered(self) -> AsyncIterator[bytes]:
        waiting, has_begun = b"", False
        pieces = aiter(self._stream)
        pass_on_s = time.monotonic() + self._gather_s
        while True:
            began_s = time.monotonic()
            piece = await self._next(pieces, self._silence_s if has_begun else None)
            if piece is None:
                break
            has_begun = True
            waiting += piece
            now_s = time.monotonic()
            was_waited_for = now_s - began_s > _WAITED_S
            if not was_waited_for and now_s < pass_on_s:
                continue
            gulp, waiting = _gulp(waiting)
            if gulp:
                yield gulp
            elif len(waiting) > _MAX_WAITING_BYTES:
                yield waiting
                waiting = b""
            if was_waited_for:
                await asyncio.sleep(self._gather_s)
            pass_on_s = time.monotonic() + self._gather_s
        if last := b"".join(_gulp(waiting)):
            yield last

    async def _next(self, pieces: AsyncIterator[bytes], within_s: float | None) -> bytes | None:
        try:
            async with asyncio.timeout(within_s):
                return await anext(pieces, None)
        except TimeoutError:
            raise httpx2.ReadTimeout(f"nothing came for {within_s:g} s") from None

    async def aclose(self) -> None:
        await self._stream.aclose()


def _gulp(data: bytes) -> tuple[bytes, bytes]:
    """The events that are whole, joined; and the beginning of the next."""
    whole, end, rest = data.replace(b"\r\n", b"\n").rpartition(_END)
    return (b"".join(joined(whole.split(_END))) if end else b""), rest


def joined(events: list[bytes]) -> Iterator[bytes]:
    """Events, with neighbouring pieces of the same text made one."""
    held: _Event | None = None
    for event in events:
        parsed = _parsed(event)
        if held is not None and parsed is not None and _goes_on(held, parsed):
            _append(held, parsed)
            continue
        if held is not None:
            yield _written(held)
        held = parsed
        if parsed is None:
            yield event + _END
    if held is not None:
        yield _written(held)


def _parsed(event: bytes) -> _Event | None:
    """The event if it is nothing but a piece of text; else None."""
    *names, data = event.split(b"\n")
    if not data.startswith(b"data: {") or any(not name.startswith(b"event: ") for name in names):
        return None
    try:
        value: Any = json.loads(data[6:])
    except ValueError:
        return None
    return cast(_Event, value) if _is_text(value) else None


def _is_text(event: _Event) -> bool:
    if event.get("type") == "response.output_text.delta":
        return isinstance(event.get("delta"), str) and not event.get("logprobs")
    match event:
        case {"choices": [{"delta": {"content": str()} as delta} as choice]}:
            is_last = choice.get("finish_reason") is not None or event.get("usage") is not None
            return set(delta) <= {"content", "role"} and not choice.get("logprobs") and not is_last
        case _:
            return False


def _goes_on(held: _Event, event: _Event) -> bool:
    """Whether two pieces belong to one text."""
    if "choices" in held and "choices" in event:
        is_same = held.get("id") == event.get("id")
        return is_same and held["choices"][0].get("index") == event["choices"][0].get("index")
    places = ("type", "item_id", "output_index", "content_index")
    return "choices" not in held and all(held.get(place) == event.get(place) for place in places)


def _append(held: _Event, event: _Event) -> None:
    if "choices" in held:
        held["choices"][0]["delta"]["content"] += event["choices"][0]["delta"]["content"]
    else:
        held["delta"] += event["delta"]


def _written(event: _Event) -> bytes:
    name = b"event: " + event["type"].encode() + b"\n" if "type" in event else b""
    return name + b"data: " + json.dumps(event, ensure_ascii=False).encode() + _END
