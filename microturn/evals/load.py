"""``bench load``: real clients with real sound on a running server, and what each of them waits.

Every client is a WebSocket of its own that streams spoken requests at the pace of a microphone and measures by the
clock: from the moment the last sample of a request was sent until the first sound that is no silence came back, and the
server's own figures for each micro-turn. Clients start evenly spread over a few seconds.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from microturn.errors import MicroturnError
from microturn.evals import metric
from microturn.evals.exchange import LONGEST_LATENCY_MS, request_end_ms
from microturn.evals.metric import Metric
from microturn.evals.playbook import Play
from microturn.evals.report import SuiteReport
from microturn.turns.timing import IN_HZ

CHUNK_MS = 100
_CHUNK_SAMPLES = IN_HZ * CHUNK_MS // 1000
_SPREAD_MS = 2_000
WARM_UP_S = 15.0
"""Before the first level, one session that is not counted: what a server does for the first time takes longer."""
LONGEST_RECOVERY_S = 60.0
"""Between two levels: a server that was overloaded takes back what it gave up, step by step."""
_RETRY_S = 0.5
_LOUD = 0.01
"""Speech is louder than this somewhere in a micro-turn."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client says once."""

    sound: NDArray[np.float32]
    """(num_samples,) at 16 kHz, with the silence in which the answer comes."""
    end_ms: float
    """When the request ends."""


@dataclass(kw_only=True)
class Waited:
    """What one client measured."""

    response_ms: list[float] = field(default_factory=list[float])
    num_requests: int = 0
    turn_ms: list[float] = field(default_factory=list[float])
    """The server's latency of each micro-turn."""
    num_late: int = 0
    highest_rung: int = 0
    num_steps_seen: int = 0
    """Changes of the step of overload since the telemetry of the micro-turns began."""
    num_steps_told: int = 0
    """Notices of it, which every client gets, telemetry or not."""
    is_refused: bool = False


def spoken_requests(play: Play, count: int, seed: int = 0) -> list[Request]:
    """Requests in held-out voices that call for an answer."""
    requests: list[Request] = []
    for number in range(4 * count):
        episode = play("repeat-after-me", seed + number)
        end_ms = request_end_ms(episode)
        if end_ms is not None:
            requests.append(Request(sound=np.concatenate([t.audio for t in episode.inputs]), end_ms=end_ms))
        if len(requests) == count:
            break
    return requests


async def run_levels(
    url: str, requests: Sequence[Request], sessions: Sequence[int], *, seconds: float, key: str | None = None
) -> dict[int, SuiteReport]:
    """A warm-up, then levels of load one after the other, each once the server has recovered from the one before.

    Args:
        url: Address of the server's page, ``http://HOST:PORT/``.
        sessions: How many at once, one level each.
        seconds: Length of a level.

    Returns:
        The figures by number of sessions.

    Raises:
        MicroturnError: nothing answers there.
    """
    await run_load(url, requests, num_sessions=1, seconds=min(WARM_UP_S, seconds), key=key)
    reports: dict[int, SuiteReport] = {}
    for count in sessions:
        waited = await run_load(url, requests, num_sessions=count, seconds=seconds, key=key)
        undone_s = await recovery_s(url, key)
        reports[count] = load_report(waited, undone_s if any(each.highest_rung for each in waited) else None)
    return reports


async def run_load(
    url: str, requests: Sequence[Request], *, num_sessions: int, seconds: float, key: str | None = None
) -> list[Waited]:
    """Hold so many sessions at once for so long.

    Args:
        url: Address of the server's page, ``http://HOST:PORT/``.

    Raises:
        MicroturnError: nothing answers there.
    """
    address, headers = _where(url, key)

    async def hold(number: int) -> Waited:
        await asyncio.sleep(_SPREAD_MS / 1000 * number / num_sessions)
        rolled = [*requests[number % len(requests) :], *requests[: number % len(requests)]]
        waited = Waited()
        try:
            async with connect(address, additional_headers=headers, max_size=None) as socket:
                await _converse(socket, rolled, waited, seconds)
        except (OSError, WebSocketException) as error:
            if not waited.turn_ms and isinstance(error, OSError):
                raise MicroturnError(
                    f"no server answers at {url} ({error}): start one with 'microturn serve'"
                ) from None
            waited.is_refused = not waited.turn_ms
        except ExceptionGroup as group:  # The server hung up in the middle: what was measured until then counts.
            if group.split((OSError, WebSocketException))[1] is not None:
                raise
        return waited

    return list(await asyncio.gather(*(hold(number) for number in range(num_sessions))))


async def recovery_s(url: str, key: str | None = None, *, patience_s: float = LONGEST_RECOVERY_S) -> float | None:
    """How long after a level of load a new session finds a place and a server without a step of overload in force.

    Returns:
        Seconds; None if that takes longer than ``patience_s``.
    """
    address, headers = _where(url, key)
    start_s = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while True:
                try:
                    async with connect(address, additional_headers=headers, max_size=None) as socket:
                        if await _start(socket) and await _is_calm_at_last(socket):
                            return time.monotonic() - start_s
                except (OSError, WebSocketException):
                    pass
                await asyncio.sleep(_RETRY_S)
    return None


