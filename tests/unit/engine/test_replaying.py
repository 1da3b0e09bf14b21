"""`microturn replay`: a recording is run again as it is read, and kept as a run is."""

import sqlite3

import numpy as np
import pytest
from engine_fakes import CountingRunner

from microturn import replaying
from microturn.engine.journal import SessionRecord, SqliteJournal, TurnRecord
from microturn.engine.rebuild import FORK_TURN, FORKED_FROM
from microturn.errors import JournalError
from microturn.recorded import JOURNAL_NAME
from microturn.running.keeping import TURNS
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace


def turn(session_id: str, index: int) -> TurnRecord:
    return TurnRecord(
        session_id=session_id,
        input=MicroTurnInput(index=index, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32)),
        output=MicroTurnOutput(index=index, say=f" {session_id}{index}"),
        tokens=(index,),
        trace=TurnTrace(index=index),
    )


@pytest.fixture
def record(tmp_path):
    """A folder with session ``a`` of 250 turns, and ``b``, which was forked from it after 120 of them."""
    journal = SqliteJournal(tmp_path / JOURNAL_NAME)
    fork = {FORKED_FROM: "a", FORK_TURN: 119}
    for name, settings, turns in (("a", {}, range(250)), ("b", fork, range(120, 123))):
        journal.open_session(SessionRecord(session_id=name, seed=1, model_hash="counting", settings=settings), name)
        journal.append([turn(name, index) for index in turns])
    journal.close()
    return tmp_path


@pytest.fixture
def runner(monkeypatch):
    runner = CountingRunner()
    monkeypatch.setattr(replaying, "load_checkpoint", lambda folder: None)
    monkeypatch.setattr(replaying, "ModelRunner", lambda checkpoint, settings: runner)
    return runner


def test_a_fork_is_replayed_with_what_came_before_it(record, runner, capsys):
    replaying.replay_session("b", record, model=None, out=record / "out")
    lines = (record / "out" / TURNS).read_text().splitlines()
    assert len(lines) == 123
    assert [batch[0].forced.output.say for batch in runner.batches[118:121]] == [" a118", " a119", " b120"]
    assert "123 micro-turns, 0 deviations" in capsys.readouterr().err


def test_turns_are_run_as_they_are_read(record, runner):
    with sqlite3.connect(record / JOURNAL_NAME) as db:
        db.execute("UPDATE turns SET input = zeroblob(9) WHERE session_id = 'a' AND turn_index = 200")
    with pytest.raises(JournalError, match="damaged"):
        replaying.replay_session("a", record, model=None, out=record / "out")
    assert len(runner.batches) == 200
    assert list((record / "out").iterdir()) == []


def test_a_fork_of_what_was_deleted_is_refused_before_anything_is_made(record, runner):
    journal = SqliteJournal(record / JOURNAL_NAME)
    journal.delete_session("a")
    journal.close()
    with pytest.raises(JournalError, match="no session 'a'"):
        replaying.replay_session("b", record, model=None, out=record / "out")
    assert not (record / "out").exists()
