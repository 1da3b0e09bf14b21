"""Streams of events read in gulps hold the same text in fewer pieces, and whatever else they held, as it was."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.background.backends.gathering import GatheredStream, gather_streams, joined


def chat(text: str, **more: object) -> bytes:
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}
    return b"data: " + json.dumps(chunk).encode()


def response(text: str, item: str = "i") -> bytes:
    event = {"type": "response.output_text.delta", "delta": text, "item_id": item, "content_index": 0}
    return b"event: response.output_text.delta\ndata: " + json.dumps(event).encode()


def texts(events: Sequence[bytes]) -> list[str]:
    found: list[str] = []
    for event in b"".join(events).split(b"\n\n"):
        data = event.partition(b"data: ")[2]
        if data.startswith(b"{"):
            value = json.loads(data)
            found.append(value["delta"] if "type" in value else value["choices"][0]["delta"].get("content", ""))
    return found


@pytest.mark.parametrize("make", [chat, response])
def test_neighbouring_pieces_become_one(make) -> None:
    assert texts(list(joined([make("one"), make(" two"), make(" three")]))) == ["one two three"]


def test_pieces_of_different_texts_stay_apart() -> None:
    assert texts(list(joined([response("a"), response("b", item="other"), response("c", item="other")]))) == ["a", "bc"]


STRANGE = (
    b"data: [DONE]",
    b"data: {broken",
    b": a comment",
    b"",
    b"retry: 5\ndata: {}",
    b"data: 7",
    b'data: {"choices": []}',
    b'data: {"choices": [{"delta": {"tool_calls": []}}]}',
    b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}',
    b'data: {"choices": [{"delta": {"content": "x"}}], "usage": {"total_tokens": 3}}',
    b'data: {"choices": [{"delta": {"content": "x", "refusal": null}}]}',
    b'data: {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}',
    b'event: error\ndata: {"error": {"message": "no"}}',
)


@pytest.mark.parametrize("event", STRANGE)
def test_what_is_no_plain_text_passes_as_it_came_and_in_its_place(event: bytes) -> None:
    passed = list(joined([chat("a"), chat("b"), event, chat("c"), chat("d")]))
    assert len(passed) == 3
    assert passed[1] == event + b"\n\n"
    assert texts([passed[0], passed[2]]) == ["ab", "cd"]


class Pieces(httpx2.AsyncByteStream):
    """A network that delivers as it likes."""

    def __init__(self, data: bytes, cuts: Sequence[int], *, is_slow: bool) -> None:
        places = sorted({min(cut, len(data)) for cut in cuts})
        self._pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
        self._is_slow = is_slow
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if self._is_slow:
                await asyncio.sleep(0.004)
            yield piece

    async def aclose(self) -> None:
        self.is_closed = True


@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(st.text(max_size=6), max_size=12),
    cuts=st.lists(st.integers(0, 2_000), max_size=8),
    is_slow=st.booleans(),
    newline=st.sampled_from([b"\n", b"\r\n"]),
)
def test_no_text_is_lost_however_the_network_cuts_it(words, cuts, is_slow, newline) -> None:
    end = newline * 2
    data = b"".join(chat(word) + end for word in words) + b"data: [DONE]" + end

    async def read() -> bytes:
        stream = GatheredStream(Pieces(data, cuts, is_slow=is_slow), gather_s=0.0)
        return b"".join([piece async for piece in stream])

    gathered = asyncio.run(read())
    assert "".join(texts([gathered])) == "".join(words)
    assert gathered.rstrip().endswith(b"data: [DONE]")


async def test_what_the_network_broke_off_is_passed_on_as_far_as_it_came() -> None:
    data = chat("whole") + b"\n\n" + chat("broken")[:20]
    assert b"".join([p async for p in GatheredStream(Pieces(data, [], is_slow=True), gather_s=0.0)]).endswith(
        chat("broken")[:20]
    )


async def test_only_streams_of_events_are_gathered() -> None:
    body = Pieces(b"{}", [], is_slow=False)
    plain = httpx2.Response(200, headers={"content-type": "application/json"}, stream=body)
    await gather_streams(1.0)(plain)
    assert plain.stream is body
    events = httpx2.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, stream=body)
    await gather_streams(1.0)(events)
    assert isinstance(events.stream, GatheredStream)
    await events.aclose()
    assert body.is_closed


class Pauses(httpx2.AsyncByteStream):
    """Waits, says a word, and so on; the last wait never ends."""

    def __init__(self, *waits_s: float) -> None:
        self._waits_s = waits_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for wait_s in self._waits_s:
            await asyncio.sleep(wait_s)
            yield chat("word") + b"\n\n"
        await asyncio.Event().wait()


async def test_a_stream_may_be_long_in_beginning_but_not_fall_silent_later() -> None:
    stream = aiter(GatheredStream(Pauses(0.2, 0.0), gather_s=0.0, silence_s=0.05))
    assert texts([await anext(stream), await anext(stream)]) == ["word", "word"]
    with pytest.raises(httpx2.ReadTimeout, match="nothing came for"):
        await anext(stream)


async def test_another_reader_takes_what_the_first_one_left() -> None:
    data = b"".join(chat(word) + b"\n\n" + b": ping\n\n" for word in "abc")
    stream = GatheredStream(Pieces(data, [len(data) // 3, 2 * len(data) // 3], is_slow=True), gather_s=0.0)
    first = await anext(aiter(stream))
    rest = b"".join([piece async for piece in stream])
    assert rest
    assert "".join(texts([first, rest])) == "abc"
    assert not [piece async for piece in stream]
