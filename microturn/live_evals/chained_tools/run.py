"""Runs tasks through a coordinator, and scores what came of them.

The request enters as text, word for word as it was spoken, or through somebody in front (``Entry``): the interaction
model, whose ears, timing and wording then count too.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from microturn.background.backend import Backend
from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer, BackendError
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.background.workbench import Workbench
from microturn.evals.exchange import Verdict
from microturn.evals.report import Report, SuiteReport
from microturn.evals.suites.suite import headline_values
from microturn.live_evals.chained_tools.scoring import HEADLINE, Attempt, judge, summarise
from microturn.live_evals.chained_tools.tasks import Task, draw_tasks, solved
from microturn.live_evals.chained_tools.world import SPECS, World, world_tools
from microturn.turns.background import Act, ActKind, BackgroundRequest, ReportKind, Speaker, Utterance
from microturn.turns.background import Report as BackgroundReport

NAME = "chained-tools"
_SPOKEN_FROM_MS, _MS_PER_WORD = 400, 350

Bind = Callable[[str], None]
"""Gives the session of this name the task's world."""


class Entry(Protocol):
    """How a request reaches the coordinator."""

    @property
    def name(self) -> str:
        """For the report."""
        ...

    async def ask(self, task: Task, coordinator: Coordinator, bind: Bind) -> tuple[str, float | None, float | None]:
        """Have a request worked on in a session that is bound first.

        Returns:
            What the user was told, and the milliseconds from the end of the request to the first thing said and to the
            result; None for what did not come.
        """
        ...


class TextEntry:
    """The request as a perfect transcript, without anybody in front."""

    name = "text"

    async def ask(self, task: Task, coordinator: Coordinator, bind: Bind) -> tuple[str, float | None, float | None]:
        """See ``Entry``."""
        session_id = f"{NAME}-{task.key}"
        bind(session_id)
        reports: asyncio.Queue[BackgroundReport] = asyncio.Queue()
        coordinator.attach(session_id, reports.put_nowait)
        end_ms = _SPOKEN_FROM_MS + _MS_PER_WORD * len(task.words.split())
        spoken = Utterance(speaker=Speaker.USER, text=task.words, start_ms=_SPOKEN_FROM_MS, end_ms=end_ms)
        act = Act(kind=ActKind.ASK, job=1, text=task.words)
        began_s = time.perf_counter()
        coordinator.submit(BackgroundRequest(session_id=session_id, act=act, time_ms=end_ms, conversation=(spoken,)))
        first_ms: float | None = None
        try:
            while True:
                report = await reports.get()
                now_ms = (time.perf_counter() - began_s) * 1000
                if report.kind is not ReportKind.NOTE:
                    first_ms = now_ms if first_ms is None else first_ms
                if report.kind in (ReportKind.DONE, ReportKind.ERROR):
                    return report.text, first_ms, now_ms
        finally:
            coordinator.detach(session_id, is_over=True)


class ReferenceBackend:
    """Solves the tasks as they are meant: the bound, and the test of the measure. It knows them by their words."""

    name = "reference"
    package_policy = PackagePolicy(max_images=0)

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = {task.words: task for task in tasks}

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        """Use the tools in order."""
        task = self._tasks.get(package.question)
        if task is None:
            raise BackendError("I do not know that request.")

        async def use(tool: str, arguments: Mapping[str, Any]) -> str:
            return await bench.call(tool, dict(arguments))

        return Answer(text=await task.solve(use, True))

    async def close(self) -> None:
        """Nothing to let go of."""


async def run_chained(
    make_backend: Callable[[Sequence[Task]], Backend],
    entry: Entry | None = None,
    *,
    limit: int,
    seed: int = 0,
    on_done: Callable[[Task, Verdict, Attempt], None] = lambda task, verdict, attempt: None,
) -> Report:
    """Draw tasks, have them worked on one after the other, and sum up.

    Args:
        make_backend: Given the tasks; only the reference looks at them.
        entry: Text alone unless given.
        on_done: Called after each task.
    """
    tasks, entry = draw_tasks(limit, seed), entry or TextEntry()
    backend = make_backend(tasks)
    worlds: dict[str, World] = {}
    # Every tool of the world is allowed: whether people are asked is not what is measured here.
    permissions = PermissionPolicy(rules=dict.fromkeys(SPECS, Permission.ALLOW))
    attempts: list[Attempt] = []
    verdicts: list[Verdict] = []
    async with Coordinator(backend, world_tools(worlds), permissions=permissions) as coordinator:
        for task in tasks:
            world = task.world()
            told, first_ms, result_ms = await entry.ask(task, coordinator, lambda name: worlds.update({name: world}))  # noqa: B023
            wanted, _ = await solved(task)
            attempts.append(Attempt.of(world, told, first_word_ms=first_ms, result_ms=result_ms))
            verdicts.append(judge(task, attempts[-1], wanted))
            on_done(task, verdicts[-1], attempts[-1])
    report = SuiteReport(metrics=summarise(verdicts), controls=await controls(tasks, attempts))
    settings: dict[str, str | int | None] = {"limit": limit, "seed": seed, "entry": entry.name}
    return Report(model=backend.name, suites={NAME: report}, settings=settings)


async def controls(tasks: Sequence[Task], attempts: Sequence[Attempt]) -> dict[str, dict[str, float | None]]:
    """The reference that must score, and those who must not.

    ``uncorrected`` does what was said first, ``silent`` nothing; ``shuffled`` are attempts at other tasks.
    """
    wanted = [await solved(task) for task in tasks]
    first_said = [await solved(task, is_corrected=False) for task in tasks]
    made = {
        "reference": [Attempt.of(world, answer) for world, answer in wanted],
        "uncorrected": [Attempt.of(world, answer) for world, answer in first_said],
        "silent": [Attempt.of(task.world()) for task in tasks],
    }
    if len(tasks) > 1:
        made["shuffled"] = [*attempts[1:], attempts[0]]
    return {
        name: headline_values(
            summarise([judge(task, each, world) for task, each, (world, _) in zip(tasks, row, wanted, strict=True)]),
            HEADLINE,
        )
        for name, row in made.items()
    }


def attempt_json(task: Task, verdict: Verdict, attempt: Attempt) -> str:
    """One kept example: what was asked, used and told, and what is wrong with it."""
    return json.dumps(
        {
            "key": task.key,
            "request": task.words,
            "calls": [{"tool": call.tool, "arguments": dict(call.arguments)} for call in attempt.calls],
            "answer": attempt.answer,
            "first_word_ms": attempt.first_word_ms,
            "result_ms": attempt.result_ms,
            "is_right": verdict.is_right,
            "problems": list(verdict.problems),
        },
        ensure_ascii=False,
    )
