"""``bench load`` on a running server: each client is answered, and what it waited is measured."""

from pathlib import Path

import numpy as np
import pytest
from server_harness import WatchedEngine, running_server, says

from microturn.errors import MicroturnError
from microturn.evals.load import Request, Waited, load_report, recovery_s, run_levels, run_load
from microturn.evals.load_plot import draw_load
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.trace import TurnTrace

REQUEST = Request(sound=np.concatenate([np.full(6_400, 0.2), np.zeros(9_600)]).astype(np.float32), end_ms=400.0)


def answers(turn: MicroTurnInput) -> MicroTurnOutput:
    return says(turn.index, " yes") if turn.index % 5 == 2 else MicroTurnOutput(index=turn.index)


async def test_two_clients_are_answered_and_timed() -> None:
    async with running_server(WatchedEngine(answers)) as server:
        waited = await run_load(server.url, [REQUEST], num_sessions=2, seconds=1.5)
    figures = load_report(waited).metrics
    assert all(each.num_requests >= 1 and each.turn_ms for each in waited)
    assert all(each.response_ms for each in waited)
    assert figures["answered"].value == sum(len(w.response_ms) for w in waited) / sum(w.num_requests for w in waited)
    assert (figures["refused"].value, figures["missed_deadlines"].value) == (0.0, 0.0)
    assert all(ms > 0 for each in waited for ms in each.response_ms)


async def test_a_session_that_is_not_counted_comes_before_the_first_level() -> None:
    async with running_server(WatchedEngine(answers)) as server:
        levels = await run_levels(server.url, [REQUEST], [1, 2], seconds=1.5)
        held = [len(session.inputs) for session in server.engine.sessions]
    assert {count: level.metrics["refused"].count for count, level in levels.items()} == {1: 1, 2: 2}
    warm_up, first = held[0], held[1]
    assert warm_up > 0
    assert first >= levels[1].metrics["turn_ms_p50"].count > 0


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_levels_are_drawn(tmp_path: Path, kind: str) -> None:
    quiet = Waited(response_ms=[420.0], num_requests=1, turn_ms=[20.0, 30.0])
    loaded = Waited(response_ms=[900.0], num_requests=2, turn_ms=[150.0, 230.0], num_late=1, highest_rung=1)
    picture = tmp_path / f"load.{kind}"
    draw_load({1: load_report([quiet]), 8: load_report([loaded, Waited(is_refused=True)])}, picture)
    drawn = picture.read_bytes()
    assert drawn.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
    with pytest.raises(ValueError, match="neither"):
        draw_load({}, tmp_path / "load.txt")


async def test_those_who_find_no_place_are_counted() -> None:
    async with running_server(WatchedEngine(answers, max_sessions=1)) as server:
        waited = await run_load(server.url, [REQUEST], num_sessions=2, seconds=3.0)
    assert load_report(waited).metrics["refused"].value == 0.5


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(MicroturnError, match="microturn serve"):
        await run_load("http://127.0.0.1:9/", [REQUEST], num_sessions=1, seconds=1.0)


async def test_steps_of_overload_are_told_and_undone() -> None:
    def trace(index: int) -> TurnTrace:  # up and down and up again, whenever the telemetry begins
        return TurnTrace(index=index, overload_rung=index // 2 % 3)

    async with running_server(WatchedEngine(answers, trace=trace)) as server:
        waited = await run_load(server.url, [REQUEST], num_sessions=1, seconds=3.0)
        undone_s = await recovery_s(server.url)
    figures = load_report(waited, undone_s).metrics
    assert (figures["highest_overload_rung"].value, figures["overload_told"].value) == (2.0, 1.0)
    assert undone_s is not None
    assert figures["overload_undone_ms"].value == pytest.approx(undone_s * 1000)


async def test_overload_that_is_not_undone_is_no_figure() -> None:
    engine = WatchedEngine(answers, trace=lambda index: TurnTrace(index=index, overload_rung=1))
    async with running_server(engine) as server:
        assert await recovery_s(server.url, patience_s=1.0) is None
    assert load_report([Waited(highest_rung=1)], None).metrics["overload_undone_ms"].value is None
