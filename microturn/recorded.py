"""`microturn sessions`: what a server has recorded, and forgetting it."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from microturn.engine.journal import SessionRecord, SqliteJournal
from microturn.errors import JournalError
from microturn.serving import JOURNAL_NAME
from microturn.turns.timing import TURN_MS

SECONDS_PER_DAY = 86_400


def open_recorded(record: Path) -> SqliteJournal:
    """The journal in a folder that ``serve --record`` wrote. Raises JournalError if there is none."""
    path = record / JOURNAL_NAME
    if not path.exists():
        raise JournalError(f"{path} does not exist: name the folder that 'microturn serve --record' wrote")
    return SqliteJournal(path)


def list_sessions(record: Path) -> None:
    """Prints every recorded session, latest first."""
    journal = open_recorded(record)
    try:
        table = Table("session", "begun (UTC)", "length", "weights", "")
        for session in journal.sessions():
            begun = datetime.fromtimestamp(session.created_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
            length_s = journal.num_turns(session.session_id) * TURN_MS / 1000
            state = "" if session.is_closed else "open"
            table.add_row(session.session_id, begun, f"{length_s:.1f} s", session.model_hash, state)
        Console().print(table)
    finally:
        journal.close()


def delete_sessions(
    record: Path, names: Sequence[str], *, older_than_days: float | None = None, includes_open: bool = False
) -> list[str]:
    """Forget sessions by name, or all that began so many days ago. Returns the names of those forgotten.

    Sessions that never ended may still be running, and are kept unless ``includes_open``.

    Raises:
        JournalError: no journal, or no session of a name; nothing is forgotten then. Or a named one is open.
    """
    journal = open_recorded(record)
    try:
        chosen: list[SessionRecord] = [journal.session(name) for name in names]
        if still_open := [s.session_id for s in chosen if not s.is_closed and not includes_open]:
            raise JournalError(f"{still_open[0]} never ended and may be running: give --open to delete it all the same")
        if older_than_days is not None:
            before_s = time.time() - older_than_days * SECONDS_PER_DAY
            chosen += [s for s in journal.sessions() if s.created_s < before_s and (s.is_closed or includes_open)]
        forgotten = list(dict.fromkeys(session.session_id for session in chosen))
        for name in forgotten:
            journal.delete_session(name)
        return forgotten
    finally:
        journal.close()
