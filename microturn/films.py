"""The film of a recorded session, ``NAME.mkv``, and its micro-turns beside it, ``NAME.jsonl``: written, found, deleted.

The lines take their place last: a film is whole once they end with the session's last micro-turn.
"""

import json
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from microturn.engine.journal import SessionRecord, SqliteJournal
from microturn.engine.rebuild import has_origin, last_shared_turn, turns_with_origin
from microturn.errors import JournalError
from microturn.media.atomic import replacing
from microturn.running.film import FilmPlan, write_film
from microturn.running.keeping import write_lines
from microturn.timeline.summary import TurnSummary

FILM, LINES = ".mkv", ".jsonl"
_MAX_LINE_BYTES = 1 << 20
"""Of a micro-turn: what was typed into it is no longer."""


def write_session(journal: SqliteJournal, session: SessionRecord, film: Path) -> None:
    """Write a session as a film with sound, pictures and captions, and its micro-turns as lines of JSON beside it.

    Reads it twice, so that hours need not fit in memory: for what is said when, then for the rest.

    Raises:
        JournalError: it cannot be read.
        MediaError: the folder cannot be written to.
    """
    with replacing(film.with_suffix(LINES)) as lines, replacing(film) as pictures:
        plan = FilmPlan.of(
            (turn.input, TurnSummary.of(turn.input, turn.output, turn.trace))
            for turn in turns_with_origin(journal, session)
        )
        write_lines(lines, (summary.to_json() for summary in plan.summaries))
        write_film(
            pictures,
            plan,
            ((turn.input, turn.output) for turn in turns_with_origin(journal, session)),
            title=session.session_id,
            begun=datetime.fromtimestamp(session.created_s, UTC).isoformat(timespec="seconds"),
        )


def film_session(record: Path, journal: SqliteJournal, name: str) -> None:
    """Write a session's film into the folder of its journal, if it is not there.

    A session that has been deleted gets none, nor does one whose beginning has been.
    """
    session = whole_sessions(journal).get(name)
    if session is None or is_filmed(record, journal, session):
        return
    write_session(journal, session, record / f"{name}{FILM}")
    if name not in whole_sessions(journal):  # Deleted in the meantime: whoever did so may not have seen the film.
        delete_films(record, {name})


def whole_sessions(journal: SqliteJournal) -> dict[str, SessionRecord]:
    """The sessions by name, without forks of those that have been deleted: their first micro-turns are gone."""
    kept = {session.session_id: session for session in journal.sessions()}
    return {name: session for name, session in kept.items() if has_origin(session, kept)}


def is_filmed(record: Path, journal: SqliteJournal, session: SessionRecord) -> bool:
    """Whether a session's film is there, up to its last micro-turn."""
    film = record / f"{session.session_id}{FILM}"
    last_turn = max(journal.last_turn(session.session_id), last_shared_turn(session))
    return film.exists() and _last_filmed(film.with_suffix(LINES)) == last_turn


def _last_filmed(lines: Path) -> int | None:
    """Index of the last micro-turn in a file of them; -1 where there is none, None without a file of this kind."""
    try:
        with lines.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MAX_LINE_BYTES))
            end = file.read().splitlines()
        return int(json.loads(end[-1])["index"]) if end else -1
    except (OSError, ValueError, KeyError, TypeError):
        return None


def delete_films(record: Path, names: Collection[str]) -> None:
    """Delete the films of sessions, those that are being written included.

    Raises:
        JournalError: a file cannot be deleted.
    """
    for path in _files_of(record, names):
        _delete(path)


def delete_remnants(record: Path, names: Collection[str]) -> None:
    """Delete what is left of films whose writing was cut off.

    Raises:
        JournalError: a file cannot be deleted.
    """
    for path in _files_of(record, names):
        if path.name.startswith("."):
            _delete(path)


def _files_of(record: Path, names: Collection[str]) -> list[Path]:
    """Films, their lines, and what `replacing` writes aside for them, with a dot before the name and chance after."""
    found: list[Path] = []
    for path in record.iterdir():
        stem = path.stem
        name = stem[1:].rpartition("-")[0] if stem.startswith(".") else stem
        if path.suffix in (FILM, LINES) and name in names:
            found.append(path)
    return found


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(f"{path} cannot be deleted ({error.strerror}): delete it by hand") from error
