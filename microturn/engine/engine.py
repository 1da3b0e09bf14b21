"""The live engine: an asyncio face on ``EngineCore``, whose work runs in one thread of its own.

No model work, no file and no codec touches the event loop. What crosses between the two: media into a session's
slicer, under its lock; commands (open, resume, park, close) as a queue of functions that the worker runs between
batches; outputs through each session's bounded outbox, handed over with ``call_soon_threadsafe``.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from microturn.clock import Clock, SystemClock
from microturn.engine.core import EngineCore, EngineSettings, describe
from microturn.engine.journal import Journal, NullJournal
from microturn.engine.rebuild import texts_with_origin
from microturn.engine.session import Released, Session
from microturn.engine.step import Runner
from microturn.errors import CapacityError, SessionClosedError
from microturn.failures import log_failure
from microturn.turns.micro_turn import MicroTurnOutput, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

MAX_COMMANDS = 256
"""Commands that may wait for the worker; more are refused."""
MAX_WAITING_OUTPUTS = 64
"""Outputs that a session holds for a reader who does not come; past it the oldest is dropped and counted."""
_IDLE_MS = 50

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class EngineSession:
    """One conversation with a live engine. The ``push_`` methods return at once, from any thread."""

    def __init__(self, engine: "Engine", loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self._waiting: deque[Released] = deque()
        self._last: Exception | None = None
        self._has_ended = False
        self._changed = asyncio.Event()
        self._session: Session | None = None
        self.num_dropped_outputs = 0
        """Outputs that nobody came to read in time. The journal has them."""

    @property
    def session_id(self) -> str:
        """Names the session in journal and logs."""
        return self._inner.session_id

    @property
    def resume_token(self) -> str:
        """Lets a client come back to the session. Secret."""
        return self._inner.resume_token

    @property
    def next_sample(self) -> int:
        """Where a resumed client's sound starts on the media time."""
        return self._inner.next_sample

    def push_audio(self, chunk: PcmChunk) -> None:
        """Takes sound in. Raises SessionClosedError after the end."""
        self._inner.push_audio(chunk)
        self._engine.wake()

    def push_frame(self, frame: VideoFrame) -> None:
        """Takes a picture in. Raises SessionClosedError after the end."""
        self._inner.push_frame(frame)

    def push_text(self, event: TextEvent) -> None:
        """Takes text in. Raises SessionClosedError after the end, CapacityError or ValueError when it is too much."""
        self._inner.push_text(event)

    def restrain(self, nats: float) -> None:
        """By how much likelier than silence speech must be from now on, where the model is silent."""
        self._inner.restraint = nats

    async def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        """The micro-turns in order, each once it is journaled. Ends with the session; its failure is raised."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._has_ended:
                if self._last is not None:
                    raise self._last
                return
            self._changed.clear()
            await self._changed.wait()

    async def past(self) -> list[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        """What was given and answered as text so far, as far as it was journaled; outputs without sound.

        Raises JournalError when it cannot be read."""
        return await asyncio.to_thread(self._engine.texts, self._inner.session_id)

    async def park(self) -> None:
        """Ends the outputs, but keeps the state for a client that comes back with the token."""
        await self._engine.run(lambda core: core.park(self._inner))

    async def close(self) -> None:
        """Ends the session for good. Twice does nothing, nor does closing after the engine."""
        if not self._engine.is_closed:
            await self._engine.run(lambda core: core.close(self._inner))

    # For the engine

    def attach(self, session: Session) -> None:
        """Binds the engine's own session."""
        self._session = session

    def deliver(self, item: Released | Exception | None) -> None:
        """Takes an output from the worker's thread; an error or None is the last."""
        with contextlib.suppress(RuntimeError):  # the reader's loop is gone: the journal has the output
            self._loop.call_soon_threadsafe(self._take, item)

    @property
    def _inner(self) -> Session:
        assert self._session is not None, "a session is handed out after it is attached"
        return self._session

    def _take(self, item: Released | Exception | None) -> None:
        if isinstance(item, tuple):
            if len(self._waiting) == MAX_WAITING_OUTPUTS:
                self._waiting.popleft()
                self.num_dropped_outputs += 1
            self._waiting.append(item)
        else:
            self._last, self._has_ended = item, True
        self._changed.set()


