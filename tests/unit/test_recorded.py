"""Recorded sessions are listed and forgotten, and nothing that may still be running is lost by accident."""

import asyncio
import hashlib
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from microturn.background.ledger import Ledger, session_name
from microturn.cli import app
from microturn.engine.journal import SessionRecord, SqliteJournal
from microturn.errors import CapacityError, JournalError
from microturn.recorded import JOURNAL_NAME, LEDGER_NAME, delete_sessions, keep_swept, sweep

DAY_S = 86_400


@pytest.fixture
def record(tmp_path: Path) -> Path:
    journal = SqliteJournal(tmp_path / JOURNAL_NAME)
    for name, age_days in (("old", 40), ("new", 1), ("running", 50)):
        created_s = time.time() - age_days * DAY_S
        journal.open_session(
            SessionRecord(session_id=name, seed=1, model_hash="w", created_s=created_s), f"token {name}"
        )
        if name != "running":
            journal.close_session(name)
    journal.close()
    return tmp_path


def names(record: Path) -> set[str]:
    journal = SqliteJournal(record / JOURNAL_NAME)
    try:
        return {session.session_id for session in journal.sessions()}
    finally:
        journal.close()


def test_what_is_old_and_ended_is_forgotten(record: Path) -> None:
    assert delete_sessions(record, (), older_than_days=30) == ["old"]
    assert names(record) == {"new", "running"}
    assert delete_sessions(record, (), older_than_days=30, includes_open=True) == ["running"]


def test_a_session_that_never_ended_is_deleted_on_request_alone(record: Path) -> None:
    with pytest.raises(JournalError, match="--open"):
        delete_sessions(record, ["running", "new"])
    assert names(record) == {"old", "new", "running"}


def test_an_unknown_name_loses_nothing(record: Path) -> None:
    with pytest.raises(JournalError, match="no session 'none'"):
        delete_sessions(record, ["old", "none"])
    assert "old" in names(record)


def test_the_commands_list_and_delete(record: Path) -> None:
    listed = CliRunner().invoke(app, ["sessions", "list", "--record", str(record)])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in ("old", "new", "running", "open"))
    assert CliRunner().invoke(app, ["sessions", "delete", "new", "--record", str(record)]).exit_code == 0
    assert names(record) == {"old", "running"}
    assert CliRunner().invoke(app, ["sessions", "delete", "--record", str(record)]).exit_code == 2


def test_a_sweep_forgets_what_is_old_whether_it_ended_or_not_but_nothing_that_runs(record: Path) -> None:
    ledger = Ledger(record / LEDGER_NAME)
    old, new = (session_name(hashlib.sha256(f"token {name}".encode()).digest()) for name in ("old", "new"))
    ledger.add_note(old, "buy milk")
    ledger.add_note(new, "buy bread")
    assert sweep(record, 30, running={"running"}) == ["old"]
    assert names(record) == {"new", "running"}
    assert (ledger.notes(old), ledger.notes(new)) == ([], ["buy bread"])
    assert sweep(record, 30) == ["running"]
    ledger.close()


async def test_a_server_goes_on_sweeping_and_survives_a_bad_moment(record: Path) -> None:
    asked = 0
    swept = asyncio.Event()

    async def running() -> set[str]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise JournalError("the disk is busy")
        if asked == 2:
            raise CapacityError("the engine is busy")
        if asked == 4:
            swept.set()
        return {"running"}

    sweeping = asyncio.create_task(keep_swept(record, 30, running, every_s=0.0))
    async with asyncio.timeout(20):
        await swept.wait()
    sweeping.cancel()
    assert names(record) == {"new", "running"}


def test_what_is_forgotten_is_overwritten(record: Path) -> None:
    secret = "the plan is to meet at noon"
    journal = SqliteJournal(record / JOURNAL_NAME)
    journal.open_session(SessionRecord(session_id="secret", seed=1, model_hash="w", settings={"x": secret}), "t")
    journal.close_session("secret")
    journal.close()
    files = [*record.glob(f"{JOURNAL_NAME}*")]
    assert any(secret.encode() in file.read_bytes() for file in files)
    assert delete_sessions(record, ["secret"]) == ["secret"]
    assert not any(secret.encode() in file.read_bytes() for file in record.glob(f"{JOURNAL_NAME}*"))


def test_days_without_a_record_are_refused() -> None:
    served = CliRunner().invoke(app, ["serve", "--keep-days", "3"])
    assert served.exit_code != 0
    assert "--record" in str(served.exception)
