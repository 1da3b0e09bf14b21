"""What the background's tests share: a coordinator with one session, and a way to wait for its reports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from microturn.background.backend import Backend
from microturn.background.coordinator import Coordinator
from microturn.turns.background import BackgroundRequest, Report, ReportKind, parse_act

WITHIN_S = 60.0
"""No condition takes this long unless something is broken."""


@dataclass
class Desk:
    """One session, as the interaction model sees it."""

    coordinator: Coordinator
    reports: asyncio.Queue[Report] = field(default_factory=asyncio.Queue)
    time_ms: int = 0

    def act(self, line: str, **context: Any) -> None:
        self.time_ms += 200
        self.coordinator.submit(BackgroundRequest(session_id="s", act=parse_act(line), time_ms=self.time_ms, **context))

    async def report(self, *kinds: ReportKind) -> Report:
        """The next report of one of these kinds."""
        while True:
            report = await self.reports.get()
            if not kinds or report.kind in kinds:
                return report

    async def result(self) -> Report:
        return await self.report(ReportKind.DONE, ReportKind.ERROR)


@asynccontextmanager
async def desk(backend: Backend, *tools: Any, **settings: Any) -> AsyncIterator[Desk]:
    async with asyncio.timeout(WITHIN_S), Coordinator(backend, tools, **settings) as coordinator:
        it = Desk(coordinator)
        coordinator.attach("s", it.reports.put_nowait)
        yield it
