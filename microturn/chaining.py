"""`microturn eval chained-tools`: which backend, which entry, and where the figures go."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from microturn.background.backend import Backend
from microturn.background.setup import BackgroundConfig, build_backend
from microturn.evals.chained.run import ReferenceBackend, attempt_json, run_chained
from microturn.evals.chained.scoring import Attempt
from microturn.evals.chained.tasks import Task
from microturn.evals.command import published
from microturn.evals.exchange import Verdict
from microturn.evals.report import Report

REFERENCE = "reference"


def chained_command(
    background: BackgroundConfig,
    *,
    is_fronted: bool = False,
    model: Path | None = None,
    limit: int = 20,
    seed: int = 0,
    data: Path | None = None,
    json_path: Path | None = None,
    out: Path | None = None,
    console: Console | None = None,
) -> Report:
    """Measures a background model on chained tools, prints the table, writes the result file.

    Args:
        background: who answers: an endpoint, ``embedded``, ``tools``, or ``reference``, which solves every task.
        is_fronted: the request is spoken to the interaction model, in real time, rather than handed over as text.
        model: its checkpoint; nano unless given.
        out: keeps every example as a line of ``chained-tools.jsonl`` here.

    Raises:
        ValueError: a limit below 1, or a background that cannot be used.
        MicroturnError: the model, the voices or an optional package cannot be used.
    """
    if limit < 1:
        raise ValueError(f"--limit {limit} leaves nothing to measure: give 1 or more")
    progress = Console(stderr=True)
    lines: list[str] = []

    def note(task: Task, verdict: Verdict, attempt: Attempt) -> None:
        lines.append(attempt_json(task, verdict, attempt))
        progress.print(f"{task.key}: {'right' if verdict.is_right else '; '.join(verdict.problems)}", highlight=False)

    try:
        report = asyncio.run(_run(_maker(background), is_fronted, model, limit, seed, data, note))
    finally:  # what was measured before something went wrong is kept
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / "chained-tools.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return published(report, json_path, console)


async def _run(
    make_backend: Callable[[Sequence[Task]], Backend],
    is_fronted: bool,
    model: Path | None,
    limit: int,
    seed: int,
    data: Path | None,
    note: Callable[[Task, Verdict, Attempt], None],
) -> Report:
    if not is_fronted:
        return await run_chained(make_backend, limit=limit, seed=seed, on_done=note)
    from microturn.data.make import load_material
    from microturn.engine.engine import Engine
    from microturn.engine.loading import load_checkpoint
    from microturn.engine.runner import ModelRunner
    from microturn.fronted import FrontEntry, spoken_by

    runner = ModelRunner(load_checkpoint(model))
    name = f"{model.name if model else 'nano'} {runner.model_hash}"
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(Engine(runner))
        entry = FrontEntry(name, lambda episode: engine, spoken_by(load_material("heldout", data)))
        return await run_chained(make_backend, entry, limit=limit, seed=seed, on_done=note)


def _maker(background: BackgroundConfig) -> Callable[[Sequence[Task]], Backend]:
    if background.mode == REFERENCE:
        return ReferenceBackend
    backend = build_backend(background)
    return lambda tasks: backend
