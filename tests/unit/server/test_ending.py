"""Several tasks with one ending: what ends first says why, unless another one knows better."""

import asyncio

import pytest

from microturn.errors import MicroturnError, SessionClosedError
from microturn.server.ending import Ending, Ends

LONG_MS = 60_000


async def until_the_engine_is_read(is_read: asyncio.Event) -> None:
    await is_read.wait()


async def into_what_has_ended(is_refused: asyncio.Event) -> None:
    is_refused.set()
    raise SessionClosedError("ended")


async def test_what_reads_the_engine_tells_how_it_ended_though_what_feeds_it_was_refused_first():
    is_refused = asyncio.Event()
    ending = await Ends().of([into_what_has_ended(is_refused), until_the_engine_is_read(is_refused)], within_ms=LONG_MS)
    assert ending == Ending(reason="connection_lost", detail="engine_ended")

    async def fails() -> None:
        await is_refused.wait()
        raise MicroturnError("the model failed")

    is_refused.clear()
    with pytest.raises(ExceptionGroup) as raised:
        await Ends().of([into_what_has_ended(is_refused), fails()], within_ms=LONG_MS)
    assert [str(error) for error in raised.value.exceptions] == ["the model failed"]


async def test_a_session_ends_also_where_what_reads_the_engine_says_nothing():
    never = asyncio.Event()
    ending = await Ends().of([into_what_has_ended(asyncio.Event()), until_the_engine_is_read(never)], within_ms=LONG_MS)
    assert ending.detail == "engine_ended"
