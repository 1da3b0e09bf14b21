"""Several tasks with one ending: whichever of them, or of the outside, ends a session says why."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Literal

from microturn.errors import SessionClosedError
from microturn.server.channel import ClientGoneError
from microturn.server.wire import ClientMisbehavesError

_READER_TELLS_WITHIN_MS = 1_000
"""Once the engine takes nothing more in, what reads it tells so long after at most how it ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """Why a session ended."""

    reason: Literal["close_requested", "expired", "connection_lost"]
    """GPT-Live's word for it."""
    detail: Literal["", "client_gone", "misbehaviour", "engine_ended", "server_stopping"] = ""
    """Ours."""
    client_event_id: str | None = None
    """The command that asked for it."""


class Ends:
    """The ending of one session."""

    def __init__(self) -> None:
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def end(self, ending: Ending) -> None:
        """End the session; the first reason counts."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def of(self, works: Sequence[Awaitable[None]], *, within_ms: int) -> Ending:
        """Do the works until one ends, or ``end`` is called, or the time is over. Other errors come out as they are."""
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._until_ending(work)) for work in works]
            try:
                async with asyncio.timeout(within_ms / 1000):
                    ending = await asyncio.shield(self._ending)
            except TimeoutError:
                ending = Ending(reason="expired")
            for worker in workers:
                worker.cancel()
        return ending

    async def _until_ending(self, work: Awaitable[None]) -> None:
        try:
            await work
        except ClientGoneError:
            self.end(Ending(reason="connection_lost", detail="client_gone"))
        except ClientMisbehavesError:
            self.end(Ending(reason="connection_lost", detail="misbehaviour"))
        except SessionClosedError:
            # The engine has ended or failed the session: what reads it knows which.
            await asyncio.sleep(_READER_TELLS_WITHIN_MS / 1000)
            self.end(Ending(reason="connection_lost", detail="engine_ended"))
        else:
            # Only what reads the engine can come to an end by itself.
            self.end(Ending(reason="connection_lost", detail="engine_ended"))
