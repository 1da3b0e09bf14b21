"""`microturn eval chained-tools`: which backend, which entry, and where the figures go."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rich.console import Console

from microturn.background.backend import Backend
from microturn.background.setup import BackgroundConfig
from microturn.data.make import load_material
from microturn.evals.command import check_limit, published
from microturn.evals.exchange import Verdict
from microturn.evals.report import Report
from microturn.live_evals.backends import background_of
from microturn.live_evals.chained_tools.front import FrontEntry, spoken_by
from microturn.live_evals.chained_tools.run import NAME, Entry, ReferenceBackend, attempt_json, run_chained
from microturn.live_evals.chained_tools.scoring import Attempt
from microturn.live_evals.chained_tools.tasks import Task
from microturn.live_evals.examples import kept_examples
from microturn.live_evals.front import opened_front

REFERENCE = "reference"


def chained_command(
    background: BackgroundConfig,
    *,
    is_fronted: bool = False,
    model: str | None = None,
    limit: int = 20,
    seed: int = 0,
    data: Path | None = None,
    json_path: Path | None = None,
    out: Path | None = None,
    console: Console | None = None,
) -> Report:
    """Measures a background model on chained tools, prints the table, writes the result file.

    Args:
        background: who answers: an endpoint, ``embedded``, ``tools``, ``local``, or ``reference``, which solves every
            task.
        is_fronted: the request is spoken to an interaction model, in real time, rather than handed over as text.
        model: that one: a checkpoint folder, or ``perfect``; nano unless given.
        out: keeps every example as a line of ``chained-tools.jsonl`` here.

    Raises:
        ValueError: a limit below 1, or a background or model that cannot be used.
        MicroturnError: the model, the voices or an optional package cannot be used.
    """
    check_limit(limit)
    with kept_examples(out, NAME) as keep:

        def note(task: Task, verdict: Verdict, attempt: Attempt) -> None:
            keep(task.key, verdict, attempt_json(task, verdict, attempt))

        run = functools.partial(run_chained, _maker(background), limit=limit, seed=seed, on_done=note)
        report = asyncio.run(_fronted(run, model, data) if is_fronted else run())
    return published(report, json_path, console)


async def _fronted(run: Callable[[Entry], Awaitable[Report]], model: str | None, data: Path | None) -> Report:
    """The same, spoken to an interaction model."""
    material = load_material("heldout", data)
    async with opened_front(model) as front:
        return await run(FrontEntry(front.name, front.engine_for, spoken_by(material)))


def _maker(background: BackgroundConfig) -> Callable[[Sequence[Task]], Backend]:
    if background.mode == REFERENCE:
        return ReferenceBackend
    backend = background_of(background)
    return lambda tasks: backend
