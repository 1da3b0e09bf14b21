"""The journal: every micro-turn's input and output, written before the output is released.

It is what a session is resumed from (last good snapshot, then the tail of turns), and it is the recording.

SQLite in WAL mode with ``synchronous=NORMAL``: a committed turn survives the death of the process (``kill -9``),
because the operating system holds the written pages; a loss of power may take the last turns but never leaves a
broken file. ``is_power_safe`` asks for an fsync a batch instead.

One transaction holds a whole batch. Snapshots lie in a file of their own, ``NAME-snapshots``, so that writing their
megabytes never holds up a micro-turn, and so that a recording can be kept without them.
"""

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from microturn.engine.journal_codec import decode_input, decode_output, decode_text, encode_input, encode_output
from microturn.engine.sqlite_file import SqliteFile
from microturn.errors import JournalError
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, TextEvent
from microturn.turns.trace import TurnTrace

NUM_KEPT_SNAPSHOTS = 3
_DELETED_AT_ONCE, _REST_S = 100, 0.05

_SCHEMA = """
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY, token_hash BLOB UNIQUE, seed INTEGER NOT NULL, model_hash TEXT NOT NULL,
    settings TEXT NOT NULL, created_s REAL NOT NULL, closed_s REAL
);
CREATE TABLE turns (
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, turn_index INTEGER NOT NULL,
    input BLOB NOT NULL, output BLOB NOT NULL, tokens TEXT NOT NULL, trace TEXT NOT NULL,
    PRIMARY KEY (session_id, turn_index)
);
"""
_SNAPSHOT_SCHEMA = """
CREATE TABLE snapshots (
    session_id TEXT NOT NULL, turn_index INTEGER NOT NULL, digest BLOB NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (session_id, turn_index)
);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRecord:
    """What must be known to run a session again."""

    session_id: str
    seed: int
    """Keys the noise of the flow head and of sampling."""
    model_hash: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON values."""
    created_s: float = 0.0
    """Unix time; 0 lets the journal fill it in."""
    is_closed: bool = False
    token_hash: bytes = b""
    """Of its resume token, as it was recorded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRecord:
    """One micro-turn as it happened."""

    session_id: str
    input: MicroTurnInput
    output: MicroTurnOutput
    tokens: tuple[int, ...]
    """Token ids of the output, as sampled, patches left out. Text alone would not give them back."""
    trace: TurnTrace


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A session's state after a micro-turn."""

    session_id: str
    turn_index: int
    state: bytes
    """Safetensors."""


