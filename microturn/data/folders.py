"""Folders outside the project: voices that were fetched, and what is worth keeping between runs."""

import os
from pathlib import Path


def voices() -> Path:
    """Where voices that are not packages lie: ``MICROTURN_VOICES``, else below the user's cache."""
    return Path(os.environ.get("MICROTURN_VOICES") or Path.home() / ".cache" / "microturn" / "voices")


def cache(name: str) -> Path:
    """A folder for what can be computed again: below ``MICROTURN_CACHE``, else the user's cache."""
    return Path(os.environ.get("MICROTURN_CACHE") or Path.home() / ".cache" / "microturn") / name
