"""What a server has recorded: listed, taken away as films, and forgotten, by hand with `microturn sessions` or by
itself with `--keep-days`."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from microturn.background.ledger import Ledger, session_name
from microturn.engine.journal import SessionRecord, SqliteJournal
from microturn.errors import JournalError, MicroturnError
from microturn.films import FILM, LINES, delete_films, is_filmed, whole_sessions, write_session
from microturn.running.keeping import make_folder
from microturn.server.log import log_event
from microturn.turns.timing import TURN_MS

JOURNAL_NAME = "sessions.sqlite"
LEDGER_NAME = "background.sqlite"
SECONDS_PER_DAY = 86_400
SWEEP_EVERY_S = 3_600.0


def open_recorded(record: Path) -> SqliteJournal:
    """The journal in a folder that ``serve --record`` wrote. Raises JournalError if there is none."""
    path = record / JOURNAL_NAME
    if not path.exists():
        raise JournalError(f"{path} does not exist: name the folder that 'microturn serve --record' wrote")
    return SqliteJournal(path)


def list_sessions(record: Path) -> None:
    """Prints every recorded session, latest first, and where the films are."""
    journal = open_recorded(record)
    try:
        table = Table("session", "begun (UTC)", "length", "weights", "", "film")
        num_turns = journal.num_turns()
        for session in journal.sessions():
            begun = datetime.fromtimestamp(session.created_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
            length_s = num_turns.get(session.session_id, 0) * TURN_MS / 1000
            state = "" if session.is_closed else "open"
            film = "yes" if is_filmed(record, journal, session) else ""
            table.add_row(session.session_id, begun, f"{length_s:.1f} s", session.model_hash, state, film)
        console = Console()
        console.print(table)
        console.print(f"films: {record / f'SESSION{FILM}'}, micro-turns beside them as {LINES}", soft_wrap=True)
    finally:
        journal.close()


def export_sessions(record: Path, names: Sequence[str], out: Path) -> list[Path]:
    """Write sessions as films with sound, pictures and captions, and their micro-turns as lines of JSON beside them.

    Args:
        names: ``latest`` stands for the one that began last; none stands for all.
        out: A folder, made if need be.

    Raises:
        JournalError: no journal, or no session of a name; nothing is written then.
        MediaError: the folder cannot be written to.
    """
    journal = open_recorded(record)
    try:
        kept = journal.sessions()
        wanted = [kept[0].session_id if name == "latest" and kept else name for name in names]
        chosen = [journal.session(name) for name in dict.fromkeys(wanted)] if names else kept
        make_folder(out)
        films = [out / f"{session.session_id}{FILM}" for session in chosen]
        for session, film in zip(chosen, films, strict=True):
            write_session(journal, session, film)
        return films
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
            chosen += [s for s in _begun_before(journal, older_than_days) if s.is_closed or includes_open]
        return _forget(record, journal, chosen)
    finally:
        journal.close()


def sweep(record: Path, keep_days: float, running: Collection[str] = ()) -> list[str]:
    """Forget every session that began more than so many days ago, save those that run. Returns their names."""
    journal = open_recorded(record)
    try:
        old = [session for session in _begun_before(journal, keep_days) if session.session_id not in running]
        return _forget(record, journal, old)
    finally:
        journal.close()


async def keep_swept(
    record: Path, keep_days: float, running: Callable[[], Awaitable[Collection[str]]], every_s: float = SWEEP_EVERY_S
) -> None:
    """Sweep now and from time to time, until cancelled.

    Args:
        record: The folder of a server.
        keep_days: How long sessions are kept, from their beginning.
        running: Names the sessions that run or may be taken up again without the journal.
        every_s: Seconds between two sweeps.
    """
    while True:
        try:
            forgotten = await asyncio.to_thread(sweep, record, keep_days, await running())
        except (MicroturnError, sqlite3.Error) as error:  # What cannot be deleted now may be in an hour.
            log_event("recordings not swept", reason=str(error))
        else:
            if forgotten:
                log_event("recordings forgotten", sessions=len(forgotten), keep_days=keep_days)
        await asyncio.sleep(every_s)


def _begun_before(journal: SqliteJournal, days: float) -> list[SessionRecord]:
    before_s = time.time() - days * SECONDS_PER_DAY
    return [session for session in journal.sessions() if session.created_s < before_s]


def _forget(record: Path, journal: SqliteJournal, sessions: Sequence[SessionRecord]) -> list[str]:
    """Drop sessions, their films, and what the background kept of them.

    Films of their forks go, too: they show what happened before the fork.
    """
    chosen = {session.session_id: session for session in sessions}
    if not chosen:
        return []
    delete_films(record, chosen)
    ledger = Ledger(record / LEDGER_NAME) if (record / LEDGER_NAME).exists() else None
    try:
        for name, session in chosen.items():
            if ledger is not None:
                ledger.forget(session_name(session.token_hash))
            journal.delete_session(name)
    finally:
        if ledger is not None:
            ledger.close()
    forks = {session.session_id for session in journal.sessions()} - whole_sessions(journal).keys()
    delete_films(record, chosen.keys() | forks)  # One may have been written in the meantime.
    return list(chosen)
