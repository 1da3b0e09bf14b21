"""Structured log lines: what happened, to which session, with numbers. Never speech, transcripts, prompts or keys."""

import json
import logging
import time

_LOGGER = logging.getLogger("microturn.server")

Field = str | int | float | bool | None


def log_event(name: str, *, level: int = logging.INFO, **fields: Field) -> None:
    """Write one event with its fields; values are counts, times, codes and ids."""
    _LOGGER.log(level, name, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Field] = getattr(record, "fields", {})
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{stamp}.{int(record.msecs):03d}Z", "level": record.levelname.lower()}
        return json.dumps({**line, "event": record.getMessage(), **fields}, ensure_ascii=False)


def log_to_stderr() -> None:
    """Send the server's events, and uvicorn's warnings, to stderr. For programs: a library leaves this to its user."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    _LOGGER.setLevel(logging.INFO)
    uvicorn_logger = logging.getLogger("uvicorn")
    uvicorn_logger.setLevel(logging.WARNING)
    for logger in (_LOGGER, uvicorn_logger):
        logger.handlers = [handler]
        logger.propagate = False
