"""Timers and reminders: each fires once, also after a restart, and speaks through its session."""

import asyncio
import time
from collections.abc import Callable, Collection

from microturn.background import weaving
from microturn.background.ledger import Ledger, StoredTimer
from microturn.turns.background import Report


class Timers:
    """The running timers of one session.

    Args:
        deliver: Takes what is to be said when one is due.
        on_cancelled: Told of each timer that the user has dropped.
        is_heard: Whether somebody listens. If not, a timer that is due stays in the ledger until ``start``.
        now_s: Unix time.
    """

    def __init__(
        self,
        session_id: str,
        ledger: Ledger,
        deliver: Callable[[Report], None],
        *,
        on_cancelled: Callable[[StoredTimer], None] = lambda timer: None,
        is_heard: Callable[[], bool] = lambda: True,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._session_id = session_id
        self._ledger = ledger
        self._deliver = deliver
        self._on_cancelled = on_cancelled
        self._is_heard = is_heard
        self._now_s = now_s
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Take up the timers that wait in the ledger, of an earlier process too; those that are overdue fire now."""
        for timer in await asyncio.to_thread(self._ledger.timers, self._session_id):
            self._arm(timer)

    async def add(self, job: int, label: str, after_s: float) -> StoredTimer:
        """Set a timer. Raises ValueError when there are too many."""
        due_s = self._now_s() + after_s
        timer = await asyncio.to_thread(self._ledger.add_timer, self._session_id, job, label, due_s)
        self._arm(timer)
        return timer

    async def running(self) -> list[tuple[str, float]]:
        """Label and seconds left of each, the next first."""
        timers = await asyncio.to_thread(self._ledger.timers, self._session_id)
        return [(timer.label, max(0.0, timer.due_s - self._now_s())) for timer in timers]

    async def cancel(self, label: str = "", *, only: Collection[int] | None = None) -> int:
        """Drop the timers whose label holds this text, all of them for none; returns how many.

        Args:
            only: Of these, by their ids.
        """
        count = 0
        for timer in await asyncio.to_thread(self._ledger.timers, self._session_id):
            is_meant = label.lower() in timer.label.lower() and (only is None or timer.timer_id in only)
            if is_meant and await asyncio.to_thread(self._ledger.take_timer, timer.timer_id):
                count += 1
                if task := self._tasks.pop(timer.timer_id, None):
                    task.cancel()
                self._on_cancelled(timer)
        return count

    def stop(self) -> None:
        """Let go of the timers; the ledger keeps them."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _arm(self, timer: StoredTimer) -> None:
        if timer.timer_id not in self._tasks:
            self._tasks[timer.timer_id] = asyncio.get_running_loop().create_task(self._run(timer))

    async def _run(self, timer: StoredTimer) -> None:
        await asyncio.sleep(max(0.0, timer.due_s - self._now_s()))
        try:
            while self._is_heard() and await asyncio.to_thread(self._ledger.take_timer, timer.timer_id):
                if self._is_heard():
                    self._deliver(weaving.say(timer.job, f"Time is up: {timer.label}."))
                    return
                await asyncio.to_thread(self._ledger.put_back, self._session_id, timer)  # the client has just gone
        finally:
            self._tasks.pop(timer.timer_id, None)
