"""What the log tells of something that broke: its kind and its place.

The message of an exception may quote what was said, and a traceback ends with that message: both are written at DEBUG
only, which nothing turns on by itself.
"""

import logging
from pathlib import Path

Field = str | int | float | bool | None
"""Counts, times, codes and ids."""


def log_failure(
    log: logging.Logger, what: str, error: BaseException, *, level: int = logging.ERROR, **fields: Field
) -> None:
    """Write that something broke, without the words that it broke on."""
    log.log(level, what, extra={"fields": {**fields, "error": kinds_of(error), "place": place_of(error)}})
    log.debug(what, exc_info=error)


def kinds_of(error: BaseException) -> str:
    """The kinds of an error, or of those in a group, without their messages."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(kinds_of(each) for each in error.exceptions)  # pyright: ignore[reportUnknownVariableType]
    return type(error).__name__


def place_of(error: BaseException) -> str:
    """File and line where an error, or the first of a group, was raised; '' where nobody raised it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # pyright: ignore[reportUnknownVariableType]
    frame = error.__traceback__
    if frame is None:
        return ""
    while frame.tb_next is not None:
        frame = frame.tb_next
    return f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}"
