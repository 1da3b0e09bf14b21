"""Results as one object for programs and as a table for people."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from microturn.evals.metric import FRACTION, Metric, Metrics


@dataclass(frozen=True, kw_only=True)
class SuiteReport:
    """What one suite found."""

    metrics: Metrics
    controls: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict[str, Mapping[str, float | None]])
    """Figures of those who must not score, and of the reference that must."""

    def to_json(self) -> dict[str, Any]:
        """The form of the result file."""
        return {
            "metrics": {name: metric.to_json() for name, metric in self.metrics.items()},
            "controls": {name: dict(values) for name, values in self.controls.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one run found."""

    model: str
    suites: Mapping[str, SuiteReport]
    settings: Mapping[str, str | int | None] = field(default_factory=dict[str, "str | int | None"])
    """Limit, seed and the like: enough to run it again."""

    def to_json(self) -> dict[str, Any]:
        """The form of the result file."""
        return {
            "commit": commit(),
            "machine": machine(),
            "model": self.model,
            "settings": dict(self.settings),
            "suites": {name: suite.to_json() for name, suite in self.suites.items()},
        }

    def write(self, path: Path) -> None:
        """Writes the result file whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".partial")
        fresh.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(fresh, path)

    def print(self, console: Console) -> None:
        """The table for people."""
        names = list(dict.fromkeys(name for suite in self.suites.values() for name in suite.controls))
        table = Table(title=self.model, title_justify="left")
        for heading in ("suite", "metric"):
            table.add_column(heading, overflow="fold")
        for heading in ("value", "95 %", "n", *names):
            table.add_column(heading, justify="right")
        for suite_name, suite in self.suites.items():
            for row, (name, metric) in enumerate(suite.metrics.items()):
                controls = [_bare(suite.controls.get(c, {}).get(name), metric.unit) for c in names]
                label = "" if row else suite_name
                table.add_row(label, name, *_cells(metric), *controls, end_section=row == len(suite.metrics) - 1)
        console.print(table)


def commit() -> str:
    """The checkout that this code runs from, with ``+`` if it was changed since; the version where there is none."""
    folder = Path(__file__).resolve().parents[2]
    head = _git(folder, "rev-parse", "--short=12", "HEAD") if (folder / ".git").exists() else None
    if head is None:
        from importlib.metadata import version

        return f"microturn {version('microturn')}"
    return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "microturn") else "")


def machine() -> str:
    """Processor, cores that may be used, threads of torch, and versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python, torch_version = platform.python_version(), torch.__version__
    return f"{_processor()}, {cores} cores, {torch.get_num_threads()} threads, python {python}, torch {torch_version}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _cells(metric: Metric) -> Sequence[str]:
    if metric.value is None:
        return "not run" if metric.note.startswith("not run") else "-", "", ""
    interval = "" if metric.ci95 is None else "-".join(_bare(bound, metric.unit) for bound in metric.ci95)
    return _bare(metric.value, metric.unit), interval, str(metric.count)


def _bare(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if unit == FRACTION else f"{value:.1f}" + (f" {unit}" if unit else "")
