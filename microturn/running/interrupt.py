"""Ctrl-C as a request to end well."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_as_flag() -> Generator[threading.Event]:
    """The first Ctrl-C in the block only sets the flag, so that no micro-turn is left half kept; the second interrupts.

    Outside the main thread, where signals cannot be taken, the flag stays clear.
    """
    flag = threading.Event()

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()

    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)
