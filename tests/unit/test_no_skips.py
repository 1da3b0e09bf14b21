"""A run that must not skip fails where something is missing that it should have had."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
MISSING = {
    "package": "pytest.importorskip('no_such_package')",
    "package_of_a_test": "def test_it():\n    pytest.importorskip('no_such_package')",
    "program": "@pytest.mark.skipif(True, reason='no Chromium on this machine')\ndef test_it(): pass",
}
OPTIONAL = {
    "voice": "@pytest.mark.skipif(True, reason='flite is not installed: microturn data install')\ndef test_it(): pass",
    "known_fault": "@pytest.mark.xfail\ndef test_it(): assert False",
}


def failed(folder: Path, **environment: str) -> set[str]:
    """Which tests of a folder fail under the tests' own configuration."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    inherited = {name: value for name, value in os.environ.items() if name != "MICROTURN_NO_SKIPS"}
    env = inherited | {"COLUMNS": "300"} | environment
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED), ran.stdout
    return set(re.findall(r"^(?:FAILED|ERROR) test_(\w+)\.py.*MICROTURN_NO_SKIPS", ran.stdout, re.MULTILINE))


def test_what_is_missing_is_a_failure_unless_it_is_optional(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name, test in (MISSING | OPTIONAL).items():
        (tmp_path / f"test_{name}.py").write_text(f"import pytest\n{test}\n", encoding="utf-8")
    assert failed(tmp_path) == set()
    assert failed(tmp_path, MICROTURN_NO_SKIPS="1") == set(MISSING)
