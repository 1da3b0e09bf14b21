"""The films of `serve --record`: each is written once its session has left the engine, one at a time.

A process of its own does it and stands back for all others, so that no micro-turn waits for an encoder, and nothing
that befalls the encoder befalls the server. A client may come back to a session whose film is written: the film is
written anew when it has gone again.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from microturn.errors import MicroturnError
from microturn.failures import kinds_of, log_failure, place_of
from microturn.films import delete_remnants, film_session, is_filmed, whole_sessions
from microturn.recorded import open_recorded
from microturn.server.log import log_event

RETRY_AFTER_S = 3_600.0
LAST_WITHIN_S = 10.0
"""The end of a server waits so long for the last films. What is left is written when it starts again."""
_NICENESS = 19

_log = logging.getLogger(__name__)


class Filming:
    """Writes films as sessions go. Use as ``async with``, around the engine.

    Entering it looks for sessions without a film, such as a crash leaves behind; so does leaving it, for those that
    the engine held to its end.

    Args:
        record: The folder of the journal.
        retry_after_s: When a film that could not be written is tried again.
        last_within_s: How long leaving may take.
    """

    def __init__(
        self, record: Path, *, retry_after_s: float = RETRY_AFTER_S, last_within_s: float = LAST_WITHIN_S
    ) -> None:
        self._record, self._retry_after_s, self._last_within_s = record, retry_after_s, last_within_s
        self._waiting: dict[str, None] = {}
        """Names of sessions in order, each once: no more than there are in the journal."""
        self._changed = asyncio.Event()
        self._is_ending = False

    async def __aenter__(self) -> "Filming":
        self._loop = asyncio.get_running_loop()
        await self._look(is_start=True)
        self._working = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._look()
        self._is_ending = True
        self._changed.set()
        try:
            async with asyncio.timeout(self._last_within_s):
                await self._working
        except TimeoutError:
            log_event("films left for the next start", sessions=len(self._waiting) + 1)

    def gone(self, name: str) -> None:
        """Takes note that a session has left the engine; from any thread."""
        with contextlib.suppress(RuntimeError):  # The loop has ended: the next start finds the session.
            self._loop.call_soon_threadsafe(self._add, [name])

    async def _look(self, *, is_start: bool = False) -> None:
        """Have all films written that are missing. No session may run."""
        try:
            self._add(await asyncio.to_thread(_unfilmed, self._record, has_remnants=is_start))
        except (MicroturnError, OSError) as error:
            log_failure(_log, "recordings not searched for missing films", error)

    def _add(self, names: Iterable[str]) -> None:
        self._waiting.update(dict.fromkeys(names))
        self._changed.set()

    async def _work(self) -> None:
        while self._waiting or not self._is_ending:
            if not self._waiting:
                self._changed.clear()
                await self._changed.wait()
                continue
            name = next(iter(self._waiting))
            del self._waiting[name]
            try:
                is_done = await self._film(name)
            except (MicroturnError, OSError) as error:
                log_failure(_log, "film not written", error, session=name)
                is_done = False
            if not is_done:
                self._loop.call_later(self._retry_after_s, self._add, [name])

    async def _film(self, name: str) -> bool:
        """Has a process write a film. Returns whether it did, and logs if not.

        Raises:
            OSError: there can be no process.
            JournalError: what it left cannot be deleted.
        """
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "microturn.filming", str(self._record), name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Ctrl-C is for the server, which then waits for it. In a POSIX session of its own, Linux would weigh the
            # niceness of this process against that of no other.
            process_group=0,
        )
        try:
            if not self._is_ending:  # Then no session is left to stand back for.
                with contextlib.suppress(OSError, AttributeError):
                    os.setpriority(os.PRIO_PROCESS, child.pid, _NICENESS)
            cause, _ = await child.communicate()
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
            if child.returncode:
                await asyncio.to_thread(delete_remnants, self._record, {name})
        if child.returncode:
            told = {"session": name, "status": child.returncode, "error": cause.decode(errors="replace").strip()}
            log_event("film not written", level=logging.ERROR, **told)
        return not child.returncode


def _unfilmed(record: Path, *, has_remnants: bool) -> list[str]:
    """Sessions whose film is not there or ends before they do; what is left of films that were cut off is deleted."""
    journal = open_recorded(record)
    try:
        whole = whole_sessions(journal)
        if has_remnants:
            delete_remnants(record, whole.keys())
        return [name for name, session in whole.items() if not is_filmed(record, journal, session)]
    finally:
        journal.close()


def main(record: Path, name: str) -> int:
    """The process that writes one film. Of what goes wrong it tells the kind and the place, never the words."""
    try:
        journal = open_recorded(record)
        try:
            film_session(record, journal, name)
        finally:
            journal.close()
    except Exception as error:
        print(f"{kinds_of(error)} {place_of(error)}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
