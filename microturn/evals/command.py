"""What ``microturn eval`` and ``microturn bench`` do, with plain arguments."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from microturn.evals.report import Report, SuiteReport
from microturn.evals.runner import named_suites, run_suites
from microturn.evals.subject import AlwaysTalking, Silent, Subject

if TYPE_CHECKING:
    from microturn.engine.runner import ModelRunner
    from microturn.evals.bench import Request
    from microturn.model.config import BackboneConfig

KEY_VARIABLE = "MICROTURN_API_KEY"


def eval_command(
    suites: Sequence[str] = (),
    *,
    model: str | None = None,
    limit: int = 20,
    seed: int = 0,
    data: Path | None = None,
    json_path: Path | None = None,
    out: Path | None = None,
    scenarios: Path | None = None,
    input_gain_db: float = 0.0,
    restraint: float = 0.0,
    console: Console | None = None,
) -> Report:
    """Measures a model, prints the table, writes the result file.

    Args:
        suites: names, or ``all``. May be empty where ``scenarios`` is given.
        model: a checkpoint folder, ``silent``, ``always-talking``, ``relay``, ``relay:FILE.gguf``, or the address of a
            server that speaks GPT-Live, ``ws://…``, whose key is in ``MICROTURN_API_KEY``; nano unless given.
        limit: about how many examples a suite draws.
        seed: draws other examples.
        data: folder of human recordings.
        json_path: where the result file goes.
        out: keeps every example's sound, timeline and verdict here.
        scenarios: a Python file with scenarios of one's own.
        input_gain_db: makes all that the microphone hears so much louder, or quieter below zero.
        restraint: by how many nats speech must be likelier than silence before the model begins.
        console: where the table goes, standard output by default. Progress goes to standard error.

    Raises:
        ValueError: an unknown suite, a limit below 1, or a scenario file that cannot be used.
        MicroturnError: the model, the recordings or an optional package cannot be used.
    """
    check_limit(limit)
    chosen = named_suites(suites) if suites or scenarios is None else []
    if scenarios is not None:
        from microturn.evals.suites.own_scenarios import OwnScenarios, load_scenarios

        chosen.append(OwnScenarios(load_scenarios(scenarios)))
    report = run_suites(
        chosen,
        subject_of(model, restraint),
        limit=limit,
        seed=seed,
        data_dir=data,
        out_dir=out,
        input_gain_db=input_gain_db,
        console=Console(stderr=True),
    )
    if restraint:
        report = replace(report, settings={**report.settings, "restraint": f"{restraint:g}"})
    return published(report, json_path, console)


def bench_engine_command(
    *,
    model: str | None = None,
    num_turns: int = 600,
    num_starts: int = 3,
    num_jobs: int = 0,
    data: Path | None = None,
    json_path: Path | None = None,
    console: Console | None = None,
) -> Report:
    """Times micro-turns and cold starts, prints the table, writes the result file.

    Args:
        model: a checkpoint folder; nano unless given.
        num_turns: length of the session that is timed.
        num_starts: fresh processes.
        num_jobs: jobs of the background that run meanwhile, in place of the other figures: do they slow it down?
        data: folder of human recordings and noises, part of what the session hears.
        json_path: where the result file goes.
        console: where the table goes, standard output by default.

    Raises:
        ValueError: fewer turns or starts than can be timed.
        MicroturnError: the model or an optional package cannot be used.
    """
    from microturn.engine.loading import load_checkpoint, nano_folder
    from microturn.engine.runner import ModelRunner
    from microturn.evals import bench
    from microturn.evals.playbook import heldout_play

    if num_turns < 2 * bench.NUM_WARM_UP_TURNS or num_starts < 1 or num_jobs < 0:
        raise ValueError(
            f"{num_turns} turns and {num_starts} starts are too few to time: give at least "
            f"{2 * bench.NUM_WARM_UP_TURNS} turns and one start"
        )
    folder = Path(model) if model is not None else nano_folder()
    checkpoint = load_checkpoint(folder)
    runner = ModelRunner(checkpoint)
    requests = bench.long_session(heldout_play(data), num_turns, checkpoint.tokenizer)
    load_before = bench.load()
    if num_jobs:
        reports = asyncio.run(_contention(runner, requests, num_jobs))
    else:
        reports = bench.turn_reports(bench.bench_turns(runner, requests))
        if runner.can_see:
            watched = bench.long_session(heldout_play(data), num_turns, checkpoint.tokenizer, is_watched=True)
            reports |= bench.watching_reports(bench.bench_turns(runner, watched))
        reports["start"] = bench.start_report(bench.cold_start_command(str(folder)), num_starts)
    settings: dict[str, str | int | None] = {
        "turns": num_turns,
        "sessions": 2 if num_jobs else 1,
        "jobs": num_jobs,
        "replies": "prescribed and computed",
        "load before": load_before,
        "load after": bench.load(),
    }
    return published(
        Report(model=f"{folder.name} {runner.model_hash}", suites=reports, settings=settings), json_path, console
    )


def bench_reference_command(
    backbone: "BackboneConfig", *, num_turns: int = 20, json_path: Path | None = None, console: Console | None = None
) -> Report:
    """Times a backbone against ``transformers``' Inkling, prints the table, writes the result file.

    Raises:
        MissingDependencyError: ``transformers`` is not installed.
    """
    from microturn.evals import bench
    from microturn.evals.bench_reference import reference_reports

    load_before = bench.load()
    reports = reference_reports(backbone, num_turns)
    settings: dict[str, str | int | None] = {
        "turns": num_turns,
        "load before": load_before,
        "load after": bench.load(),
    }
    return published(
        Report(model="nano's backbone, random weights", suites=reports, settings=settings), json_path, console
    )


async def _contention(runner: "ModelRunner", requests: "Sequence[Request]", num_jobs: int) -> dict[str, SuiteReport]:
    from microturn.evals.jobs_bench import contend, contention_reports, talking_jobs

    async with talking_jobs(num_jobs) as jobs:
        return contention_reports(await contend(runner, requests, jobs), num_jobs)


def subject_of(model: str | None, restraint: float = 0.0) -> Subject:
    """Who ``--model`` names. Raises ValueError for a restraint of somebody whose decisions are not ours."""
    if restraint and model is not None and not Path(model).is_dir():
        raise ValueError(f"'{model}' decides for itself when to speak: give --restraint with a checkpoint folder")
    if model == "silent":
        return Silent()
    if model == "always-talking":
        return AlwaysTalking()
    if model is not None and (model == "relay" or model.startswith("relay:")):
        from microturn.evals.relay import RelaySubject

        return RelaySubject.load(model.partition(":")[2] or None)
    if model is not None and model.startswith(("ws://", "wss://")):
        from microturn.evals.live_subject import LiveSubject

        return LiveSubject(model, key=os.environ.get(KEY_VARIABLE))
    from microturn.evals.engine_subject import EngineSubject

    return EngineSubject.load(None if model is None else Path(model), restraint=restraint)


def check_limit(limit: int) -> None:
    """Raises ValueError for a limit that leaves nothing to measure."""
    if limit < 1:
        raise ValueError(f"--limit {limit} leaves nothing to measure: give 1 or more")


def published(report: Report, json_path: Path | None, console: Console | None) -> Report:
    """Prints the table, writes the result file."""
    report.print(console or Console())
    if json_path is not None:
        report.write(json_path)
    return report


def bench_load_command(
    *,
    url: str,
    sessions: Sequence[int],
    seconds: float,
    key: str | None = None,
    data: Path | None = None,
    json_path: Path | None = None,
    plot: Path | None = None,
    console: Console | None = None,
) -> Report:
    """Puts load on a running server, level by level, prints the table, writes the result file.

    Args:
        url: address of the server's page.
        sessions: how many sessions at once, one level each.
        seconds: length of a level.
        key: what the server asks for.
        data: folder of human recordings and noises, part of what is said.
        json_path: where the result file goes.
        plot: where a picture of the figures over the number of sessions goes, ``.png`` or ``.svg``.
        console: where the table goes, standard output by default.

    Raises:
        ValueError: no level, or one without sessions or time; or a plot of another kind.
        MissingDependencyError: a plot, and no matplotlib.
        MicroturnError: nothing answers at the address.
    """
    from microturn.evals.bench import load
    from microturn.evals.load import WARM_UP_S, run_levels, spoken_requests
    from microturn.evals.load_plot import check_picture, draw_load
    from microturn.evals.playbook import heldout_play

    if not sessions or min(sessions) < 1 or seconds <= 0:
        raise ValueError(f"{list(sessions)} sessions for {seconds} s: give at least one session and some time")
    if plot is not None:
        check_picture(plot)
    requests = spoken_requests(heldout_play(data), 8)
    levels = asyncio.run(run_levels(url, requests, sessions, seconds=seconds, key=key))
    if plot is not None:
        draw_load(levels, plot)
    reports = {f"load-{count}": level for count, level in levels.items()}
    settings: dict[str, str | int | None] = {
        "seconds": round(seconds),
        "seconds of warm-up": round(min(WARM_UP_S, seconds)),
        "load after": load(),
    }
    return published(Report(model=url, suites=reports, settings=settings), json_path, console)
