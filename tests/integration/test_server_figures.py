"""What operators read at ``/metrics``: what waits, what was refused, what engine and background have counted."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from no_model import NoModel
from server_harness import RunningServer, WatchedEngine, message, raw_session, receive, running_server, sound
from websockets.asyncio.client import connect

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.background.jobs import DropReason, JobState
from microturn.engine.core import EngineCore, describe
from microturn.engine.journal import NullJournal
from microturn.engine.ladder import Rung
from microturn.testing.clock import ManualClock
from microturn.turns.background import BackgroundRequest, parse_act
from microturn.turns.micro_turn import Role, TextEvent

pytest.importorskip("prometheus_client")
from microturn.server.readings import Readings
from microturn.server.telemetry import Metrics


async def figures(server: RunningServer) -> str:
    async with httpx.AsyncClient(base_url=server.url) as operator:
        return (await operator.get("/metrics")).text


class CountedEngine(WatchedEngine):
    """A scripted engine that says it is as overloaded as it is told."""

    def __init__(self) -> None:
        super().__init__(max_sessions=1)
        self.rung = Rung.FEWER_FLOW_STEPS

    async def counts(self) -> Mapping[str, Any]:
        changed = {"overload_rung": int(self.rung), "overload_climbs": {"fewer_frames": 2}, "num_parked_sessions": 1}
        return {**await super().counts(), **changed}


async def test_what_waits_is_read_while_it_waits() -> None:
    async with running_server() as server:
        async with raw_session(server) as socket:
            await socket.send(message("session.input_audio.append", audio=sound(4_000)))
            await socket.send(message("session.input_audio.mute"))
            while (await receive(socket))["type"] != "session.input_audio.muted":
                pass
            told = await figures(server)
            (held,) = [line for line in told.splitlines() if line.startswith("microturn_held_audio_most_seconds ")]
            assert 1 < float(held.split()[1]) <= 4
            assert "microturn_outbox_events " in told
        await server.engine.closed.get()
        assert "microturn_held_audio_seconds 0.0" in await figures(server)


async def test_the_step_of_the_ladder_is_the_engines_own_after_the_last_session_too() -> None:
    engine = CountedEngine()
    async with running_server(engine) as server:
        async with raw_session(server):
            assert "microturn_overload_rung 3.0" in await figures(server)
        await engine.closed.get()
        engine.rung = Rung.EVERYTHING
        told = await figures(server)
    assert "microturn_overload_rung 0.0" in told
    assert 'microturn_overload_climbs_total{rung="fewer_frames"} 2.0' in told
    assert "microturn_parked_sessions 1.0" in told


async def test_a_session_that_the_engine_has_no_room_for_is_counted() -> None:
    async with (
        running_server(WatchedEngine(max_sessions=1)) as server,
        raw_session(server),
        connect(server.live_url.replace("live/sessions", "realtime")) as second,
    ):
        assert (await receive(second))["error"]["code"] == "capacity_exceeded"
        assert 'microturn_refused_connections_total{code="capacity_exceeded"} 1.0' in await figures(server)


async def test_jobs_and_what_was_dropped_are_counted_by_reason() -> None:
    readings = Readings()
    async with Coordinator(ToolsBackend()) as coordinator:
        coordinator.attach("s", lambda report: None)
        for time_ms in (200, 200, 400):
            act = parse_act("ask 1: what is it?")
            coordinator.submit(BackgroundRequest(session_id="s", act=act, time_ms=time_ms))
        await coordinator.wait_until_idle()
        readings.watch(None, coordinator, tuple)
        samples = {(each.name, *each.labels.values()): each.value for m in readings.collect() for each in m.samples}
    assert samples["microturn_background_dropped_total", "repeated"] == 1
    assert samples["microturn_background_dropped_total", "replaced"] == 1
    ended = {state for state in JobState if state.is_over}
    assert {key[1] for key in samples if key[0] == "microturn_background_jobs_ended_total"} == ended
    assert {key[1] for key in samples if key[0] == "microturn_background_dropped_total"} == set(DropReason)
    assert samples["microturn_background_jobs", "running"] == 0


async def test_every_figure_of_the_engine_is_one_that_it_counts() -> None:
    core = EngineCore(NoModel(), NullJournal(), ManualClock(10**12))
    session = core.open(lambda item: None)
    session.push_text(TextEvent(role=Role.USER, text="hello"))

    class Engine:
        async def counts(self) -> Mapping[str, Any]:
            return describe(core)

    metrics = Metrics()
    metrics.readings.watch(Engine(), None, tuple)
    told = (await metrics.report()).decode()
    assert "microturn_waiting_events 1.0" in told
    for name in ("overload_rung", "parked_sessions", "batches_total", "refused_sessions_total", "waiting_snapshots"):
        assert f"microturn_{name} 0.0" in told
    assert 'microturn_overload_climbs_total{rung="no_new_sessions"} 0.0' in told