class Journal(Protocol):
    """Where sessions are recorded."""

    def open_session(self, session: SessionRecord, resume_token: str) -> None:
        """Begins a session. Only a hash of the token is kept."""
        ...

    def close_session(self, session_id: str) -> None:
        """Marks a session as ended: it can be replayed, but no longer resumed. Its snapshots are of no more use."""
        ...

    def append(self, turns: Sequence[TurnRecord]) -> None:
        """Writes a batch of micro-turns, all or none. Once it returns they survive the process."""
        ...

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keeps a state; all but the latest few of a session are dropped."""
        ...

    def drop_snapshots(self, session_id: str) -> None:
        """Deletes and overwrites a session's states: megabytes, so not for a thread that must not wait."""
        ...

    def session(self, session_id: str) -> SessionRecord:
        """Finds a session by its name."""
        ...

    def session_of_token(self, resume_token: str) -> SessionRecord:
        """Finds the session that a token resumes."""
        ...

    def snapshots(self, session_id: str) -> Iterator[Snapshot]:
        """The undamaged snapshots of a session, latest first."""
        ...

    def turns(self, session_id: str, *, after_turn: int = -1) -> Iterator[TurnRecord]:
        """The micro-turns after a given one, in order."""
        ...

    def last_turn(self, session_id: str) -> int:
        """Index of a session's last micro-turn; -1 when it has none of its own."""
        ...

    def texts(self, session_id: str) -> Iterator[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        """What was given and answered as text in every micro-turn, in order; the outputs without their sound."""
        ...

    def close(self) -> None:
        """Releases files."""
        ...


def new_resume_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(32)


class SqliteJournal:
    """A journal in SQLite files; ``:memory:`` keeps it in memory, for tests.

    Every method raises JournalError when a file cannot be read or written.
    """

    def __init__(self, path: Path | str, *, is_power_safe: bool = False) -> None:
        self.path = str(path)
        snapshots_path = self.path if self.path == ":memory:" else f"{self.path}-snapshots"
        self._turns = SqliteFile(self.path, _SCHEMA, is_power_safe=is_power_safe)
        self._snapshots = SqliteFile(snapshots_path, _SNAPSHOT_SCHEMA, is_power_safe=is_power_safe)

    def open_session(self, session: SessionRecord, resume_token: str) -> None:
        with self._turns.writing() as db:
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (
                    session.session_id,
                    _hash(resume_token.encode()),
                    session.seed,
                    session.model_hash,
                    json.dumps(dict(session.settings)),
                    session.created_s or time.time(),
                ),
            )

    def close_session(self, session_id: str) -> None:
        with self._turns.writing() as db:
            db.execute("UPDATE sessions SET closed_s = ? WHERE session_id = ?", (time.time(), session_id))

    def append(self, turns: Sequence[TurnRecord]) -> None:
        rows = [
            (
                turn.session_id,
                turn.input.index,
                encode_input(turn.input),
                encode_output(turn.output),
                json.dumps(turn.tokens),
                json.dumps(asdict(turn.trace)),
            )
            for turn in turns
        ]
        refused: list[str] = []
        with self._turns.writing() as db:
            for row in rows:
                try:
                    db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?)", row)
                except sqlite3.IntegrityError:  # Its session has been deleted, or the turn is there already.
                    refused.append(row[0])
        if refused:
            raise JournalError(
                f"{self.path} no longer holds {', '.join(refused)}: its recording was deleted while it ran",
                session_ids=refused,
            )

    def save_snapshot(self, snapshot: Snapshot) -> None:
        values = (snapshot.session_id, snapshot.turn_index, _hash(snapshot.state), snapshot.state)
        with self._snapshots.writing() as db:
            self.session(snapshot.session_id)  # Deleting drops snapshots last: none is left of a session that is gone.
            db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", values)
            db.execute(
                "DELETE FROM snapshots WHERE session_id = ? AND turn_index NOT IN "
                "(SELECT turn_index FROM snapshots WHERE session_id = ? ORDER BY turn_index DESC LIMIT ?)",
                (snapshot.session_id, snapshot.session_id, NUM_KEPT_SNAPSHOTS),
            )

    def drop_snapshots(self, session_id: str) -> None:
        with self._snapshots.writing(is_secure=True) as db:
            db.execute("DELETE FROM snapshots WHERE session_id = ?", (session_id,))

    def sessions(self) -> list[SessionRecord]:
        """Every recorded session, latest first."""
        return [_session(row) for row in self._turns.rows(f"{_SELECT_SESSION} ORDER BY created_s DESC")]

    def session(self, session_id: str) -> SessionRecord:
        rows = self._turns.rows(f"{_SELECT_SESSION} WHERE session_id = ?", session_id)
        if not rows:
            raise JournalError(
                f"{self.path} holds no session {session_id!r}: list its sessions, or name another journal"
            )
        return _session(rows[0])

    def session_of_token(self, resume_token: str) -> SessionRecord:
        rows = self._turns.rows(f"{_SELECT_SESSION} WHERE token_hash = ?", _hash(resume_token.encode()))
        if not rows:
            raise JournalError("no session has this resume token: open a new session")
        return _session(rows[0])

    def snapshots(self, session_id: str) -> Iterator[Snapshot]:
        select = "SELECT turn_index, digest, state FROM snapshots WHERE session_id = ? ORDER BY turn_index DESC"
        for turn_index, digest, state in self._snapshots.rows(select, session_id):
            if _hash(state) == digest:
                yield Snapshot(session_id=session_id, turn_index=turn_index, state=state)

    def turns(self, session_id: str, *, after_turn: int = -1) -> Iterator[TurnRecord]:
        select = (
            "SELECT turn_index, input, output, tokens, trace FROM turns "
            "WHERE session_id = ? AND turn_index > ? ORDER BY turn_index LIMIT 100"
        )
        while rows := self._turns.rows(select, session_id, after_turn):
            for index, given, answered, tokens, trace in rows:
                yield TurnRecord(
                    session_id=session_id,
                    input=decode_input(given),
                    output=decode_output(answered),
                    tokens=tuple(json.loads(tokens)),
                    trace=TurnTrace(**json.loads(trace)),
                )
                after_turn = index

    def texts(self, session_id: str) -> Iterator[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        select = (
            "SELECT turn_index, input, output FROM turns "
            "WHERE session_id = ? AND turn_index > ? ORDER BY turn_index LIMIT 100"
        )
        last = -1
        while rows := self._turns.rows(select, session_id, last):
            for index, given, answered in rows:
                yield decode_text(given, answered)
                last = index

    def last_turn(self, session_id: str) -> int:
        ((last,),) = self._turns.rows("SELECT MAX(turn_index) FROM turns WHERE session_id = ?", session_id)
        return -1 if last is None else last

    def num_turns(self) -> dict[str, int]:
        """Micro-turns recorded of each session that has any."""
        return dict(self._turns.rows("SELECT session_id, COUNT(*) FROM turns GROUP BY session_id"))

    def delete_session(self, session_id: str) -> None:
        """Forgets a session and all that was recorded of it, and overwrites it in the file.

        Bit by bit and with pauses, so that a server that writes to the same file never waits for long.
        """
        self.drop_snapshots(session_id)
        num_deleted = _DELETED_AT_ONCE
        while num_deleted == _DELETED_AT_ONCE:
            with self._turns.writing(is_secure=True) as db:
                num_deleted = db.execute(
                    "DELETE FROM turns WHERE session_id = ? AND turn_index IN "
                    "(SELECT turn_index FROM turns WHERE session_id = ? LIMIT ?)",
                    (session_id, session_id, _DELETED_AT_ONCE),
                ).rowcount
            if num_deleted == _DELETED_AT_ONCE:
                time.sleep(_REST_S)
        with self._turns.writing(is_secure=True) as db:
            db.execute("DELETE FROM sessions WHERE session_id = ?", (session_id,))
        self.drop_snapshots(session_id)  # One that a running session has left in the meantime.

    def close(self) -> None:
        self._turns.close()
        self._snapshots.close()


class NullJournal:
    """Keeps nothing: a session lives as long as the process."""

    def open_session(self, session: SessionRecord, resume_token: str) -> None:
        pass

    def close_session(self, session_id: str) -> None:
        pass

    def append(self, turns: Sequence[TurnRecord]) -> None:
        pass

    def save_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def drop_snapshots(self, session_id: str) -> None:
        pass

    def session(self, session_id: str) -> SessionRecord:
        raise JournalError(f"session {session_id!r} was not recorded: run with a journal to replay and resume")

    def session_of_token(self, resume_token: str) -> SessionRecord:
        raise JournalError("sessions are not recorded: open a new one, or run with a journal to resume")

    def snapshots(self, session_id: str) -> Iterator[Snapshot]:
        return iter(())

    def turns(self, session_id: str, *, after_turn: int = -1) -> Iterator[TurnRecord]:
        return iter(())

    def last_turn(self, session_id: str) -> int:
        return -1

    def texts(self, session_id: str) -> Iterator[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
        return iter(())

    def close(self) -> None:
        pass


_SELECT_SESSION = "SELECT session_id, seed, model_hash, settings, created_s, closed_s, token_hash FROM sessions"


def _session(row: tuple[Any, ...]) -> SessionRecord:
    session_id, seed, model_hash, settings, created_s, closed_s, token_hash = row
    return SessionRecord(
        session_id=session_id,
        seed=seed,
        model_hash=model_hash,
        settings=json.loads(settings),
        created_s=created_s,
        is_closed=closed_s is not None,
        token_hash=token_hash,
    )


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