class Engine:
    """Holds the model and its sessions. Use as ``async with Engine(runner) as engine``.

    Args:
        runner: The model.
        journal: Where every turn is written; nowhere unless given.
        settings: Bounds.
        clock: Tells the time.
        on_gone: Called in the worker's thread with the name of each session that leaves memory, ended for good or not.
    """

    def __init__(
        self,
        runner: Runner,
        journal: Journal | None = None,
        *,
        settings: EngineSettings | None = None,
        clock: Clock | None = None,
        on_gone: Callable[[str], None] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._commands: queue.Queue[Callable[[EngineCore], None]] = queue.Queue(MAX_COMMANDS)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._journal = journal or NullJournal()
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="microturn-snapshots")
        self._core = EngineCore(runner, self._journal, self._clock, settings, self._aside.submit, on_gone)
        self._worker = threading.Thread(target=self._work, name="microturn-engine", daemon=True)
        self._worker.start()

    async def __aenter__(self) -> "Engine":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more work."""
        return self._stop.is_set()

    async def open(
        self, instructions: str | None = None, seed: int | None = None, *, is_lossy: bool = False
    ) -> EngineSession:
        """Begins a conversation.

        Args:
            instructions: A system text for its first turn.
            seed: Of what is random in it; None draws one.
            is_lossy: Whether its transport drops sound rather than delaying it.

        Raises:
            CapacityError: no room, or overload.
            JournalError: it cannot be recorded.
        """
        outer = EngineSession(self, asyncio.get_running_loop())

        def begin(core: EngineCore) -> Session:
            return core.open(outer.deliver, instructions=instructions, seed=seed, is_lossy=is_lossy)

        outer.attach(await self.run(begin))
        return outer

    async def resume(self, resume_token: str) -> EngineSession:
        """Goes on with a conversation that lost its client, or its process.

        Raises:
            JournalError: no such session, or it has been closed, or another model recorded it.
            CapacityError: no room, or overload.
        """
        outer = EngineSession(self, asyncio.get_running_loop())
        outer.attach(await self.run(lambda core: core.resume(resume_token, outer.deliver)))
        return outer

    async def fork(self, resume_token: str) -> EngineSession:
        """Begins a conversation of its own where another one stands; that one goes on and notices nothing.

        Raises:
            JournalError: no such session, or it has been closed, or another model recorded it.
            CapacityError: no room, or overload.
        """
        outer = EngineSession(self, asyncio.get_running_loop())
        outer.attach(await self.run(lambda core: core.fork(resume_token, outer.deliver)))
        return outer

    async def counts(self) -> dict[str, Any]:
        """Sessions, turns, missed deadlines, overload: for metrics and health checks."""
        return await self.run(describe)

    async def session_ids(self) -> set[str]:
        """The sessions in memory, running or parked."""
        return await self.run(lambda core: set(core.sessions))

    async def run(self, command: Callable[[EngineCore], _T]) -> _T:
        """Runs a function in the worker, between batches.

        Raises:
            SessionClosedError: the engine is closed.
            CapacityError: too many commands wait.
        """
        if self.is_closed:
            raise SessionClosedError("the engine is closed: start a new one")
        future: Future[_T] = Future()

        def carry_out(core: EngineCore) -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(command(core))
                except Exception as error:
                    future.set_exception(error)

        try:
            self._commands.put_nowait(carry_out)
        except queue.Full:
            raise CapacityError(f"{MAX_COMMANDS} commands wait for the engine: try again later") from None
        self.wake()
        return await asyncio.wrap_future(future)

    def texts(self, session_id: str) -> list[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        """The journal's texts of a session, begun with those it was forked from. Reads a file: call it off the loop."""
        if isinstance(self._journal, NullJournal):
            return []
        return list(texts_with_origin(self._journal, self._journal.session(session_id)))

    def wake(self) -> None:
        """Lets the worker look for work."""
        self._wake.set()

    async def close(self) -> None:
        """Parks every session in the journal and stops. Twice does nothing."""
        if not self.is_closed:
            await self.run(EngineCore.close_all)
            self._stop.set()
            self.wake()
            await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._worker.join()
        self._aside.shutdown()
        self._journal.close()

    def _work(self) -> None:
        """The worker's thread: commands, then batches, then sleep until the next tick or push."""
        while not self._stop.is_set():
            self._wake.clear()
            self._run_commands()
            try:
                is_busy = self._core.poll()
            except Exception as error:
                # A bug of ours must not leave every session hanging without a word.
                log_failure(_log, "the engine's step failed", error)
                is_busy = False
            if not is_busy:
                wait_ns = self._core.next_wake_ns() - self._clock.now_ns()
                self._wake.wait(min(max(wait_ns, 0) / 1e9, _IDLE_MS / 1000))
        self._run_commands()

    def _run_commands(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._commands.get_nowait()(self._core)
