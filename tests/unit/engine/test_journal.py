"""The journal gives back what was written, bit for bit, also after the process was killed."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.engine.journal import (
    NUM_KEPT_SNAPSHOTS,
    NullJournal,
    SessionRecord,
    Snapshot,
    SqliteJournal,
    TurnRecord,
    new_resume_token,
)
from microturn.engine.journal_codec import decode_input, decode_output, decode_text, encode_input, encode_output
from microturn.errors import JournalError
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

seeds = st.integers(0, 2**32 - 1)
words = st.text(st.characters(codec="utf-8"), max_size=20)


def sound(seed: int, num: int, *, is_on_grid: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if is_on_grid:
        return (rng.integers(-32768, 32768, num) / 32768).astype(np.float32)
    return rng.uniform(-1, 1, num).astype(np.float32)


events = st.builds(
    TextEvent,
    role=st.sampled_from(list(Role)),
    text=words,
    drop_before_turn=st.none() | st.integers(0, 10**6),
    script=st.none() | words,
)


@st.composite
def inputs(draw) -> MicroTurnInput:
    seed = draw(seeds)
    frame = VideoFrame(time_ms=3.25, pixels=np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8))
    other = VideoFrame(time_ms=103.5, pixels=frame.pixels[::-1].copy())
    return MicroTurnInput(
        index=draw(st.integers(0, 10**6)),
        audio=sound(seed, 3200, is_on_grid=draw(st.booleans())),
        frames=draw(st.sampled_from([(), (frame, frame), (frame, other)])),
        events=tuple(draw(st.lists(events, max_size=3))),
        num_missing_samples=draw(st.integers(0, 3200)),
        gap_turns=draw(st.integers(0, 99)),
    )


@st.composite
def outputs(draw) -> MicroTurnOutput:
    seed = draw(seeds)
    pieces = st.builds(Piece, kind=st.sampled_from(list(PieceKind)), text=words, is_end=st.booleans())
    mel = np.random.default_rng(seed).normal(size=(16, 80)).astype(np.float32) if draw(st.booleans()) else None
    phones = st.lists(st.integers(0, 50), min_size=4, max_size=4).map(tuple)
    return MicroTurnOutput(
        index=draw(st.integers(0, 10**6)),
        hear=draw(words),
        pieces=tuple(draw(st.lists(pieces, max_size=3))),
        is_clear=draw(st.booleans()),
        say=draw(words),
        mel=mel,
        phones=() if mel is None else draw(st.one_of(st.just(()), phones)),
        audio=sound(seed, 4800, is_on_grid=draw(st.booleans())) if draw(st.booleans()) else None,
    )


def same_array(one, other) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and np.array_equal(one, other)


@settings(max_examples=40, deadline=None)
@given(inputs())
def test_inputs_come_back_bit_for_bit(turn):
    back = decode_input(encode_input(turn))
    assert same_array(back.audio, turn.audio)
    assert [f.time_ms for f in back.frames] == [f.time_ms for f in turn.frames]
    assert all(same_array(b.pixels, f.pixels) for b, f in zip(back.frames, turn.frames, strict=True))
    for name in ("index", "events", "num_missing_samples", "gap_turns"):
        assert getattr(back, name) == getattr(turn, name)


@settings(max_examples=40, deadline=None)
@given(outputs())
def test_outputs_come_back_bit_for_bit(turn):
    back = decode_output(encode_output(turn))
    assert same_array(back.mel, turn.mel)
    assert same_array(back.audio, turn.audio)
    for name in ("index", "hear", "pieces", "is_clear", "say", "phones"):
        assert getattr(back, name) == getattr(turn, name)


@settings(deadline=None)
@given(inputs(), outputs())
def test_texts_come_back_without_their_sound(given_turn, answered):
    events, output = decode_text(encode_input(given_turn), encode_output(answered))
    assert events == given_turn.events
    assert output == replace(answered, mel=None, phones=(), audio=None)


def test_sixteen_bit_sound_takes_two_bytes_a_sample():
    quiet = MicroTurnInput(index=0, audio=sound(0, 3200, is_on_grid=True))
    assert len(encode_input(quiet)) < 2 * 3200 + 200


@settings(max_examples=60, deadline=None)
@given(inputs(), st.data())
def test_a_damaged_record_is_a_journal_error_or_another_turn_but_never_a_crash(turn, data):
    record = bytearray(encode_input(turn))
    position = data.draw(st.integers(0, min(len(record), 400) - 1))
    record[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(JournalError):
        decode_input(bytes(record[: data.draw(st.integers(0, len(record)))]))


def record(index: int, session_id: str = "s") -> TurnRecord:
    return TurnRecord(
        session_id=session_id,
        input=MicroTurnInput(index=index, audio=sound(index, 3200, is_on_grid=True)),
        output=MicroTurnOutput(index=index, say=f" word{index}"),
        tokens=(index, 7),
        trace=TurnTrace(index=index, prefill_ms=1.5),
    )


def opened(path, session_id: str = "s", token: str = "token") -> SqliteJournal:
    journal = SqliteJournal(path)
    journal.open_session(SessionRecord(session_id=session_id, seed=5, model_hash="m", settings={"a": [1, "b"]}), token)
    return journal


@pytest.fixture
def journal():
    made = opened(":memory:")
    yield made
    made.close()


def test_turns_come_back_in_order_after_a_given_one(journal):
    for start in range(0, 250, 50):
        journal.append([record(i) for i in range(start, start + 50)])
    back = list(journal.turns("s", after_turn=9))
    assert [turn.input.index for turn in back] == list(range(10, 250))
    assert back[0].tokens == (10, 7)
    assert back[0].trace == TurnTrace(index=10, prefill_ms=1.5)
    assert back[0].output.say == " word10"


def test_a_session_is_found_by_its_token_which_is_not_stored(tmp_path):
    token = new_resume_token()
    journal = opened(tmp_path / "j.db", token=token)
    found = journal.session_of_token(token)
    assert (found.session_id, found.seed, found.settings) == ("s", 5, {"a": [1, "b"]})
    journal.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert token.encode() not in stored
    with pytest.raises(JournalError, match="open a new session"):
        SqliteJournal(tmp_path / "j.db").session_of_token("guess")


def test_an_unknown_session_is_named(journal):
    with pytest.raises(JournalError, match="'nobody'"):
        journal.session("nobody")


def test_a_closed_session_keeps_its_turns(journal):
    journal.append([record(0)])
    journal.close_session("s")
    assert journal.session("s").is_closed
    assert len(list(journal.turns("s"))) == 1


def test_dropped_snapshots_are_overwritten(tmp_path):
    journal = opened(tmp_path / "j.db")
    journal.save_snapshot(Snapshot(session_id="s", turn_index=0, state=b"the state" * 1_000))
    journal.drop_snapshots("s")
    assert list(journal.snapshots("s")) == []
    journal.close()
    assert b"the state" not in (tmp_path / "j.db-snapshots").read_bytes()


def test_the_last_turn_of_a_session_is_known(journal):
    assert journal.last_turn("s") == -1
    journal.append([record(index) for index in (0, 7)])
    assert journal.last_turn("s") == 7


def test_only_the_latest_snapshots_of_each_session_are_kept(journal):
    journal.open_session(SessionRecord(session_id="t", seed=1, model_hash="m"), "other")
    for index in range(0, 500, 50):
        journal.save_snapshot(Snapshot(session_id="s", turn_index=index, state=bytes([index % 256])))
    journal.save_snapshot(Snapshot(session_id="t", turn_index=3, state=b"t"))
    assert [s.turn_index for s in journal.snapshots("s")] == [450, 400, 350][:NUM_KEPT_SNAPSHOTS]
    assert [s.state for s in journal.snapshots("t")] == [b"t"]


def test_a_corrupt_snapshot_gives_way_to_the_one_before(tmp_path):
    journal = opened(tmp_path / "j.db")
    for index in (50, 100):
        journal.save_snapshot(Snapshot(session_id="s", turn_index=index, state=b"state" * 100))
    with sqlite3.connect(tmp_path / "j.db-snapshots") as db:
        db.execute("UPDATE snapshots SET state = zeroblob(500) WHERE turn_index = 100")
    assert [s.turn_index for s in journal.snapshots("s")] == [50]


def test_a_turn_that_cannot_be_written_is_named_and_its_neighbours_are_kept(journal):
    journal.append([record(0)])
    with pytest.raises(JournalError, match="no longer holds stranger") as caught:
        journal.append([record(1), record(0, session_id="stranger"), record(2)])
    assert caught.value.session_ids == ["stranger"]
    assert [turn.input.index for turn in journal.turns("s")] == [0, 1, 2]
    with pytest.raises(JournalError):
        journal.append([record(2)])  # a turn is written once


def test_a_turn_of_a_session_that_was_never_opened_is_refused(journal):
    with pytest.raises(JournalError, match="deleted while it ran"):
        journal.append([record(0, session_id="stranger")])


def test_a_session_that_runs_while_it_is_deleted_leaves_no_snapshot(journal, monkeypatch):
    snapshot = Snapshot(session_id="s", turn_index=0, state=b"x")
    monkeypatch.setattr(time, "sleep", lambda seconds: journal.save_snapshot(snapshot))  # between two of its bits
    journal.append([record(index) for index in range(150)])
    journal.delete_session("s")
    assert list(journal.snapshots("s")) == []
    with pytest.raises(JournalError, match="no session 's'"):
        journal.save_snapshot(snapshot)
    assert list(journal.snapshots("s")) == []


def test_a_deleted_session_leaves_nothing(journal):
    journal.append([record(0)])
    journal.delete_session("s")
    assert journal.sessions() == []
    assert list(journal.turns("s")) == []


def test_a_file_of_another_kind_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "text.db").write_text("this is no database at all, but a text " * 10)
    with pytest.raises(JournalError, match="microturn journal"):
        SqliteJournal(tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(JournalError, match="another program's"):
        SqliteJournal(tmp_path / "other.db")


def test_another_schema_is_refused_with_a_remedy(tmp_path):
    opened(tmp_path / "j.db").close()
    with sqlite3.connect(tmp_path / "j.db") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(JournalError, match="schema 99"):
        SqliteJournal(tmp_path / "j.db")


def test_the_null_journal_records_nothing_and_says_so():
    journal = NullJournal()
    journal.append([record(0)])
    assert list(journal.turns("s")) == []
    with pytest.raises(JournalError, match="run with a journal"):
        journal.session("s")


def test_no_committed_turn_is_lost_when_the_process_is_killed(tmp_path):
    """The child tells of each committed turn, then is killed in the middle of its writing."""
    child = textwrap.dedent(
        """
        import sys
        sys.path.insert(0, sys.argv[2])
        from test_journal import opened, record
        journal = opened(sys.argv[1])
        for index in range(100_000):
            journal.append([record(index)])
            print(index, flush=True)
        """
    )
    here = os.path.dirname(__file__)
    process = subprocess.Popen(
        [sys.executable, "-c", child, str(tmp_path / "j.db"), here], stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if int(line) >= 20:
            process.send_signal(signal.SIGKILL)
            break
    committed = max([20, *(int(line) for line in process.stdout.read().split())])
    process.wait()
    process.stdout.close()
    journal = SqliteJournal(tmp_path / "j.db")
    indexes = [turn.input.index for turn in journal.turns("s")]
    assert indexes == list(range(len(indexes)))
    assert len(indexes) > committed
    journal.append([record(len(indexes))])
