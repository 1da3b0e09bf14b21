"""The films of a server's sessions: written once a session has gone, by other processes, and taken away with it."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from microturn.cli import app
from microturn.engine.journal import SessionRecord, SqliteJournal, TurnRecord
from microturn.engine.rebuild import FORK_TURN, FORKED_FROM
from microturn.errors import JournalError
from microturn.filming import Filming
from microturn.films import film_session
from microturn.recorded import JOURNAL_NAME, delete_sessions, sweep
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace

WITHIN_S = 120.0
"""No condition takes this long unless something is broken."""
SECRET = " the plan is to meet at noon"


def turn(name: str, index: int) -> TurnRecord:
    return TurnRecord(
        session_id=name,
        input=MicroTurnInput(index=index, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32)),
        output=MicroTurnOutput(index=index, hear=SECRET),
        tokens=(),
        trace=TurnTrace(index=index),
    )


def write_down(record: Path, name: str, turns: range, *, is_closed: bool = True, **settings: object) -> None:
    """Record turns of a session, which begins with them if it is not there."""
    journal = SqliteJournal(record / JOURNAL_NAME)
    if name not in {session.session_id for session in journal.sessions()}:
        journal.open_session(SessionRecord(session_id=name, seed=1, model_hash="w", settings=settings), name)
    journal.append([turn(name, index) for index in turns])
    if is_closed:
        journal.close_session(name)
    journal.close()


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """One session that has ended, and one that a crash left behind."""
    write_down(tmp_path, "ended", range(3))
    write_down(tmp_path, "left", range(2), is_closed=False)
    return tmp_path


def films(record: Path) -> set[str]:
    """All files of films, whole or not."""
    return {path.name for path in record.iterdir() if path.suffix in (".mkv", ".jsonl")}


async def until_filmed(record: Path, name: str) -> None:
    while True:
        if f"{name}.jsonl" in films(record):
            return
        await asyncio.sleep(0.01)


def turns_in(record: Path, name: str) -> list[int]:
    return [json.loads(line)["index"] for line in (record / f"{name}.jsonl").read_text().splitlines()]


def filming(record: Path, **options: float) -> Filming:
    return Filming(record, **{"last_within_s": WITHIN_S, **options})


def damage(record: Path, name: str) -> bytes:
    """Spoil what was recorded of a session's second turn. Returns what it was."""
    with sqlite3.connect(record / JOURNAL_NAME) as db:
        where = "WHERE session_id = ? AND turn_index = 1"
        ((whole,),) = db.execute(f"SELECT output FROM turns {where}", (name,))
        db.execute(f"UPDATE turns SET output = zeroblob(9) {where}", (name,))
    return whole


async def test_sessions_without_a_film_get_theirs_and_what_was_cut_off_goes(record: Path) -> None:
    for name in (".left-abcd1234.mkv", ".ended-abcd1234.jsonl", ".holidays-1.mkv"):
        (record / name).write_text("x")
    async with filming(record):
        pass
    assert films(record) == {"ended.mkv", "ended.jsonl", "left.mkv", "left.jsonl", ".holidays-1.mkv"}
    assert (turns_in(record, "ended"), turns_in(record, "left")) == ([0, 1, 2], [0, 1])


async def test_a_film_is_written_as_soon_as_its_session_has_gone(record: Path) -> None:
    async with asyncio.timeout(WITHIN_S), filming(record) as films_of:
        write_down(record, "new", range(4))
        films_of.gone("new")
        await until_filmed(record, "new")
        assert "new.mkv" in films(record)


async def test_a_client_that_came_back_is_in_a_new_film_to_its_end(record: Path) -> None:
    async with filming(record):
        pass
    ended = (record / "ended.mkv").stat().st_ino
    write_down(record, "left", range(2, 5))
    async with filming(record):
        pass
    assert turns_in(record, "left") == [0, 1, 2, 3, 4]
    assert (record / "ended.mkv").stat().st_ino == ended  # it is not written twice


