"""What must outlive the process: which acts were taken up, which jobs are unfinished, timers and notes. SQLite.

An act is claimed before its job begins and a job is never begun from the ledger, so nothing runs twice: what was under
way when the process died is reported as interrupted, and the user decides. Questions and answers are not kept.
"""

import hashlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from microturn.errors import MicroturnError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (
    session_id TEXT NOT NULL, digest BLOB NOT NULL, job INTEGER NOT NULL, process TEXT NOT NULL, taken_s REAL NOT NULL,
    ended TEXT, PRIMARY KEY (session_id, digest)
);
CREATE TABLE IF NOT EXISTS timers (
    timer_id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, job INTEGER NOT NULL, label TEXT NOT NULL,
    due_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS notes (
    note_id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, text TEXT NOT NULL, written_s REAL NOT NULL
);
"""
KEPT_DAYS = 30
"""Acts that are over are remembered so long: a session that is resumed later than that is not."""
MAX_NOTES = 200
MAX_TIMERS = 50


def session_name(token_hash: bytes) -> str:
    """What the background calls a session: the same over connections and processes, and no secret.

    Args:
        token_hash: SHA-256 of its resume token.
    """
    return token_hash.hex()[:24]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTimer:
    """A timer that has not fired."""

    timer_id: int
    job: int
    label: str
    due_s: float
    """Unix time."""


class Ledger:
    """One file for all sessions of a server. Every method may block for a moment: call it off the event loop.

    Args:
        path: The file; None keeps everything in memory.

    Raises:
        MicroturnError: the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._process = uuid.uuid4().hex
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            old_s = time.time() - KEPT_DAYS * 86_400
            self._db.execute("DELETE FROM acts WHERE ended IS NOT NULL AND taken_s < ?", (old_s,))
        except sqlite3.Error as error:
            raise MicroturnError(f"{path} cannot hold the background's ledger ({error}): move it away") from error

    def claim(self, session_id: str, time_ms: int, job: int, act: str) -> bool:
        """Take up an act; False if that was done before, in this process or an earlier one."""
        with self._writing() as db:
            taken = db.execute(
                "INSERT OR IGNORE INTO acts (session_id, digest, job, process, taken_s) VALUES (?, ?, ?, ?, ?)",
                (session_id, _digest(time_ms, act), job, self._process, time.time()),
            )
            return taken.rowcount == 1

    def end(self, session_id: str, time_ms: int, act: str, state: str) -> None:
        """Note that what an act began is over, and told where it was to be told."""
        with self._writing() as db:
            db.execute(
                "UPDATE acts SET ended = ? WHERE session_id = ? AND digest = ?",
                (state, session_id, _digest(time_ms, act)),
            )

    def take_interrupted(self, session_id: str) -> list[int]:
        """Jobs of a session that an earlier process left unfinished; each is handed out once."""
        with self._writing() as db:
            rows = db.execute(
                "UPDATE acts SET ended = 'interrupted' WHERE session_id = ? AND ended IS NULL AND process <> ? "
                "RETURNING job",
                (session_id, self._process),
            ).fetchall()
            return sorted({row[0] for row in rows})

    def give_up(self, session_id: str) -> None:
        """What a session has not been told the end of counts as left unfinished, as if the process had died."""
        with self._writing() as db:
            db.execute("UPDATE acts SET process = '' WHERE session_id = ? AND ended IS NULL", (session_id,))

    def add_timer(self, session_id: str, job: int, label: str, due_s: float) -> StoredTimer:
        """Keep a timer. Raises ValueError when the session has too many."""
        with self._writing() as db:
            (count,) = db.execute("SELECT count(*) FROM timers WHERE session_id = ?", (session_id,)).fetchone()
            if count >= MAX_TIMERS:
                raise ValueError(f"{count} timers are running already: cancel some first")
            cursor = db.execute(
                "INSERT INTO timers (session_id, job, label, due_s) VALUES (?, ?, ?, ?)",
                (session_id, job, label, due_s),
            )
            return StoredTimer(timer_id=cursor.lastrowid or 0, job=job, label=label, due_s=due_s)

    def timers(self, session_id: str) -> list[StoredTimer]:
        """The timers that have not fired, the next first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT timer_id, job, label, due_s FROM timers WHERE session_id = ? ORDER BY due_s",
                (session_id,),
            ).fetchall()
        return [StoredTimer(timer_id=i, job=job, label=label, due_s=due_s) for i, job, label, due_s in rows]

    def take_timer(self, timer_id: int) -> bool:
        """Let a timer fire, or drop it; False if that has happened before."""
        with self._writing() as db:
            return db.execute("DELETE FROM timers WHERE timer_id = ?", (timer_id,)).rowcount == 1

    def put_back(self, session_id: str, timer: StoredTimer) -> None:
        """Keep a timer that was taken after all: nobody has heard it."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO timers (timer_id, session_id, job, label, due_s) VALUES (?, ?, ?, ?, ?)",
                (timer.timer_id, session_id, timer.job, timer.label, timer.due_s),
            )

    def add_note(self, session_id: str, text: str) -> None:
        """Keep a note. Raises ValueError when the session has too many."""
        with self._writing() as db:
            (count,) = db.execute("SELECT count(*) FROM notes WHERE session_id = ?", (session_id,)).fetchone()
            if count >= MAX_NOTES:
                raise ValueError(f"{count} notes are kept already: forget some first")
            db.execute(
                "INSERT INTO notes (session_id, text, written_s) VALUES (?, ?, ?)", (session_id, text, time.time())
            )

    def notes(self, session_id: str) -> list[str]:
        """The notes of a session, oldest first."""
        with self._lock:
            rows = self._db.execute("SELECT text FROM notes WHERE session_id = ? ORDER BY note_id", (session_id,))
            return [text for (text,) in rows.fetchall()]

    def clear_notes(self, session_id: str) -> int:
        """Forget the notes of a session; returns how many there were."""
        with self._writing() as db:
            return db.execute("DELETE FROM notes WHERE session_id = ?", (session_id,)).rowcount

    def forget(self, session_id: str) -> None:
        """Drop the timers and notes of a session that will not come back; nothing is left to be told."""
        with self._writing() as db:
            db.execute("UPDATE acts SET ended = 'forgotten' WHERE session_id = ? AND ended IS NULL", (session_id,))
            db.execute("DELETE FROM timers WHERE session_id = ?", (session_id,))
            db.execute("DELETE FROM notes WHERE session_id = ?", (session_id,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock, self._db:
            yield self._db


def _digest(time_ms: int, act: str) -> bytes:
    """Names an act by its moment and words, without keeping the words."""
    return hashlib.sha256(f"{time_ms} {act}".encode()).digest()
