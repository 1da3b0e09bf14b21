"""Waiting for the user or for the client's application: it takes up neither an attempt's time nor its place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from microturn.background.places import Place


class Waits:
    """What an attempt gives up while it waits.

    Args:
        deadline: Of the attempt. It stands still.
        place: Goes to other jobs.
    """

    def __init__(self, deadline: asyncio.Timeout, place: Place) -> None:
        self._deadline = deadline
        self._place = place
        self._num_waiting = 0
        self._left_s = 0.0

    @asynccontextmanager
    async def waiting(self) -> AsyncGenerator[None, None]:
        """Several may wait at once: a model may call several tools."""
        loop = asyncio.get_running_loop()
        self._num_waiting += 1
        if self._num_waiting == 1:
            self._left_s = (self._deadline.when() or 0.0) - loop.time()
            self._deadline.reschedule(None)
            self._place.leave()
        is_cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            try:
                if self._num_waiting == 1 and not is_cancelled:
                    await self._place.take()
            finally:
                self._num_waiting -= 1
                if not self._num_waiting:
                    self._deadline.reschedule(loop.time() + self._left_s)
