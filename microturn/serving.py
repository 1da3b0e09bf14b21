"""`microturn serve`: a checkpoint, an engine with its journal, and the server around them."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from microturn.background.setup import BackgroundConfig, build_coordinator
from microturn.data.folders import cache
from microturn.engine.core import EngineSettings
from microturn.engine.engine import Engine
from microturn.engine.journal import Journal, NullJournal, SqliteJournal
from microturn.engine.loading import load_checkpoint
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.engine.scheduler import SchedulerSettings
from microturn.errors import JournalError
from microturn.filming import Filming
from microturn.recorded import JOURNAL_NAME, LEDGER_NAME, keep_swept
from microturn.server.log import log_event, log_to_stderr
from microturn.server.serve import Listening, serve
from microturn.server.tls import self_signed


def run_server(
    listening: Listening,
    *,
    model: Path | None = None,
    record: Path | None = None,
    keep_days: float | None = None,
    disclosure: str = "",
    num_threads: int | None = None,
    max_sessions: int = 16,
    background: BackgroundConfig | None = None,
    is_self_signed: bool = False,
) -> None:
    """Serve until a signal.

    Args:
        listening: where and for whom.
        model: a checkpoint folder; nano unless given.
        record: folder of the journal, from which sessions resume and replay, and of films; None keeps nothing.
        keep_days: forget recorded sessions that began longer ago than this; None keeps them until they are deleted.
        disclosure: what every session begins with, said in these words.
        num_threads: threads of the model; all cores unless given.
        max_sessions: sessions at once, those included whose client is away for a moment.
        background: who does the background's work; the client unless given.
        is_self_signed: https with a certificate of our own, kept in the cache.

    Raises:
        ValueError: a host beyond this machine without a key, or days without a record.
        MicroturnError: the model, the journal or the address cannot be used.
    """
    if keep_days is not None and (record is None or keep_days < 0):
        raise ValueError(f"keeping sessions for {keep_days} days needs --record, and days that are not negative")
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    # First what is quick and can be wrong, then the model.
    journal = open_journal(record)
    coordinator = build_coordinator(background, record and record / LEDGER_NAME) if background else None
    if is_self_signed:
        listening = replace(listening, certificate=self_signed(cache("tls"), listening.host))
    checkpoint = load_checkpoint(model)
    name = model.name if model else "nano"
    settings = EngineSettings(scheduler=SchedulerSettings(max_sessions=max_sessions), disclosure=disclosure)
    runner = ModelRunner(checkpoint, RunnerSettings(num_slots=max_sessions))
    console = Console(stderr=True)
    log_to_stderr()
    with contextlib.suppress(ImportError):
        from microturn.server.telemetry import trace_to_collector

        trace_to_collector()

    def on_ready(url: str) -> None:
        console.print(f"[bold]{name}[/] listens. Open [bold cyan]{url}[/] and allow the microphone. Ctrl-C stops.")

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            filming = await stack.enter_async_context(Filming(record)) if record is not None else None
            on_gone = filming.gone if filming is not None else None
            engine = await stack.enter_async_context(Engine(runner, journal, settings=settings, on_gone=on_gone))
            if coordinator is not None:
                await stack.enter_async_context(coordinator)
                log_event("background ready", backend=coordinator.backend.name, tools=len(coordinator.tools))
            if record is not None and keep_days is not None:
                sweeping = asyncio.create_task(keep_swept(record, keep_days, engine.session_ids))
                stack.callback(sweeping.cancel)
            await serve(
                engine,
                listening,
                background=coordinator,
                model=name,
                is_recorded=record is not None,
                can_see=runner.can_see or (background is not None and background.can_see),
                on_ready=on_ready,
            )

    asyncio.run(run())


def open_journal(folder: Path | None) -> Journal:
    """The journal in a folder, made if need be; without a folder, one that keeps nothing."""
    if folder is None:
        return NullJournal()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{folder} cannot hold recordings ({error.strerror}): give another --record") from error
    return SqliteJournal(folder / JOURNAL_NAME)
