"""Work in other processes ends, whatever becomes of them."""

import os
from concurrent.futures.process import BrokenProcessPool

import pytest

from microturn.data.workers import in_processes


def double(number: int) -> int:
    return 2 * number


def fail(number: int) -> int:
    raise ValueError(f"{number} is not to be had")


def die(number: int) -> int:
    os._exit(9)


def test_every_job_is_done() -> None:
    assert sorted(in_processes(double, range(5), 2)) == [0, 2, 4, 6, 8]


def test_an_error_is_raised_where_the_results_are_read() -> None:
    with pytest.raises(ValueError, match="not to be had"):
        list(in_processes(fail, range(3), 1))


def test_a_process_that_dies_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(BrokenProcessPool):
        list(in_processes(die, range(2), 1))