async def test_a_film_that_fails_is_told_without_words_harms_no_other_and_is_tried_again(
    record: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, told = damage(record, "left"), asyncio.Event()
    caplog.handler.addFilter(lambda line: told.set() or True)
    async with asyncio.timeout(WITHIN_S), filming(record, retry_after_s=0.0):
        await until_filmed(record, "ended")
        await told.wait()
        assert "left.mkv" not in films(record)
        with sqlite3.connect(record / JOURNAL_NAME) as db:
            db.execute("UPDATE turns SET output = ? WHERE session_id = 'left' AND turn_index = 1", (whole,))
        await until_filmed(record, "left")
    assert films(record) == {"ended.mkv", "ended.jsonl", "left.mkv", "left.jsonl"}
    assert set(caplog.messages) == {"film not written"}
    fields = vars(caplog.records[0])["fields"]
    assert (fields["session"], fields["status"]) == ("left", 1)
    assert fields["error"].startswith("JournalError journal_codec.py:")
    assert not any(SECRET.strip() in str(vars(each)) for each in caplog.records)


async def test_a_server_that_ends_waits_no_longer_than_it_may_and_leaves_nothing_half_written(record: Path) -> None:
    async with filming(record, last_within_s=0.0):
        pass
    assert not [name for name in films(record) if name.startswith(".")]
    async with filming(record):
        pass
    assert films(record) == {"ended.mkv", "ended.jsonl", "left.mkv", "left.jsonl"}


def film_all(record: Path, journal: SqliteJournal | None = None) -> None:
    journal = journal or SqliteJournal(record / JOURNAL_NAME)
    for session in journal.sessions():
        film_session(record, journal, session.session_id)
    journal.close()


def test_a_film_goes_with_its_session(record: Path) -> None:
    film_all(record)
    (record / ".ended-abcd1234.mkv").write_text("a film that is being written")
    assert delete_sessions(record, ["ended"]) == ["ended"]
    assert films(record) == {"left.mkv", "left.jsonl"}
    assert sweep(record, 0.0) == ["left"]
    assert films(record) == set()


def test_a_film_of_a_fork_goes_with_the_session_that_it_began_in(record: Path) -> None:
    write_down(record, "fork", range(2, 4), **{FORKED_FROM: "ended", FORK_TURN: 1})
    film_all(record)
    assert turns_in(record, "fork") == [0, 1, 2, 3]
    delete_sessions(record, ["ended"])
    assert films(record) == {"left.mkv", "left.jsonl"}
    film_all(record)  # none can be written any more, and that is no failure
    assert films(record) == {"left.mkv", "left.jsonl"}


def test_a_session_that_is_deleted_while_it_is_filmed_leaves_no_film(record: Path) -> None:
    class Deleting(SqliteJournal):
        """Another process deletes the session once it has been read."""

        def turns(self, session_id: str, *, after_turn: int = -1) -> Iterator[TurnRecord]:
            yield from super().turns(session_id, after_turn=after_turn)
            if session_id in {session.session_id for session in self.sessions()}:
                delete_sessions(record, [session_id], includes_open=True)

    film_all(record, Deleting(record / JOURNAL_NAME))
    assert films(record) == set()


def test_a_film_that_cannot_be_deleted_keeps_its_session_to_be_deleted_later(record: Path) -> None:
    (record / "ended.mkv").mkdir()
    with pytest.raises(JournalError, match=r"ended\.mkv cannot be deleted"):
        delete_sessions(record, ["ended"])
    (record / "ended.mkv").rmdir()
    assert delete_sessions(record, ["ended"]) == ["ended"]


def test_the_list_says_which_sessions_have_films_and_where(record: Path) -> None:
    journal = SqliteJournal(record / JOURNAL_NAME)
    film_session(record, journal, "ended")
    journal.close()
    listed = CliRunner().invoke(app, ["sessions", "list", "--record", str(record)]).output
    assert f"{record}/SESSION.mkv" in listed
    assert ["yes" in line for line in listed.splitlines() if "ended" in line or "left" in line] == [False, True]
