"""The container file, without a build: what it copies is there, what it installs and starts exists."""

import json
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from microturn.cli import app
from microturn.server.openapi import openapi_document

ROOT = Path(__file__).resolve().parents[2]
IS_CLONE = (ROOT / ".git").exists() and shutil.which("git") is not None
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions() -> list[tuple[str, str]]:
    """Keyword and rest of each instruction of the container file."""
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    return [(keyword, rest) for keyword, rest in pairs]


def the(keyword: str) -> str:
    """The rest of the only instruction of its kind."""
    (rest,) = [rest for each, rest in instructions() if each == keyword]
    return rest


def copied() -> list[str]:
    """What is taken from the clone."""
    return [source for keyword, rest in instructions() if keyword == "COPY" for source in rest.split()[:-1]]


def health_url() -> str:
    found = re.search(r"http://[^']+", the("HEALTHCHECK"))
    assert found is not None
    return found[0]


def is_ignored(path: PurePosixPath, patterns: list[str]) -> bool:
    """As builds read their ignore file: the last pattern that fits decides, one that names a folder fits all in it."""

    def fits(pattern: str) -> bool:
        if pattern.startswith("**/"):
            return any(fnmatchcase(part, pattern[3:]) for part in path.parts)
        wanted = PurePosixPath(pattern).parts
        return len(path.parts) >= len(wanted) and all(map(fnmatchcase, path.parts, wanted))

    fitting = [pattern for pattern in patterns if fits(pattern.removeprefix("!"))]
    return bool(fitting) and not fitting[-1].startswith("!")


@pytest.mark.skipif(not IS_CLONE, reason="no clone: what is tracked is not known")
@pytest.mark.parametrize("ignore_file", [".dockerignore", ".containerignore"])
def test_what_is_copied_is_tracked_and_not_ignored(ignore_file: str) -> None:
    patterns = (ROOT / ignore_file).read_text(encoding="utf-8").split()
    assert copied()
    for source in copied():
        # Whoever owns the clone: in a container that is somebody else.
        command = ["git", "-c", "safe.directory=*", "ls-files", "--", source]
        tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        assert tracked, f"{source} is not tracked"
        assert not [path for path in tracked if is_ignored(PurePosixPath(path), patterns)]


def test_what_a_build_does_not_need_is_ignored() -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for path in (".git/config", ".venv/bin/python", "runs/nano/model.safetensors", "microturn/__pycache__/cli.pyc"):
        assert is_ignored(PurePosixPath(path), patterns), path


def test_what_the_wheel_takes_in_is_copied() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    wheel = build["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], PROJECT["readme"], *PROJECT["license-files"]}
    assert needed <= set(copied())


def test_the_extras_that_it_installs_exist() -> None:
    extras = re.findall(r"'\.\[([\w,-]+)\]'", " ".join(rest for keyword, rest in instructions() if keyword == "RUN"))
    assert extras
    assert set(",".join(extras).split(",")) <= set(PROJECT["optional-dependencies"])


def test_it_starts_a_server_that_is_reached_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr("microturn.serving.run_server", lambda listening, **settings: started.append(listening))
    program, *arguments = [*json.loads(the("ENTRYPOINT")), *json.loads(the("CMD"))]
    assert program in PROJECT["scripts"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert [(listening.host, listening.port) for listening in started] == [("0.0.0.0", int(the("EXPOSE")))]


def test_its_health_check_asks_a_route_of_the_server() -> None:
    address = urlsplit(health_url())
    assert address.path in openapi_document()["paths"]
    assert address.port == int(the("EXPOSE"))
