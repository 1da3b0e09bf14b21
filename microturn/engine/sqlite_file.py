"""A SQLite file of our own: its schema checked, its transactions whole, its errors ours."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from microturn.errors import JournalError

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x6D747572  # "mtur"


class SqliteFile:
    """One database. Any thread may use it; a lock puts them in turn.

    Args:
        path: The file, made if it is not there; ``:memory:`` for none.
        schema: Statements that make the tables of a new file.
        is_power_safe: Whether every transaction waits for the disk.
    """

    def __init__(self, path: str, schema: str, *, is_power_safe: bool) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._errors("opened", "check that it is a microturn journal and that its folder can be written"):
            if path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if is_power_safe else 'NORMAL'}")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._prepare(schema)

    def rows(self, select: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows that a query gives."""
        with self._errors("read", "check the file, or restore a copy"), self._lock:
            return self._db.execute(select, values).fetchall()

    @contextmanager
    def writing(self, *, is_secure: bool = False) -> Generator[sqlite3.Connection, None, None]:
        """One transaction: all of it or nothing. ``is_secure`` overwrites what is deleted."""
        with self._errors("written", "free disk space, or name another file"), self._lock:
            self._db.execute(f"PRAGMA secure_delete={int(is_secure)}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Releases the file."""
        with self._lock:
            self._db.close()

    def _prepare(self, schema: str) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (application_id,) = self._db.execute("PRAGMA application_id").fetchone()
        (num_tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if num_tables == 0:
            marks = f"PRAGMA user_version={SCHEMA_VERSION}; PRAGMA application_id={_APPLICATION_ID};"
            self._db.executescript(f"BEGIN; {schema} {marks} COMMIT;")
        elif application_id != _APPLICATION_ID:
            raise JournalError(f"{self.path} is another program's database: name a file of its own for the journal")
        elif version != SCHEMA_VERSION:
            raise JournalError(
                f"{self.path} has journal schema {version}, this is {SCHEMA_VERSION}: "
                "read it with the microturn that wrote it, or name a new file"
            )

    @contextmanager
    def _errors(self, done: str, remedy: str) -> Generator[None, None, None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"the journal {self.path} cannot be {done} ({error}): {remedy}") from error