async def _is_calm_at_last(socket: ClientConnection) -> bool:
    """Wait, in silence, for the first micro-turn without a step. False if the server hangs up before."""
    silence = base64.b64encode(bytes(2 * _CHUNK_SAMPLES)).decode()

    async def be_silent() -> None:
        while True:
            await _send(socket, type="session.input_audio.append", audio=silence)
            await asyncio.sleep(CHUNK_MS / 1000)

    silent = asyncio.create_task(be_silent())
    try:
        async for message in socket:
            event = json.loads(message)
            if event["type"] == "microturn.turn" and event["overload_rung"] == 0:
                return True
        return False
    finally:
        silent.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketException):
            await silent


def load_report(waited: Sequence[Waited], undone_s: float | None = None) -> SuiteReport:
    """The figures of one level of load.

    Args:
        undone_s: What ``recovery_s`` says afterwards; None where nothing had to be undone, or it was not in time.
    """
    overloaded = [each for each in waited if each.num_steps_seen]
    undone = [] if undone_s is None else [undone_s * 1000]
    responses = [ms for each in waited for ms in each.response_ms]
    turns = [ms for each in waited for ms in each.turn_ms]
    num_requests = sum(each.num_requests for each in waited)
    highest = max((each.highest_rung for each in waited), default=0)
    return SuiteReport(
        metrics={
            "response_ms_p50": metric.percentile(responses, 50),
            "response_ms_p95": metric.percentile(responses, 95),
            "answered": metric.share(len(responses), num_requests),
            "turn_ms_p50": metric.percentile(turns, 50),
            "turn_ms_p99": metric.percentile(turns, 99),
            "missed_deadlines": metric.share(sum(each.num_late for each in waited), len(turns)),
            "refused": metric.share(sum(each.is_refused for each in waited), len(waited)),
            "highest_overload_rung": Metric(value=float(highest), count=len(turns), unit="", note="0: none"),
            "overload_told": metric.share(
                sum(each.num_steps_told >= each.num_steps_seen for each in overloaded), len(overloaded)
            ),
            "overload_undone_ms": metric.percentile(undone, 50),
        }
    )


def _where(url: str, key: str | None) -> tuple[str, dict[str, str]]:
    """Address and headers of a session on a server."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return url.rstrip("/").replace("http", "ws", 1) + "/v1/live/sessions", headers


async def _start(socket: ClientConnection) -> bool:
    """Begin a session with telemetry. False if the server has no place for it."""
    await _send(socket, type="session.start", session={"model": "nano", "audio": {"format": _FORMAT}})
    while (event := json.loads(await socket.recv()))["type"] != "session.started":
        if event["type"] == "error":
            return False
    await _send(socket, type="microturn.extensions.enable", silence="omit")
    return True


async def _converse(socket: ClientConnection, requests: Sequence[Request], waited: Waited, seconds: float) -> None:
    if not await _start(socket):
        waited.is_refused = True
        return
    asked: list[float] = []
    """When the request that waits for its answer ended, by the clock; empty when none waits."""
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(_listen(socket, waited, asked))
        await _speak(socket, requests, waited, asked, seconds)
        listening.cancel()


async def _speak(
    socket: ClientConnection, requests: Sequence[Request], waited: Waited, asked: list[float], seconds: float
) -> None:
    start_s = due_s = time.monotonic()
    number = 0
    while time.monotonic() - start_s < seconds:
        request = requests[number % len(requests)]
        number += 1
        asked.clear()
        for start in range(0, len(request.sound), _CHUNK_SAMPLES):
            due_s += CHUNK_MS / 1000
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            chunk = np.clip(np.rint(request.sound[start : start + _CHUNK_SAMPLES] * 32768), -32768, 32767)
            audio = base64.b64encode(chunk.astype("<i2").tobytes()).decode()
            await _send(socket, type="session.input_audio.append", audio=audio)
            if start <= request.end_ms * IN_HZ / 1000 < start + _CHUNK_SAMPLES:
                asked[:] = [due_s - CHUNK_MS / 1000 + (request.end_ms - start * 1000 / IN_HZ) / 1000]
                waited.num_requests += 1


async def _listen(socket: ClientConnection, waited: Waited, asked: list[float]) -> None:
    rung = 0
    async for message in socket:
        event = json.loads(message)
        if event["type"] == "microturn.turn":
            waited.turn_ms.append(event["latency_ms"])
            waited.num_late += event["late"]
            waited.num_steps_seen += event["overload_rung"] != rung
            rung = event["overload_rung"]
            waited.highest_rung = max(waited.highest_rung, rung)
        elif event["type"] == "info" and event["code"] == "overload":
            waited.num_steps_told += 1
        elif event["type"] == "session.output_audio.delta" and asked:
            sound = np.frombuffer(base64.b64decode(event["delta"]), dtype="<i2")
            if np.abs(sound).max() > _LOUD * 32768:
                latency_ms = (time.monotonic() - asked.pop()) * 1000
                if latency_ms <= LONGEST_LATENCY_MS:
                    waited.response_ms.append(latency_ms)


async def _send(socket: ClientConnection, **event: Any) -> None:
    await socket.send(json.dumps(event))


_FORMAT = {"type": "audio/pcm", "rate": IN_HZ}
