"""``microturn bench network`` without its options."""

import asyncio
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from microturn.errors import MicroturnError, MissingDependencyError
from microturn.evals.bench import load
from microturn.evals.command import published
from microturn.evals.playbook import heldout_play
from microturn.evals.report import Report
from microturn.network_bench.bench import WEATHERS, bench_network, counting_requests, rehearse
from microturn.network_bench.lines import is_webrtc_there

TRIES_A_REQUEST = 8
"""Requests that the rehearsal may ask for each right answer that is wanted."""


def bench_network_command(
    *,
    url: str,
    num_requests: int,
    key: str | None = None,
    data: Path | None = None,
    json_path: Path | None = None,
    console: Console | None = None,
) -> Report:
    """Talks to a running server over bad networks, prints the table, writes the result file.

    Args:
        url: address of the server's page.
        num_requests: requests before, during and after each kind of bad network; a rehearsal chooses them.
        key: what the server asks for.
        data: folder of human recordings and noises, part of what is said.
        json_path: where the result file goes.
        console: where the table goes, standard output by default.

    Raises:
        ValueError: no requests.
        MissingDependencyError: aiortc is not installed.
        MicroturnError: nothing answers at the address, or nothing answers rightly.
    """
    if num_requests < 1:
        raise ValueError(f"{num_requests} requests: ask for at least one")
    if not is_webrtc_there():
        raise MissingDependencyError("WebRTC needs aiortc: pip install 'microturn[serve]'")
    candidates = counting_requests(heldout_play(data), num_requests * TRIES_A_REQUEST)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    tried: list[bool] = []
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), transient=True) as progress:
        rehearsal = progress.add_task("rehearsal: right answers", total=num_requests)

        def asked(is_right: bool) -> None:
            tried.append(is_right)
            progress.advance(rehearsal, is_right)

        requests = asyncio.run(rehearse(url, candidates, num_requests, key=key, on_asked=asked))
        if not requests:
            raise MicroturnError(
                f"not one of {len(tried)} requests was answered rightly over a good network: "
                "what a bad one spoils cannot be told; try another model (serve --model)"
            )
        task = progress.add_task("sessions", total=sum(len(weather.lines) for weather in WEATHERS))
        suites = asyncio.run(bench_network(url, requests, key=key, on_done=lambda: progress.advance(task)))
    settings: dict[str, str | int | None] = {
        "requests": len(requests),
        "asked in rehearsal": len(tried),
        "load after": load(),
    }
    return published(Report(model=url, suites=suites, settings=settings), json_path, console)
