"""Places for jobs that run: a fair share for every session; within a share, what is waited for most goes first."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum


class Priority(IntEnum):
    """Who goes first where several wait; of equals, who came first."""

    CORRECTION = 0  # the user has waited for this question before
    ASK = 1
    SUMMARY = 2  # nobody waits for it


@dataclass(eq=False, slots=True)
class _Waiting:
    session_id: str
    priority: Priority
    turn: asyncio.Future[None]


class Places:
    """So many places, and no more than so many of them for one session.

    A place that comes free goes to the session that holds the fewest, so that one with many questions does not keep
    the others waiting, whatever it calls them; among sessions that hold equally many, and within each, the priority
    decides.
    """

    def __init__(self, total: int, per_session: int) -> None:
        self._total = total
        self._per_session = per_session
        self._held: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []

    @property
    def num_waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @asynccontextmanager
    async def place(self, session_id: str, priority: Priority = Priority.ASK) -> AsyncGenerator["Place", None]:
        """Wait for a place, and hold it."""
        place = Place(self, session_id, priority)
        await place.take()
        try:
            yield place
        finally:
            place.leave()

    async def take(self, session_id: str, priority: Priority = Priority.ASK) -> None:
        """Wait for a place."""
        waiting = _Waiting(session_id, priority, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._hand_out()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:  # it was given a place in the moment of its cancellation
                self.free(session_id)
            raise

    def free(self, session_id: str) -> None:
        """Give a place back."""
        self._held[session_id] -= 1
        if not self._held[session_id]:
            del self._held[session_id]
        self._hand_out()

    def _hand_out(self) -> None:
        while self._held.total() < self._total:
            fitting = [each for each in self._waiting if self._held[each.session_id] < self._per_session]
            if not fitting:
                return
            chosen = min(fitting, key=lambda each: (self._held[each.session_id], each.priority))
            self._waiting.remove(chosen)
            self._held[chosen.session_id] += 1
            chosen.turn.set_result(None)


class Place:
    """One job's place, which it may leave while it waits for people or for the client's application."""

    def __init__(self, places: Places, session_id: str, priority: Priority) -> None:
        self._places = places
        self._session_id = session_id
        self._priority = priority
        self._is_held = False

    async def take(self) -> None:
        """Wait for it, unless it is held."""
        if not self._is_held:
            await self._places.take(self._session_id, self._priority)
            self._is_held = True

    def leave(self) -> None:
        """Let another job have it."""
        if self._is_held:
            self._is_held = False
            self._places.free(self._session_id)
