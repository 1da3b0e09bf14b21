"""Structured log lines: what happened, to which session, with numbers. Never speech, transcripts, prompts or keys."""

import json
import logging
import time

from microturn.failures import Field, kinds_of

_LOGGER = logging.getLogger("microturn.server")
_OURS = "microturn"


def log_event(name: str, *, level: int = logging.INFO, **fields: Field) -> None:
    """Write one event with its fields; values are counts, times, codes and ids."""
    _LOGGER.log(level, name, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """One JSON object a line. Of an exception it tells the kind; its traceback is for records at DEBUG."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Field] = dict(getattr(record, "fields", {}))
        is_ours = record.name.partition(".")[0] == _OURS
        # What other libraries put into their messages is not known: of theirs, the words that do not change.
        event = record.getMessage() if is_ours else str(record.msg).partition("\n")[0]
        if not is_ours:
            fields["logger"] = record.name
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields.setdefault("error", kinds_of(error))
            if record.levelno <= logging.DEBUG and record.exc_info:
                fields["traceback"] = self.formatException(record.exc_info)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{stamp}.{int(record.msecs):03d}Z", "level": record.levelname.lower()}
        return json.dumps({**line, "event": event, **fields}, ensure_ascii=False)


def log_to_stderr() -> None:
    """Send our events, and other libraries' warnings, to stderr. For programs: a library leaves this to its user."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [*(each for each in root.handlers if not isinstance(each.formatter, JsonLines)), handler]
    logging.getLogger(_OURS).setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
