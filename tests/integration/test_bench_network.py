"""``bench network`` on a running server: answers over a bad network are timed and judged."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from server_harness import WatchedEngine, running_server, says

from microturn.errors import MicroturnError
from microturn.network_bench.bench import PHASES, Request, Weather, bench_network, rehearse
from microturn.testing.impairment import Impairment, Link
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput

pytest.importorskip("aiortc")

WITHIN_S = 60.0
REQUEST = Request(sound=np.full(6_400, 0.3, np.float32), end_ms=400.0, asked="is it so", expected="yes")


class Yes:
    """Says yes once to each stretch of sound, when it is over. Holes in it, on a busy machine, are no end."""

    QUIET_TURNS, REST_TURNS = 3, 10

    def __init__(self) -> None:
        self._num_quiet: int | None = None
        self._spoke_at = -self.REST_TURNS

    def __call__(self, turn: MicroTurnInput) -> MicroTurnOutput:
        if np.abs(turn.audio).max() > 0.05:
            self._num_quiet = 0
        elif self._num_quiet is not None:
            self._num_quiet += 1
        is_over = self._num_quiet is not None and self._num_quiet >= self.QUIET_TURNS
        if not is_over or turn.index - self._spoke_at < self.REST_TURNS:
            return MicroTurnOutput(index=turn.index)
        self._num_quiet, self._spoke_at = None, turn.index
        return says(turn.index, " yes", hear=" is it")


async def _pause(link: Link) -> None:
    link.stall()
    await asyncio.sleep(0.5)
    link.resume()


@pytest.mark.parametrize("line", ["websocket", "webrtc"])
async def test_answers_before_during_and_after_a_stall_are_timed(line: str) -> None:
    weather = Weather(name="stall", lines=(line,), impairment=Impairment(jitter_ms=10), happens=_pause)
    async with running_server(WatchedEngine(Yes()), within_s=WITHIN_S) as server:
        reports = await bench_network(server.url, [REQUEST], weathers=[weather])
    figures = reports[f"{line}-stall"].metrics
    assert all(figures[f"response_ms_{phase}"].count == 1 for phase in PHASES), figures
    assert (figures["right_before"].value, figures["right_after"].value) == (1.0, 1.0), figures
    assert [(figures[f"heard_{phase}"].value, figures[f"heard_{phase}"].count) for phase in PHASES] == [(2 / 3, 3)] * 3


async def test_a_line_that_is_cut_comes_back() -> None:
    async def cut(link: Link) -> None:
        link.cut()

    weather = Weather(name="cut", lines=("websocket",), happens=cut)
    async with running_server(WatchedEngine(Yes()), within_s=WITHIN_S) as server:
        figures = (await bench_network(server.url, [REQUEST], weathers=[weather]))["websocket-cut"].metrics
    assert figures["right_after"].value == 1.0


async def test_a_server_that_is_not_there_is_named() -> None:
    for line in ("websocket", "webrtc"):
        with pytest.raises(MicroturnError, match="microturn serve"):
            await bench_network("http://127.0.0.1:9/", [REQUEST], weathers=[Weather(name="calm", lines=(line,))])
    with pytest.raises(MicroturnError, match="microturn serve"):
        await rehearse("http://127.0.0.1:9/", [REQUEST], 1)


async def test_a_rehearsal_keeps_what_is_answered_rightly() -> None:
    wrong = Request(sound=REQUEST.sound, end_ms=REQUEST.end_ms, asked=REQUEST.asked, expected="no")
    asked: list[bool] = []
    async with running_server(WatchedEngine(Yes()), within_s=WITHIN_S) as server:
        chosen = await rehearse(server.url, [wrong, REQUEST, REQUEST], 1, at_once=1, on_asked=asked.append)
    assert chosen == [REQUEST]
    assert asked == [False, True]


async def test_a_rehearsal_is_shared_between_sessions() -> None:
    asked: list[bool] = []
    async with running_server(WatchedEngine(Yes()), within_s=WITHIN_S) as server:
        chosen = await rehearse(server.url, [REQUEST] * 4, 3, at_once=2, on_asked=asked.append)
    assert len(chosen) == min(3, sum(asked))
    assert 3 <= len(asked) <= 4


async def test_one_line_that_fails_lets_the_others_end() -> None:
    """Here the second kind of network breaks the bench itself."""

    async def break_down(link: Link) -> None:
        raise RuntimeError("broken")

    calm = Weather(name="calm", lines=("webrtc",))
    broken = Weather(name="broken", lines=("webrtc",), happens=break_down)
    done: list[int] = []
    async with running_server(WatchedEngine(Yes()), within_s=WITHIN_S) as server:
        with pytest.raises(RuntimeError, match="broken"):
            await bench_network(server.url, [REQUEST], weathers=[broken, calm], on_done=lambda: done.append(1))
    assert done == [1]


def test_no_requests_are_refused(tmp_path: Path) -> None:
    from microturn.network_bench.command import bench_network_command

    with pytest.raises(ValueError, match="at least one"):
        bench_network_command(url="http://127.0.0.1:9/", num_requests=0)
