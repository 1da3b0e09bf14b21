"""A real server on a free port, around a scripted engine, in the test's own event loop."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from openai import AsyncOpenAI
from websockets.asyncio.client import ClientConnection, connect

from microturn.background.coordinator import Coordinator
from microturn.server.limits import Limits
from microturn.server.serve import Listening, serve
from microturn.testing.scripted_engine import Answer, ScriptedEngine, ScriptedSession, Trace
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import OUT_SAMPLES_PER_TURN

WITHIN_S = 20.0
"""No condition takes this long unless something is broken."""

TONE = (0.3 * np.sin(np.arange(OUT_SAMPLES_PER_TURN) / 8)).astype(np.float32)


class WatchedEngine(ScriptedEngine):
    """A scripted engine that says when a session was closed or parked."""

    def __init__(self, answer: Answer | None = None, *, max_sessions: int = 16, trace: Trace | None = None) -> None:
        super().__init__(answer, max_sessions=max_sessions, trace=trace)
        self.closed: asyncio.Queue[ScriptedSession] = asyncio.Queue()
        self.parked: asyncio.Queue[ScriptedSession] = asyncio.Queue()

    async def open(self, instructions: str | None = None, seed: int | None = None) -> ScriptedSession:
        return self._watched(await super().open(instructions, seed))

    async def resume(self, resume_token: str) -> ScriptedSession:
        return self._watched(await super().resume(resume_token))

    def _watched(self, session: ScriptedSession) -> ScriptedSession:
        close = session.close

        async def close_and_tell() -> None:
            await close()
            self.closed.put_nowait(session)

        park = session.park

        async def park_and_tell() -> None:
            await park()
            self.parked.put_nowait(session)

        session.close, session.park = close_and_tell, park_and_tell
        return session


@dataclass(kw_only=True)
class RunningServer:
    url: str
    engine: WatchedEngine
    stop: asyncio.Event

    @property
    def live_url(self) -> str:
        return self.url.partition("#")[0].replace("http", "ws") + "v1/live/sessions"

    def client(self, key: str = "any") -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self.url.partition("#")[0] + "v1", api_key=key)


@asynccontextmanager
async def serving(
    engine: Any, listening: Listening | None = None, *, stop: asyncio.Event | None = None, **options: Any
) -> AsyncIterator[str]:
    """The address of a server around any engine."""
    ready: asyncio.Queue[str] = asyncio.Queue()
    stop = stop or asyncio.Event()
    task = asyncio.create_task(
        serve(engine, listening or Listening(port=0), on_ready=ready.put_nowait, stop=stop, **options)
    )
    try:
        yield await ready.get()
    finally:
        stop.set()
        await task


@asynccontextmanager
async def running_server(
    engine: WatchedEngine | None = None,
    *,
    limits: Limits | None = None,
    key: str | None = None,
    background: Coordinator | None = None,
    within_s: float = WITHIN_S,
    ice_servers: tuple[str, ...] = (),
) -> AsyncIterator[RunningServer]:
    engine, stop = engine or WatchedEngine(), asyncio.Event()
    listening = Listening(port=0, key=key, ice_servers=ice_servers)
    async with (
        asyncio.timeout(within_s),
        serving(engine, listening, stop=stop, background=background, limits=limits) as url,
    ):
        yield RunningServer(url=url, engine=engine, stop=stop)


def says(index: int, text: str = "", **more: Any) -> MicroTurnOutput:
    return MicroTurnOutput(index=index, say=text, audio=TONE, **more)


def sound(ms: int = 200, hz: int = 24_000) -> str:
    """Silence as a wire message's ``audio``."""
    return base64.b64encode(bytes(2 * hz * ms // 1000)).decode()


def message(kind: str, **fields: Any) -> str:
    """A client event as it goes over the wire."""
    return json.dumps({"type": kind, **fields})


@asynccontextmanager
async def raw_session(server: RunningServer, **session: Any) -> AsyncIterator[ClientConnection]:
    """A session by hand, started."""
    async with connect(server.live_url, max_size=None) as socket:
        await socket.send(message("session.start", session={"model": "nano", **session}))
        assert (await receive(socket))["type"] == "session.started"
        yield socket


async def receive(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await socket.recv())


async def receive_until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while (event := await receive(socket))["type"] != kind:
        pass
    return event


async def send_turns(socket: ClientConnection, count: int) -> None:
    for _ in range(count):
        await socket.send(message("session.input_audio.append", audio=sound()))


async def still_answers(socket: ClientConnection) -> bool:
    """Whether a session goes on: its sound comes back."""
    await send_turns(socket, 1)
    return bool((await receive_until(socket, "session.output_audio.delta"))["delta"])
