"""Decoding off the event loop: in a time that is limited, and so that nobody's slow input holds up somebody else's.

A thread cannot be ended from outside. So what is late is given up and left to itself, and until it has come to its
end nothing more is decoded for whoever sent it: one session holds up two workers at most, one of pictures and one of
sound, however much it sends, and what others send finds a worker of its own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from microturn.errors import ProtocolError

MAX_WORKERS = 64
"""Threads, begun as they are needed. Were all of them held up, what comes next would wait its time and be refused."""
_T = TypeVar("_T")

# For the whole process: a thread that hangs outlives the session that it worked for, and has to be counted on.
_workers = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="microturn-decoding")


class Decoder:
    """Decodes one kind of input of one session, one thing at a time.

    Args:
        within_ms: How long each may take.
        param: What it is called in errors.
    """

    def __init__(self, within_ms: int, param: str) -> None:
        self._within_ms = within_ms
        self._param = param
        self._turn = asyncio.Lock()
        self._latest: Future[Any] | None = None

    @property
    def is_held_up(self) -> bool:
        """Whether something is still being decoded whose time is over."""
        return self._latest is not None and not self._latest.done() and not self._turn.locked()

    async def run(self, decode: Callable[[], _T]) -> _T:
        """What a function returns or raises, which runs in a thread.

        Raises:
            ProtocolError: it takes too long, or an earlier one still does.
        """
        async with self._turn:
            if self._latest is not None and not self._latest.done():
                raise self._late("an earlier one is still being decoded, long after its time")
            self._latest = _workers.submit(decode)
            decoded = asyncio.wrap_future(self._latest)
            try:
                await asyncio.wait({decoded}, timeout=self._within_ms / 1000)
                if decoded.done():
                    return decoded.result()
            finally:
                decoded.cancel()  # Where it has not begun, it never will.
        raise self._late(f"it could not be decoded within {self._within_ms} ms")

    def _late(self, why: str) -> ProtocolError:
        return ProtocolError(
            f"{self._param} is not taken in, {why}: send less at once, or more simply encoded",
            code="decode_timeout",
            param=self._param,
        )
