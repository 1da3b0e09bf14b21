"""`microturn eval delegation --background …`: a model's acts go to a real coordinator, and it is told what comes back.

Sessions run in real time, as a client's would, so that answers come when they are there and not when it suits. In front
stands a live model, or one that hears perfectly and so shows what the rest of the chain is worth.
"""

import asyncio
import functools
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from rich.console import Console

from microturn.background.backend import Backend
from microturn.background.setup import BackgroundConfig
from microturn.data.scenarios.delegate import FAILURES
from microturn.errors import MissingDependencyError
from microturn.evals.command import check_limit, published
from microturn.evals.exchange import Case, Verdict
from microturn.evals.playbook import Playbook, heldout_play
from microturn.evals.report import Report, SuiteReport
from microturn.live_evals.backends import background_of
from microturn.live_evals.delegation import LiveExchange, controls, judge, summarise
from microturn.live_evals.delegation.session import run_row
from microturn.live_evals.examples import kept_examples
from microturn.live_evals.front import check_front, opened_front
from microturn.testing.delegating_model import written_results
from microturn.testing.endpoint import scripted_endpoint
from microturn.testing.faults import FAULTS, FaultyScript

SUITE = "delegation"
SCENARIO = "delegate"
"""Without permissions: those are asked for by tools, and a backend has none of the examples' own."""
FAULTY = "faults"
"""As a background: a scripted endpoint with every fault in turn."""
AT_ONCE = 2
"""Sessions at once where the background is no script; one at a time with a live model in front."""
PLAIN_ANSWER = "here it is"
"""Where no episode has a result."""
SILENCE_MS = 30_000
"""A scripted endpoint that says nothing for so long is given up."""

OnDone = Callable[[str, LiveExchange], None]
"""Called with the row and each of its examples."""


def delegation_command(
    background: BackgroundConfig,
    *,
    model: str | None = None,
    limit: int = 20,
    seed: int = 0,
    data: Path | None = None,
    json_path: Path | None = None,
    out: Path | None = None,
    console: Console | None = None,
) -> Report:
    """Measures delegation with a background behind it, prints the table, writes the result file.

    Args:
        background: who answers: ``faults``, ``local``, an endpoint, ``embedded`` or ``tools``.
        model: a checkpoint folder or ``perfect``; nano unless given.
        out: keeps every example as a line of ``delegation.jsonl`` here.

    Raises:
        ValueError: a limit below 1, or a background or model that cannot be used.
        MicroturnError: the model, the voices or an optional package cannot be used.
    """
    check_limit(limit)
    check_front(model)
    cases = Playbook(heldout_play(data), seed=seed, data_dir=data).cases(SCENARIO, limit)
    with kept_examples(out, SUITE) as keep:

        def note(row: str, exchange: LiveExchange) -> None:
            verdict = judge(exchange)
            keep(f"{row} {verdict.key}", verdict, _kept(row, verdict, exchange))

        report = asyncio.run(_run(background, model, cases, note))
    report = Report(
        model=report.model, suites=report.suites, settings={"limit": limit, "seed": seed, **report.settings}
    )
    return published(report, json_path, console)


async def _run(background: BackgroundConfig, model: str | None, cases: Sequence[Case], note: OnDone) -> Report:
    suites: dict[str, SuiteReport] = {}
    names: list[str] = []
    async with opened_front(model) as front:
        is_all_scripted = front.is_scripted and background.mode == FAULTY
        at_once = len(cases) if is_all_scripted else AT_ONCE if front.is_scripted else 1
        rows = faulty_backends(cases) if background.mode == FAULTY else _one_backend(background)
        async with aclosing(rows):
            async for row, backend in rows:
                on_done = functools.partial(note, row)
                exchanges = await run_row(cases, front.engine_for, backend, at_once=at_once, on_done=on_done)
                suites[row] = row_report(exchanges)
                names.append(backend.name)
    settings: dict[str, str | int | None] = {
        "background": f"{background.mode} ({', '.join(dict.fromkeys(names))})",
        "sessions at once": at_once,
    }
    return Report(model=front.name, suites=suites, settings=settings)


def row_report(exchanges: Sequence[LiveExchange]) -> SuiteReport:
    """The figures of a row, with its controls."""
    return SuiteReport(metrics=summarise([judge(each) for each in exchanges]), controls=controls(exchanges))


async def faulty_backends(
    cases: Sequence[Case], *, faults: Sequence[str] = tuple(FAULTS), silence_ms: int = SILENCE_MS
) -> AsyncGenerator[tuple[str, Backend], None]:
    """A row and a backend for each fault: a scripted endpoint, asked as any language model is."""
    try:
        from microturn.background.backends.agent import AgentBackend, EndpointConfig
    except ImportError as error:
        raise MissingDependencyError(
            f"a background model needs the extra 'background' ({error.name} is absent): run scripts/install background"
        ) from None
    answers = {text for case in cases for text in written_results(case.episode)} - {*FAILURES}
    for fault in faults:
        async with scripted_endpoint(FaultyScript(fault, sorted(answers) or [PLAIN_ANSWER])) as endpoint:
            backend = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="scripted", silence_ms=silence_ms))
            try:
                yield f"{SUITE}/{fault}", backend
            finally:
                await backend.close()


async def _one_backend(background: BackgroundConfig) -> AsyncGenerator[tuple[str, Backend], None]:
    backend = background_of(background)
    try:
        yield SUITE, backend
    finally:
        await backend.close()


def _kept(row: str, verdict: Verdict, exchange: LiveExchange) -> str:
    """One example as a line: what was asked, what came, what was said, and what is wrong."""
    return json.dumps(
        {
            "row": row,
            "key": verdict.key,
            "asked": list(exchange.asked),
            "came": [{"time_ms": round(each.time_ms), "report": str(each.report)} for each in exchange.arrivals],
            "said": "".join(output.say for output in exchange.outputs).strip(),
            "is_right": verdict.is_right,
            "problems": list(verdict.problems),
            "figures": dict(verdict.figures),
            "samples": {name: [round(value) for value in values] for name, values in verdict.samples.items()},
        },
        ensure_ascii=False,
    )
