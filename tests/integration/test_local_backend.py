"""The small local language model, for real: asked, killed in mid-job, and there again."""

import asyncio
import os
import signal

import pytest

pytest.importorskip("pydantic_ai")

from microturn.background.backends.local import LocalBackend, is_available
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.background.limits import JobLimits
from microturn.background.tools import builtin_tools
from microturn.turns.background import BackgroundRequest, Report, ReportKind, parse_act

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_available(), reason="not installed: scripts/install background-local"),
]
PATIENT = JobLimits(attempt_within_ms=300_000, first_backoff_ms=10)


async def result(reports: asyncio.Queue[Report]) -> Report:
    while (report := await reports.get()).kind not in (ReportKind.DONE, ReportKind.ERROR):
        pass
    return report


async def test_it_answers_and_is_started_anew_when_it_was_killed_in_mid_job():
    local = LocalBackend()
    reports: asyncio.Queue[Report] = asyncio.Queue()
    async with Coordinator(ToolsBackend(local), builtin_tools(), limits=PATIENT) as coordinator:
        coordinator.attach("s", reports.put_nowait)

        def ask(job: int, question: str) -> None:
            act = parse_act(f"ask {job}: {question}")
            coordinator.submit(BackgroundRequest(session_id="s", act=act, time_ms=200 * job))

        ask(1, "what is the capital of norway")
        report = await result(reports)
        assert report.kind is ReportKind.DONE  # what it says is another matter: it is a very small model
        assert local.process_id is not None

        ask(2, "who wrote hamlet")
        while coordinator.jobs("s")[-1].num_attempts == 0:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        os.kill(local.process_id, signal.SIGKILL)
        assert (await result(reports)).kind is ReportKind.DONE

        ask(3, "what is two plus two")  # the tools go first
        assert (await result(reports)).text == "four"
    assert local.process_id is None
