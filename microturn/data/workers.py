"""Work spread over processes that begin afresh."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

_Job = TypeVar("_Job")
_Done = TypeVar("_Done")


def in_processes(function: Callable[[_Job], _Done], jobs: Iterable[_Job], num_workers: int) -> Iterator[_Done]:
    """What a function makes of each job, as they are done. An error ends it: those that have not begun are dropped.

    Raises:
        BrokenProcessPool: a process died, for want of memory for example; ``multiprocessing.Pool`` would wait for ever.
    """
    pool = ProcessPoolExecutor(num_workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        for done in as_completed([pool.submit(function, job) for job in jobs]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)
