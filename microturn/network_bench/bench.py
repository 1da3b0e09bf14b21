"""The bench: requests before, during and after each kind of bad network, and how the answers fared.

``during`` is while the network is bad. What counts is ``after``: on the same session, over a good network again, the
answer must come as soon as before. The extra delay is the difference of the two medians. A rehearsal over a good
network chooses requests that the model answers rightly, so that a wrong answer is the network's doing.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from microturn.data.acoustics import resample
from microturn.errors import CapacityError, SessionClosedError
from microturn.evals import metric
from microturn.evals.exchange import request_end_ms
from microturn.evals.metric import MILLISECONDS, Metric, Metrics
from microturn.evals.playbook import Play
from microturn.evals.report import SuiteReport
from microturn.evals.wer import normal_words, word_error_rate
from microturn.network_bench.lines import Line, webrtc_line, websocket_line
from microturn.network_bench.microphone import Answer
from microturn.testing.impairment import Impairment, Link
from microturn.turns.timing import IN_HZ

_T = TypeVar("_T")
PHASES = ("before", "during", "after")
LONGEST_ANSWER_S = 25.0
_SCENARIO = "count-aloud"
_LONGEST_COUNT_MS = 9_000
"""Right answers only: a bench that waits for counts to a hundred rehearses all day."""
_REST_S = 1.0
_MAX_REFUSALS, _AGAIN_AFTER_S = 6, 10.0
_SETTLED_AFTER_S = 2.0
"""A new call: its first packets are late ones."""

OpenLine = Callable[[str, str | None], AbstractAsyncContextManager[Line]]
LINES: dict[str, OpenLine] = {"websocket": websocket_line, "webrtc": webrtc_line}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked, and what the right answer is."""

    sound: NDArray[np.float32]
    """(num_samples,) at 16 kHz, up to the end of the request."""
    end_ms: float
    asked: str
    """Its words."""
    expected: str
    """The words of the right answer."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """A kind of bad network."""

    name: str
    lines: Sequence[str]
    """The ways that it can befall."""
    impairment: Impairment = field(default_factory=Impairment)
    """While it lasts."""
    happens: Callable[[Link], Awaitable[None]] | None = None
    """What happens once in every request, while it is being said."""


async def _stall(link: Link) -> None:
    link.stall()
    await asyncio.sleep(3.0)
    link.resume()


async def _cut(link: Link) -> None:
    link.cut()


async def _gone(link: Link) -> None:
    calm = link.impairment
    link.impairment = Impairment(loss=1.0)
    await asyncio.sleep(3.0)
    link.impairment = calm


WEATHERS = (
    Weather(name="loss-10", lines=("webrtc",), impairment=Impairment(loss=0.1, seed=1)),
    Weather(name="reordering", lines=("webrtc",), impairment=Impairment(jitter_ms=50, seed=2)),
    Weather(name="jitter-200", lines=("websocket", "webrtc"), impairment=Impairment(jitter_ms=200, seed=3)),
    Weather(name="stall-3s", lines=("websocket", "webrtc"), happens=_stall),
    Weather(name="cut", lines=("websocket",), happens=_cut),
    Weather(name="gone-3s", lines=("webrtc",), happens=_gone),
    Weather(
        name="all",
        lines=("websocket", "webrtc"),
        impairment=Impairment(loss=0.1, jitter_ms=200, seed=4),
        happens=_stall,
    ),
)
"""Jitter lets datagrams overtake each other, so that it reorders as well. TCP neither loses nor reorders."""


def counting_requests(play: Play, count: int, seed: int = 0) -> list[Request]:
    """Held-out requests for a count that is soon over, in which the user says nothing else.

    Raises:
        ValueError: there are too few.
    """
    requests: list[Request] = []
    for number in range(200 * count):
        if len(requests) == count:
            return requests
        episode = play(_SCENARIO, seed + number)
        end_ms = request_end_ms(episode)
        if end_ms is None or episode.heard[-1].end_ms > end_ms or not 2 <= len(episode.said) <= 12:
            continue
        if episode.said[-1].end_ms - end_ms > _LONGEST_COUNT_MS:
            continue
        sound = np.concatenate([turn.audio for turn in episode.inputs])[: round((end_ms + 100) * IN_HZ / 1000)]
        asked, expected = (" ".join(word.text for word in words) for words in (episode.heard, episode.said))
        requests.append(Request(sound=sound, end_ms=end_ms, asked=asked, expected=expected))
    raise ValueError(f"{len(requests)} of {count} requests found: ask for fewer")


async def rehearse(
    url: str,
    candidates: Sequence[Request],
    count: int,
    *,
    key: str | None = None,
    at_once: int = 2,
    on_asked: Callable[[bool], None] = lambda _: None,
) -> list[Request]:
    """So many requests that are answered rightly over a good network; fewer if there are not so many.

    Args:
        url: Address of the server's page, ``http://HOST:PORT/``.
        candidates: What to ask, each once.
        count: How many right answers are enough.
        key: What the server asks for.
        at_once: Sessions that share the candidates.
        on_asked: Called after each request with whether its answer was right.
    """
    chosen: list[Request] = []
    waiting = iter(candidates)

    async def one() -> None:
        async with websocket_line(url, key) as line:
            for request in waiting:
                is_right = _is_right(request, await _asked(line, request, None))
                on_asked(is_right)
                chosen.extend([request] * is_right)
                if len(chosen) >= count:
                    return

    await _all(one() for _ in range(min(at_once, len(candidates))))
    return chosen[:count]


async def bench_network(
    url: str,
    requests: Sequence[Request],
    *,
    key: str | None = None,
    weathers: Sequence[Weather] = WEATHERS,
    at_once: int = 2,
    on_done: Callable[[], None] = lambda: None,
) -> dict[str, SuiteReport]:
    """A session for each weather and line, in which every request is said once a phase.

    Args:
        url: Address of the server's page, ``http://HOST:PORT/``.
        at_once: Sessions at the same time; what one bears, the others do not notice.
        on_done: Called after each session.

    Returns:
        The figures by line and weather, like ``webrtc-loss-10``.
    """
    turnstile = asyncio.Semaphore(at_once)

    async def one(name: str, weather: Weather) -> tuple[str, SuiteReport]:
        async with turnstile, AsyncExitStack() as stack:
            line = await _admitted(stack, LINES[name], url, key)
            await asyncio.sleep(_SETTLED_AFTER_S)
            answers = {phase: await _phase(line, requests, weather, phase) for phase in PHASES}
        on_done()
        return f"{name}-{weather.name}", SuiteReport(metrics=_figures(requests, answers, line.link.num_lost))

    sessions = [one(name, weather) for weather in weathers for name in weather.lines]
    return dict(await _all(sessions))


async def _all(sessions: Iterable[Awaitable[_T]]) -> list[_T]:
    """Every session to its end, and then the first one's error if there is any: calls that are cancelled may never
    close."""
    outcomes = await asyncio.gather(*sessions, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


async def _admitted(stack: AsyncExitStack, open_line: OpenLine, url: str, key: str | None) -> Line:
    """A line, once the server has room for it."""
    for _ in range(_MAX_REFUSALS):
        try:
            return await stack.enter_async_context(open_line(url, key))
        except (CapacityError, SessionClosedError):
            await asyncio.sleep(_AGAIN_AFTER_S)
    return await stack.enter_async_context(open_line(url, key))


async def _phase(line: Line, requests: Sequence[Request], weather: Weather, phase: str) -> list[Answer]:
    async with _while_bad(line.link, weather if phase == "during" else None):
        return [await _asked(line, request, weather if phase == "during" else None) for request in requests]


@asynccontextmanager
async def _while_bad(link: Link, weather: Weather | None) -> AsyncGenerator[None]:
    link.impairment = weather.impairment if weather else Impairment()
    try:
        yield
    finally:
        link.impairment = Impairment()


async def _asked(line: Line, request: Request, weather: Weather | None) -> Answer:
    sound = resample(request.sound, IN_HZ, line.microphone.sample_rate)
    line.earphone.forget()
    ending = line.microphone.say(sound, request.end_ms)
    if weather is not None and weather.happens is not None:
        await asyncio.sleep(request.end_ms / 2000)
        await weather.happens(line.link)
    answer = await line.earphone.answer(await ending, LONGEST_ANSWER_S)
    await asyncio.sleep(_REST_S)
    return answer


def _is_right(request: Request, answer: Answer) -> bool:
    return normal_words(answer.text) == normal_words(request.expected)


def _heard_share(requests: Sequence[Request], answers: Sequence[Answer]) -> Metric:
    """Words of the requests that came in the transcript, in their order."""
    errors = [word_error_rate(request.asked, answer.heard) for request, answer in zip(requests, answers, strict=True)]
    found = [each.num_words - each.substitutions - each.deletions for each in errors]
    return metric.ratio(found, [each.num_words for each in errors])


def _figures(requests: Sequence[Request], answers: dict[str, list[Answer]], num_lost: int) -> Metrics:
    figures: Metrics = {}
    waits = {
        phase: [answer.latency_ms for answer in answers[phase] if answer.latency_ms is not None] for phase in PHASES
    }
    for phase in PHASES:
        figures[f"response_ms_{phase}"] = metric.median(waits[phase])
    if waits["before"] and waits["after"]:
        extra_ms = float(np.median(waits["after"]) - np.median(waits["before"]))
        figures["extra_delay_ms"] = Metric(value=extra_ms, count=len(waits["after"]), unit=MILLISECONDS)
    for phase in PHASES:
        figures[f"heard_{phase}"] = _heard_share(requests, answers[phase])
    for phase in PHASES:
        right = [_is_right(*pair) for pair in zip(requests, answers[phase], strict=True)]
        figures[f"right_{phase}"] = metric.rate(right)
    figures["lost_datagrams"] = Metric(value=float(num_lost), count=1, unit="")
    return figures
