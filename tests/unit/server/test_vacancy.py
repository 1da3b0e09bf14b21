"""``/readyz`` says what a session that came now would meet, as the engine knows it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from no_model import NoModel

from microturn.engine.core import EngineSettings
from microturn.engine.engine import Engine
from microturn.engine.ladder import Rung
from microturn.engine.scheduler import SchedulerSettings
from microturn.errors import CapacityError
from microturn.server import vacancy
from microturn.server.access import Access
from microturn.server.app import create_app
from microturn.server.limits import Limits
from microturn.server.live_server import LiveServer
from microturn.server.paths import LIVE_PATH
from microturn.server.session_setup import Offer
from microturn.testing.clock import ManualClock
from microturn.testing.scripted_engine import ScriptedEngine

READY = (200, {"status": "ready"})


def busy(reason: str) -> tuple[int, dict[str, str]]:
    return 503, {"status": "busy", "reason": reason}


class Asked(ScriptedEngine):
    """Answers when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.num_asked = 0
        self.is_let = asyncio.Event()

    async def counts(self) -> Mapping[str, Any]:
        self.num_asked += 1
        await self.is_let.wait()
        return await super().counts()


def server_around(engine: Any, limits: Limits | None = None) -> LiveServer:
    return LiveServer(
        engine=engine, offer=Offer(model="nano", voice="heart"), counting=engine, limits=limits or Limits()
    )


async def readiness(live: LiveServer) -> tuple[int, dict[str, str]]:
    async with balancer(live) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()


@asynccontextmanager
async def balancer(live: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(live, Access(host="127.0.0.1"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield client


async def test_an_engine_without_a_place_is_full_until_a_session_has_left() -> None:
    settings = EngineSettings(scheduler=SchedulerSettings(max_sessions=1))
    async with Engine(NoModel(), settings=settings, clock=ManualClock()) as engine:
        live = server_around(engine)
        assert await readiness(live) == READY
        session = await engine.open()
        assert await readiness(live) == busy("full")
        with pytest.raises(CapacityError):
            await engine.open()
        await session.park()  # One that is away gives its place to who comes.
        assert await readiness(live) == READY
        await engine.open()


async def test_an_engine_that_takes_no_new_sessions_is_overloaded() -> None:
    async with Engine(NoModel(), clock=ManualClock()) as engine:
        live = server_around(engine)
        for rung in Rung:
            await engine.run(lambda core, rung=rung: setattr(core.scheduler.ladder, "rung", rung))
            is_refusing = rung is Rung.NO_NEW_SESSIONS
            assert await readiness(live) == (busy("overloaded") if is_refusing else READY)
        with pytest.raises(CapacityError):
            await engine.open()


async def test_a_server_that_stops_takes_nobody() -> None:
    async with Engine(NoModel(), clock=ManualClock()) as engine:
        live, other = server_around(engine), server_around(engine)
        live.stop()
        assert await readiness(live) == busy("stopping")
        assert await readiness(other) == READY
    assert await readiness(other) == busy("stopping")


async def test_who_is_refused_is_told_whether_the_server_is_full_or_stops() -> None:
    full, stopping = (server_around(ScriptedEngine(), Limits(max_connections=1)) for _ in range(2))
    full.connect()
    stopping.connect()
    stopping.stop()
    for live, code in ((full, "too_many_connections"), (stopping, "server_stopping")):
        async with balancer(live) as client:
            answer = await client.post(LIVE_PATH, json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, code)


async def test_connections_have_a_limit_of_their_own() -> None:
    live = server_around(ScriptedEngine(), Limits(max_connections=1))
    assert await readiness(live) == READY
    live.connect()
    assert await readiness(live) == busy("full")


async def test_however_many_ask_the_engine_is_asked_once() -> None:
    engine = Asked()
    async with balancer(server_around(engine)) as client, asyncio.timeout(20):
        asking = [asyncio.create_task(client.get("/readyz")) for _ in range(300)]
        for _ in range(100):
            await asyncio.sleep(0)
        assert engine.num_asked == 1
        engine.is_let.set()
        assert {(await each).status_code for each in asking} == {200}


async def test_an_engine_that_says_nothing_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vacancy, "_ANSWER_WITHIN_MS", 1)
    engine = Asked()
    live = server_around(engine)
    async with balancer(live) as client:
        assert (await client.get("/readyz")).json() == {"status": "busy", "reason": "not_answering"}
        monkeypatch.undo()
        engine.is_let.set()
        assert (await client.get("/readyz")).json() == {"status": "ready"}
