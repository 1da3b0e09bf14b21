"""Recorded sessions are listed and forgotten, and nothing that may still be running is lost by accident."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from microturn.cli import app
from microturn.engine.journal import SessionRecord, SqliteJournal
from microturn.errors import JournalError
from microturn.recorded import delete_sessions
from microturn.serving import JOURNAL_NAME

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
