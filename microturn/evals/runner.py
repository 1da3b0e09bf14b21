"""Runs suites: draws their cases, has the subject answer each case once, judges, and sums up."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from microturn.data import human
from microturn.data.voices import user_voices
from microturn.evals.echo import EchoedSession
from microturn.evals.exchange import Case, Exchange, Verdict, amplified
from microturn.evals.keeping import keep
from microturn.evals.playbook import Play, Playbook, heldout_play
from microturn.evals.report import Report, SuiteReport
from microturn.evals.subject import BATCH_SESSIONS, Subject
from microturn.evals.suites import SUITES, Suite


def run_suites(
    suites: Sequence[Suite],
    subject: Subject,
    *,
    limit: int,
    seed: int = 0,
    data_dir: Path | None = None,
    out_dir: Path | None = None,
    play: Play | None = None,
    input_gain_db: float = 0.0,
    console: Console | None = None,
) -> Report:
    """Evaluates a subject.

    Args:
        suites: what to measure; ``named_suites`` makes them from names.
        subject: who is measured.
        limit: about how many cases a suite draws.
        seed: draws other cases of the same kinds.
        data_dir: human recordings and recorded noises; without it, rows that need them are not run.
        out_dir: keeps every example here.
        play: plays scenarios, by default with held-out voices, phrasings and noises.
        input_gain_db: makes all that the microphone hears so much louder, or quieter below zero.
        console: where progress is shown; nowhere by default.

    Raises:
        MediaError: there are human recordings, and the times of their words are not known.
    """
    playbook = Playbook(play or heldout_play(data_dir), seed=seed, data_dir=data_dir)
    with _progress(console) as progress:
        playing = progress.add_task("playing scenarios", total=None)
        playbook.on_play = lambda: progress.advance(playing)
        drawn = {
            suite.name: [amplified(case, input_gain_db) for case in suite.draw(playbook, limit)] for suite in suites
        }
        progress.update(playing, total=progress.tasks[playing].completed)
        answers = _answer_all([case for cases in drawn.values() for case in cases], subject, progress)
        judging = progress.add_task("judging", total=len(suites))
        reports: dict[str, SuiteReport] = {}
        verdicts: dict[str, dict[str, Verdict]] = {}
        for suite in suites:
            exchanges = [replace(answers[case.key], case=case) for case in drawn[suite.name]]
            judged = [suite.judge(exchange) for exchange in exchanges]
            for verdict in judged:
                verdicts.setdefault(verdict.key, {})[suite.name] = verdict
            reports[suite.name] = SuiteReport(
                metrics=suite.summarise(judged), controls=suite.controls(exchanges, subject)
            )
            progress.advance(judging)
    if out_dir is not None:
        for key, exchange in answers.items():
            keep(out_dir / key, exchange, verdicts[key])
    num_clips = 0 if data_dir is None else len(human.clips("heldout", data_dir))
    settings: dict[str, str | int | None] = {"limit": limit, "seed": seed, "human recordings": num_clips or "no"}
    if input_gain_db:
        settings["input gain db"] = f"{input_gain_db:g}"
    if play is None:
        settings["voices"] = ", ".join(family.name for family in user_voices("heldout"))
    return Report(model=subject.name, suites=reports, settings=settings)


def named_suites(names: Sequence[str]) -> list[Suite]:
    """Suites by name; ``all`` stands for every one of them.

    Raises:
        ValueError: there is no such suite.
    """
    unknown = [name for name in names if name not in (*SUITES, "all")]
    if unknown or not names:
        asked = f"there is no suite '{unknown[0]}'" if unknown else "no suite is named"
        raise ValueError(f"{asked}: choose from {', '.join(SUITES)}, or all")
    return [suite() for name, suite in SUITES.items() if name in names or "all" in names]


def _answer_all(cases: Sequence[Case], subject: Subject, progress: Progress) -> dict[str, Exchange]:
    """Every distinct case with its answer, sessions of like length together."""
    distinct = sorted({case.key: case for case in cases}.values(), key=lambda case: len(case.episode.inputs))
    task = progress.add_task("answering", total=len(distinct))
    answers: dict[str, Exchange] = {}
    for first in range(0, len(distinct), BATCH_SESSIONS):
        batch = distinct[first : first + BATCH_SESSIONS]
        sessions = [case.session for case in batch]
        for case, session, outputs in zip(batch, sessions, subject.answer(sessions), strict=True):
            if len(outputs) != len(case.episode.inputs):
                raise ValueError(
                    f"{subject.name} gave {len(outputs)} outputs for {len(case.episode.inputs)} inputs of {case.key}: "
                    "a subject answers every micro-turn"
                )
            is_open = isinstance(session, EchoedSession) and not session.is_closed
            answers[case.key] = Exchange(
                case=case, outputs=outputs, is_without_echo=is_open, is_without_pictures=not subject.is_sighted
            )
        progress.advance(task, len(batch))
    return answers


def _progress(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=console is None,
        transient=True,
    )
