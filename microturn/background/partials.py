"""An answer while it is written: for the user's eyes only, and taken back where nothing comes of it.

What a language model streams is read four times a second (``backends/gathering.py``). Showing it costs more than
reading it: it is cleaned of secrets, drawn up as an event and drawn on a page, each time whole. So that is done no more
often than it is read, and less often as the answer grows.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from microturn.background.jobs import MAX_ANSWER_CHARS, Job
from microturn.background.secrets import GrowingText, Redactor

MIN_PERIOD_S = 0.25
MAX_CHARS_PER_S = 16_000
"""Of one answer: a long one is shown less often, so that it costs no more than a short one."""


class Timing(Protocol):
    """As much of an event loop as it takes."""

    def time(self) -> float:
        """Seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> asyncio.TimerHandle:
        """Calls it in so many seconds, unless that is cancelled."""
        ...


class PartialAnswer:
    """What one attempt has written so far, in ``Job.partial``. Use as a context: it is taken back when that breaks off.

    Args:
        show: Lets the page know of a change.
        is_watched: Whether there is a page; without one nothing is kept.
    """

    def __init__(
        self,
        job: Job,
        redactor: Redactor,
        show: Callable[[], None],
        is_watched: Callable[[], bool],
        timing: Timing | None = None,
    ) -> None:
        self._job = job
        self._growing = GrowingText(redactor)
        self._show = show
        self._is_watched = is_watched
        self._timing = timing or asyncio.get_running_loop()
        self._text = ""
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def __enter__(self) -> "PartialAnswer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """What was written stays until the whole answer takes its place; what broke off goes at once."""
        if error is not None:
            self.write("")
        self._is_over = True
        self._stop_timer()

    def write(self, text: str) -> None:
        """The answer so far, from its beginning; an empty one takes back what was shown."""
        if self._is_over or self._job.state.is_over:
            return
        self._text = text[:MAX_ANSWER_CHARS]
        if not text:
            self._stop_timer()
            self._set("")
        elif self._timer is None:
            wait_s = self._due_s - self._timing.time()
            if wait_s > 0:
                self._timer = self._timing.call_later(wait_s, self._show_latest)
            else:
                self._show_latest()

    def _show_latest(self) -> None:
        self._timer = None
        if self._job.state.is_over or not self._is_watched():
            return
        self._due_s = self._timing.time() + max(MIN_PERIOD_S, len(self._text) / MAX_CHARS_PER_S)
        self._set(self._growing.clean(self._text).strip())

    def _set(self, text: str) -> None:
        if text != self._job.partial:
            self._job.partial = text
            self._show()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
