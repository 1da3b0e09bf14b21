"""A draw from options, by a generator that is handed in."""

from collections.abc import Sequence
from typing import TypeVar

from numpy.random import Generator

_Option = TypeVar("_Option")


def pick(options: Sequence[_Option], rng: Generator) -> _Option:
    """One of the options, each as likely as the others."""
    return options[int(rng.integers(len(options)))]
