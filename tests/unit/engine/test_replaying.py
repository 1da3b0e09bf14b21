"""`microturn replay`: a recording is run again as it is read, and kept as a run is."""

import json
import sqlite3

import numpy as np
import pytest
from engine_fakes import CountingRunner
from typer.testing import CliRunner

from microturn import replaying
from microturn.cli import app
from microturn.engine.journal import SessionRecord, SqliteJournal, TurnRecord
from microturn.engine.rebuild import FORK_TURN, FORKED_FROM
from microturn.engine.runner import Checkpoint
from microturn.errors import CheckpointError, JournalError
from microturn.features.sequence import output_text_tokens
from microturn.features.tokenizer import Tokenizer
from microturn.recorded import JOURNAL_NAME
from microturn.running.keeping import TURNS
from microturn.testing.tiny_model import tiny_parts
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


def write_down(folder, tokenizer):
    """Record a session whose tokens are those of a tokenizer, by weights that nobody has any more."""
    journal = SqliteJournal(folder / JOURNAL_NAME)
    journal.open_session(SessionRecord(session_id="s", seed=1, model_hash="gone"), "s")
    journal.append([spoken(index, word, tokenizer) for index, word in enumerate((" one", " two", ""))])
    journal.close()


def spoken(index, word, tokenizer):
    output = MicroTurnOutput(index=index, say=word)
    return TurnRecord(
        session_id="s",
        input=MicroTurnInput(index=index, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32)),
        output=output,
        tokens=tuple(output_text_tokens(output, tokenizer)),
        trace=TurnTrace(index=index),
    )


@pytest.fixture
def checkpoint(monkeypatch):
    """A whole model in miniature in the place of the one that is asked for."""
    parts = tiny_parts()
    made = Checkpoint(
        model=parts.model,
        tokenizer=parts.tokenizer,
        statistics=parts.statistics,
        vocoder=parts.vocoder,
        model_hash="tiny",
    )
    monkeypatch.setattr(replaying, "load_checkpoint", lambda folder: made)
    return made


def test_other_weights_answer_afresh_and_both_answers_are_kept(record, runner):
    run = CliRunner().invoke(app, ["replay", "b", "--record", str(record), "--out", str(record / "out"), "--free"])
    assert run.exit_code == 0, run.output
    assert all(row.forced is None for batch in runner.batches for row in batch)
    said = [json.loads(line)["say"] for line in (record / "out" / TURNS).read_text().splitlines()]
    assert said == [f" {number}" for number in range(1, 124)]
    page = (record / "out" / replaying.COMPARISON).read_text()
    assert page.index("a0 a1 a2") < page.index("1 2 3")  # what was recorded, and what is answered now
    assert "123 answered otherwise" in " ".join(run.output.split())


def test_a_whole_model_answers_a_recording_of_another_tokenizer(tmp_path, checkpoint, capsys):
    write_down(tmp_path, Tokenizer.train(["one two " * 9], 260))
    with pytest.raises(CheckpointError, match="--free"):
        replaying.replay_session("s", tmp_path, model=None, out=tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    replaying.replay_session("s", tmp_path, model=None, out=tmp_path / "out", is_free=True)
    assert len((tmp_path / "out" / TURNS).read_text().splitlines()) == 3
    assert "<td>one two</td>" in (tmp_path / "out" / replaying.COMPARISON).read_text()


def test_what_the_same_tokenizer_wrote_is_forced_on_other_weights(tmp_path, checkpoint, capsys):
    write_down(tmp_path, checkpoint.tokenizer)
    replaying.replay_session("s", tmp_path, model=None, out=tmp_path / "out", is_checked=False)
    lines = (tmp_path / "out" / TURNS).read_text().splitlines()
    assert [json.loads(line)["say"] for line in lines] == [" one", " two", ""]
    assert "--free has these answer" in " ".join(capsys.readouterr().err.split())
