"""The engine on a manual clock, with a model that only counts."""

from itertools import groupby

import numpy as np
import pytest
from engine_fakes import CountingRunner

from microturn.engine.core import MAX_KEPT_TEXTS, EngineCore, EngineSettings, describe
from microturn.engine.journal import Snapshot, SqliteJournal
from microturn.engine.ladder import Rung
from microturn.engine.offline import replay
from microturn.engine.rebuild import MAX_TAIL_TURNS, turns_with_origin
from microturn.errors import CapacityError, JournalError, MicroturnError, SessionClosedError
from microturn.testing.clock import ManualClock
from microturn.testing.mic import Impairment, ScriptedMic
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.video import VideoFrame


class Studio:
    """An engine, its clock, and what its sessions said."""

    def __init__(self, journal=None, runner=None, run_aside=None, **settings) -> None:
        self.gone = []
        self.clock = ManualClock(10**12)
        self.runner = runner or CountingRunner()
        self.journal = journal or SqliteJournal(":memory:")
        self.core = EngineCore(
            self.runner, self.journal, self.clock, EngineSettings(**settings), run_aside, self.gone.append
        )
        self.said: dict[str, list[str]] = {}
        self.traces = []
        self.endings = []

    def deliver_to(self, name):
        self.said.setdefault(name, [])

        def deliver(item):
            if isinstance(item, tuple):
                self.said[name].append(item[0].say.strip())
                self.traces.append(item[1])
            else:
                self.endings.append((name, item))

        return deliver

    def open(self, name="a", **options):
        return self.core.open(self.deliver_to(name), seed=0, **options)

    def push(self, session, num_turns=1, start_turn=None):
        start = session.next_sample if start_turn is None else start_turn * IN_SAMPLES_PER_TURN
        samples = np.zeros(num_turns * IN_SAMPLES_PER_TURN, np.float32)
        session.push_audio(PcmChunk(start_sample=start, samples=samples))

    def run(self, span_ms=0):
        end_ns = self.clock.now_ns() + int(span_ms * 1e6)
        while True:
            while self.core.poll():
                pass
            wake_ns = self.core.next_wake_ns()
            if wake_ns > end_ns:
                break
            self.clock.advance_to_ns(wake_ns)
        self.clock.advance_to_ns(end_ns)

    def talk(self, session, num_turns):
        """Turns in real time."""
        for _ in range(num_turns):
            self.push(session)
            self.run(200)


def test_every_session_begins_with_the_disclosure():
    studio = Studio(disclosure="you are talking to a machine")
    session = studio.open(instructions="be kind")
    studio.talk(session, 2)
    turns = list(studio.journal.turns(session.session_id))
    assert [event.script for event in turns[0].input.events] == [None, "you are talking to a machine"]
    assert not turns[1].input.events


def test_turns_are_answered_in_order():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 5)
    assert studio.said["a"] == ["1", "2", "3", "4", "5"]
    assert [trace.index for trace in studio.traces] == [0, 1, 2, 3, 4]
    assert all(trace.latency_ms == 0 and not trace.is_late for trace in studio.traces)


def test_instructions_are_the_first_thing_the_model_reads():
    studio = Studio()
    studio.talk(studio.open(instructions="Be kind."), 2)
    first, second = (batch[0].input for batch in studio.runner.batches)
    assert first.events == (TextEvent(role=Role.SYSTEM, text="Be kind."),)
    assert second.events == ()


def test_text_that_waits_for_its_turns_holds_up_more_text():
    studio = Studio()
    session = studio.open()
    session.push_text(TextEvent(role=Role.USER, text="x" * 5_000))
    studio.talk(session, 1)
    with pytest.raises(CapacityError, match="4968 tokens of earlier texts"):
        session.push_text(TextEvent(role=Role.USER, text="more"))
    studio.talk(session, 30)
    session.push_text(TextEvent(role=Role.USER, text="more"))


def test_an_output_is_in_the_journal_before_it_is_released():
    studio = Studio()
    seen = []

    def deliver(item):
        seen.append(len(list(studio.journal.turns(session.session_id))))

    session = studio.core.open(deliver, seed=0)
    studio.talk(session, 3)
    assert seen == [1, 2, 3]


def test_what_cannot_be_journaled_is_not_released():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 1)

    def fail(turns):
        raise JournalError("disk full: free disk space")

    studio.journal.append = fail
    studio.talk(session, 1)
    assert studio.said["a"] == ["1"]
    assert isinstance(studio.endings[0][1], JournalError)
    assert studio.core.sessions == {}
    assert studio.runner.heard == {}


def test_a_row_that_fails_ends_its_session_and_no_other():
    studio = Studio()
    good, bad = studio.open("good"), studio.open("bad")

    def on_step(rows):
        if any(row.slot == bad.slot for row in rows):
            raise ValueError("poison")

    studio.talk(good, 1)
    studio.runner.on_step = on_step
    studio.push(bad)
    studio.talk(good, 3)
    assert studio.said["good"] == ["1", "2", "3", "4"]
    ((name, error),) = studio.endings
    assert name == "bad"
    assert isinstance(error, MicroturnError)
    with pytest.raises(SessionClosedError, match="resume it by its token"):
        studio.push(bad, start_turn=1)


def test_a_short_stall_is_made_up_with_forced_silence():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 2)
    studio.run(3_000)
    studio.push(session, 15)
    studio.run(0)
    studio.talk(session, 2)
    assert studio.said["a"] == ["1", "2", *[""] * 13, "16", "17", "18", "19"]
    assert describe(studio.core)["num_forced_turns"] == 13


def test_a_long_stall_leaves_one_gap_turn():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 1)
    studio.run(30_000)
    for turn in range(1, 151, 5):
        studio.push(session, 5, start_turn=turn)
    studio.run(400)
    turns = [batch[0].input for batch in studio.runner.batches]
    assert [t.gap_turns for t in turns if t.gap_turns] == [125]
    assert turns[-1].index == 150
    assert len(turns) == 1 + 1 + 25


def test_a_lossy_session_keeps_time_without_its_sound():
    studio = Studio()
    session = studio.open(is_lossy=True)
    studio.talk(session, 2)
    studio.run(1_000)
    turns = [batch[0].input for batch in studio.runner.batches]
    assert [t.index for t in turns] == list(range(7))
    assert [t.num_missing_samples for t in turns] == [0, 0, *[3200] * 5]


def test_a_reliable_session_makes_no_turns_up():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 2)
    studio.run(1_000)
    assert len(studio.runner.batches) == 2


@pytest.mark.parametrize("is_lossy", [True, False])
def test_loss_jitter_and_a_stall_leave_no_growing_delay(is_lossy):
    studio = Studio()
    session = studio.open(is_lossy=is_lossy)
    loss = 0.1 if is_lossy else 0.0
    impairment = Impairment(loss=loss, jitter_ms=200 if is_lossy else 0, stall_at_ms=4_000, stall_ms=3_000)
    mic = ScriptedMic(np.ones(16_000 * 20, np.float32), impairment=impairment)
    start_ns = studio.clock.now_ns()
    while mic.next_ns is not None:
        studio.run((start_ns + mic.next_ns - studio.clock.now_ns()) / 1e6)
        for chunk in mic.take(studio.clock.now_ns() - start_ns):
            session.push_audio(chunk)
    studio.run(300)
    assert abs(studio.traces[-1].index - 99) <= 2
    indexes = [batch[0].input.index for batch in studio.runner.batches]
    assert indexes == list(range(len(indexes)))


def test_many_sessions_share_batches_and_none_hears_another():
    studio = Studio(runner=CountingRunner(num_slots=16))
    sessions = {f"s{i}": studio.open(f"s{i}") for i in range(8)}
    for turn in range(5):
        for name, session in sessions.items():
            if turn >= int(name[1]) % 3:
                studio.push(session)
        studio.run(200)
    for name in sessions:
        num = 5 - int(name[1]) % 3
        assert studio.said[name] == [str(i + 1) for i in range(num)]
    assert max(len(batch) for batch in studio.runner.batches) > 1


def test_a_slow_step_is_late_and_counted():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 1)
    studio.runner.on_step = lambda rows: studio.clock.advance_ms(150)
    studio.talk(session, 1)
    assert studio.traces[-1].is_late
    assert studio.traces[-1].latency_ms == 150
    assert describe(studio.core)["num_missed_deadlines"] == 1


def test_overload_is_visible_sheds_frames_and_passes():
    studio = Studio()
    session = studio.open()
    session.push_frame(VideoFrame(time_ms=0, pixels=np.zeros((2, 2, 3), np.uint8)))
    studio.runner.on_step = lambda rows: studio.clock.advance_ms(195)
    for turn in range(60):
        session.push_frame(VideoFrame(time_ms=turn * 200, pixels=np.zeros((2, 2, 3), np.uint8)))
        studio.push(session)
        studio.run(5)
    assert studio.traces[-1].overload_rung == Rung.NO_NEW_SESSIONS
    assert studio.runner.budgets[-1].num_flow_steps < studio.runner.budgets[0].num_flow_steps
    with_frames = [bool(batch[0].input.frames) for batch in studio.runner.batches[-10:]]
    assert 4 <= sum(with_frames) <= 6
    with pytest.raises(CapacityError, match="overload step 4"):
        studio.open("b")
    studio.runner.on_step = lambda rows: None
    studio.talk(session, 200)
    rungs = [trace.overload_rung for trace in studio.traces]
    assert [rung for rung, _ in groupby(rungs)] == [0, 1, 2, 3, 4, 3, 2, 1, 0]  # one step at a time, and all of it back
    assert describe(studio.core)["overload_climbs"]["no_new_sessions"] == 1


def test_a_replay_of_overload_gives_each_turn_the_budget_that_it_ran_on():
    studio = Studio()
    session = studio.open()
    studio.runner.on_step = lambda rows: studio.clock.advance_ms(195)
    studio.talk(session, 60)
    studio.runner.on_step = lambda rows: None
    studio.talk(session, 100)
    turns = list(studio.journal.turns(session.session_id))
    assert len({turn.trace.overload_rung for turn in turns}) > 2
    again = CountingRunner()
    list(replay(again, turns, seed=0))
    assert again.budgets == studio.runner.budgets


def test_a_full_engine_refuses_and_is_left_as_it_was():
    studio = Studio(runner=CountingRunner(num_slots=1))
    session = studio.open()
    with pytest.raises(CapacityError):
        studio.open("b")
    assert len(studio.core.scheduler) == 1
    studio.core.close(session)
    studio.core.close(session)
    studio.open("b")


def test_a_parked_session_goes_on_in_memory_and_knows_of_the_gap():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 3)
    studio.core.park(session)
    assert studio.endings == [("a", None)]
    studio.run(10_000)
    again = studio.core.resume(session.resume_token, studio.deliver_to("again"))
    assert again.next_sample == (3 + 50) * IN_SAMPLES_PER_TURN
    studio.talk(again, 2)
    assert studio.said["again"][-1] == "6"
    gap = studio.runner.batches[3][0].input
    assert (gap.index, gap.gap_turns) == (52, 50)
    with pytest.raises(SessionClosedError):
        studio.push(session)


def test_a_second_client_takes_a_session_over_and_the_first_one_ends():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 2)
    again = studio.core.resume(session.resume_token, studio.deliver_to("again"))
    assert studio.endings == [("a", None)]
    studio.core.close(session)  # the first client's farewell does not close the second's
    studio.talk(again, 1)
    assert studio.said["again"] == ["3"]


def test_a_session_that_is_taken_over_keeps_its_place_whatever_the_load():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 2)
    studio.core.scheduler.ladder.rung = Rung.NO_NEW_SESSIONS
    again = studio.core.resume(session.resume_token, studio.deliver_to("again"))
    studio.core.close(session)
    studio.talk(again, 1)
    assert studio.said["again"] == ["3"]


def test_text_that_no_turn_has_taken_waits_for_the_client_that_comes_back():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 2)
    session.push_text(TextEvent(role=Role.TOOL, text="1 done: it rains"))
    studio.core.park(session)
    studio.run(1_000)
    again = studio.core.resume(session.resume_token, studio.deliver_to("again"))
    studio.talk(again, 2)
    texts = [event.text for batch in studio.runner.batches[2:] for event in batch[0].input.events]
    assert texts == ["1 done: it rains"]


def test_a_session_has_gone_when_it_was_closed_or_its_client_did_not_come_back():
    studio = Studio(park_ms=1_000)
    closed, parked, running = (studio.open(name) for name in ("closed", "parked", "running"))
    studio.core.close(closed)
    studio.core.park(parked)
    studio.run(500)
    assert studio.gone == [closed.session_id]
    studio.run(1_000)
    assert studio.gone == [closed.session_id, parked.session_id]
    studio.core.resume(parked.resume_token, studio.deliver_to("again"))
    studio.core.close(studio.core.sessions[parked.session_id])
    assert studio.gone == [closed.session_id, parked.session_id, parked.session_id]
    assert set(studio.core.sessions) == {running.session_id}


def texts_read(studio) -> list[str]:
    return [event.text for batch in studio.runner.batches for event in batch[0].input.events]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("is_forked", [False, True])
def test_what_a_session_began_with_is_read_by_the_client_that_comes_back_before_its_first_turn(
    tmp_path, is_restarted, is_forked
):
    options = {"disclosure": "a machine speaks", "park_ms": 1_000}
    studio = Studio(SqliteJournal(tmp_path / "j.db"), **options)
    session = studio.open(instructions="be kind")
    if is_forked:
        session = studio.core.fork(session.resume_token, studio.deliver_to("fork"))
    studio.core.park(session)
    studio.run(2_000)
    if is_restarted:
        studio = Studio(SqliteJournal(tmp_path / "j.db"), **options)
    again = studio.core.resume(session.resume_token, studio.deliver_to("again"))
    studio.talk(again, 2)
    assert texts_read(studio) == ["be kind", "say: a machine speaks"]
    other = Studio(SqliteJournal(tmp_path / "j.db"), **options)
    other.talk(other.core.resume(session.resume_token, other.deliver_to("other")), 1)
    assert other.runner.batches[-1][0].input.events == ()  # they were read: not a second time


def test_a_fork_of_a_session_that_had_no_turn_begins_with_its_texts(tmp_path):
    session = Studio(SqliteJournal(tmp_path / "j.db")).open(instructions="be kind")
    studio = Studio(SqliteJournal(tmp_path / "j.db"))
    studio.talk(studio.core.fork(session.resume_token, studio.deliver_to("fork")), 1)
    assert texts_read(studio) == ["be kind"]


def test_text_that_no_turn_has_taken_outlives_the_state_in_memory():
    studio = Studio(park_ms=1_000)
    session = studio.open(instructions="be kind")
    studio.talk(session, 2)
    session.push_text(TextEvent(role=Role.TOOL, text="1 done: it rains"))
    studio.core.park(session)
    studio.run(2_000)
    assert studio.core.sessions == {}
    for _ in range(2):
        again = studio.core.resume(session.resume_token, studio.deliver_to("again"))
        studio.talk(again, 2)
        studio.core.park(again)
        studio.run(2_000)
    assert texts_read(studio) == ["be kind", "1 done: it rains"]


def test_texts_are_kept_of_so_many_sessions_only():
    studio = Studio(park_ms=100)
    tokens = []
    for _ in range(MAX_KEPT_TEXTS + 1):
        session = studio.open()
        studio.talk(session, 1)
        session.push_text(TextEvent(role=Role.USER, text="wait"))
        studio.core.park(session)
        studio.run(400)
        tokens.append(session.resume_token)
    studio.runner.batches.clear()
    studio.talk(studio.core.resume(tokens[0], studio.deliver_to("first")), 1)
    assert texts_read(studio) == []
    studio.talk(studio.core.resume(tokens[-1], studio.deliver_to("last")), 1)
    assert texts_read(studio) == ["wait"]


def test_a_recording_that_is_deleted_while_it_runs_ends_that_session_alone():
    studio = Studio()
    first, second = studio.open("a"), studio.open("b")
    for _ in range(2):
        studio.push(first)
        studio.push(second)
        studio.run(200)
    studio.journal.delete_session(first.session_id)
    studio.push(first)
    studio.push(second)
    studio.run(200)
    assert [name for name, _ in studio.endings] == ["a"]
    assert studio.said["b"] == ["1", "2", "3"]


def test_a_parked_session_makes_room_for_a_new_one_and_comes_back_from_the_journal():
    studio = Studio(runner=CountingRunner(num_slots=1))
    session = studio.open()
    studio.talk(session, 3)
    studio.core.park(session)
    other = studio.open("b")
    assert list(studio.core.sessions) == [other.session_id]
    studio.core.close(other)
    again = studio.core.resume(session.resume_token, studio.deliver_to("again"))
    studio.talk(again, 1)
    assert studio.said["again"] == ["4"]


def test_parked_sessions_leave_memory_after_their_time():
    studio = Studio(park_ms=1_000)
    session = studio.open()
    studio.talk(session, 1)
    studio.core.park(session)
    studio.run(1_300)
    assert studio.core.sessions == {}
    assert studio.runner.heard == {}


@pytest.mark.parametrize("num_turns", [0, 3, 10, 37])
def test_a_killed_engine_is_resumed_from_snapshot_and_tail(tmp_path, num_turns):
    studio = Studio(SqliteJournal(tmp_path / "j.db"), snapshot_every_turns=10)
    session = studio.open()
    studio.talk(session, num_turns)
    # No farewell: another engine opens the same file.
    other = Studio(SqliteJournal(tmp_path / "j.db"), snapshot_every_turns=10)
    again = other.core.resume(session.resume_token, other.deliver_to("a"))
    assert len(other.runner.batches) == num_turns % 10
    other.talk(again, 2)
    assert other.said["a"] == [str(num_turns + 1), str(num_turns + 2)]
    turns = list(other.journal.turns(session.session_id))
    assert [turn.input.index for turn in turns] == list(range(num_turns + 2))


def test_without_a_good_snapshot_the_whole_journal_is_run(tmp_path):
    studio = Studio(SqliteJournal(tmp_path / "j.db"), snapshot_every_turns=10)
    session = studio.open()
    studio.talk(session, 25)
    other = Studio(SqliteJournal(tmp_path / "j.db"))
    whole = other.runner.restore

    def restore(state, seed):
        if json_value(state) == 20:
            raise ValueError("torn")
        return whole(state, seed)

    def json_value(state):
        return int(state)

    other.runner.restore = restore
    again = other.core.resume(session.resume_token, other.deliver_to("a"))
    assert len(other.runner.batches) == 15
    other.talk(again, 1)
    assert other.said["a"] == ["26"]


def test_a_tail_too_long_to_run_again_is_refused_with_the_remedy(tmp_path):
    studio = Studio(SqliteJournal(tmp_path / "j.db"), snapshot_every_turns=10**6)
    session = studio.open()
    studio.talk(session, MAX_TAIL_TURNS)
    other = Studio(SqliteJournal(tmp_path / "j.db"), snapshot_every_turns=10**6)
    other.talk(other.core.resume(session.resume_token, other.deliver_to("a")), 1)
    assert other.said["a"] == [str(MAX_TAIL_TURNS + 1)]
    third = Studio(SqliteJournal(tmp_path / "j.db"))
    with pytest.raises(JournalError, match="open a new one"):
        third.core.resume(session.resume_token, third.deliver_to("a"))
    assert (third.runner.batches, third.runner.heard, len(third.core.scheduler)) == ([], {}, 0)


@pytest.mark.parametrize("num_own_turns", [0, 2])
def test_a_snapshot_that_is_newer_than_the_journal_is_left_alone(tmp_path, num_own_turns):
    studio = Studio(SqliteJournal(tmp_path / "j.db"))
    session = studio.open()
    studio.talk(session, 3)
    session = studio.core.fork(session.resume_token, studio.deliver_to("fork"))
    studio.talk(session, num_own_turns)
    studio.journal.save_snapshot(Snapshot(session_id=session.session_id, turn_index=2 + num_own_turns + 5, state=b"99"))
    other = Studio(SqliteJournal(tmp_path / "j.db"))
    other.talk(other.core.resume(session.resume_token, other.deliver_to("a")), 1)
    assert other.said["a"] == [str(3 + num_own_turns + 1)]


def test_a_fork_goes_on_from_where_the_other_stands_and_leaves_it_alone():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 3)
    session.push_text(TextEvent(role=Role.USER, text="not read yet"))
    fork = studio.core.fork(session.resume_token, studio.deliver_to("fork"))
    assert (fork.next_sample, fork.resume_token != session.resume_token) == (3 * IN_SAMPLES_PER_TURN, True)
    studio.talk(fork, 2)
    studio.talk(session, 1)
    assert (studio.said["fork"], studio.said["a"]) == (["4", "5"], ["1", "2", "3", "4"])
    assert studio.runner.batches[3][0].input.events[0].text == "not read yet"


def test_a_fork_of_a_parked_session_takes_its_place_when_there_is_no_other():
    studio = Studio(runner=CountingRunner(num_slots=1))
    session = studio.open()
    studio.talk(session, 3)
    studio.core.park(session)
    fork = studio.core.fork(session.resume_token, studio.deliver_to("fork"))
    studio.talk(fork, 1)
    assert studio.said["fork"] == ["4"]


@pytest.mark.parametrize("is_torn", [False, True])
def test_a_fork_of_a_fork_survives_the_process_with_its_own_story(tmp_path, is_torn):
    studio = Studio(SqliteJournal(tmp_path / "j.db"))
    first = studio.open("first")
    studio.talk(first, 4)
    second = studio.core.fork(first.resume_token, studio.deliver_to("second"))
    studio.talk(first, 5)
    studio.talk(second, 3)
    third = studio.core.fork(second.resume_token, studio.deliver_to("third"))
    studio.talk(third, 2)
    other = Studio(SqliteJournal(tmp_path / "j.db"))
    if is_torn:  # no snapshot loads: the journal of all three is what is left
        other.runner.restore = lambda state, seed: int("torn")
    again = other.core.resume(third.resume_token, other.deliver_to("third"))
    assert len(other.runner.batches) == (4 + 3 + 2 if is_torn else 2)
    other.talk(again, 1)
    assert other.said["third"] == ["10"]
    record = other.journal.session(third.session_id)
    assert [turn.input.index for turn in turns_with_origin(other.journal, record)] == list(range(10))


def test_resuming_is_refused_with_the_reason():
    studio = Studio()
    session = studio.open()
    studio.talk(session, 1)
    with pytest.raises(JournalError, match="open a new session"):
        studio.core.resume("nonsense", studio.deliver_to("x"))
    for call in (studio.core.resume, studio.core.fork):
        with pytest.raises(JournalError, match="open a new session"):
            call("töken", studio.deliver_to("x"))
    studio.core.close(session)
    with pytest.raises(JournalError, match="was closed"):
        studio.core.resume(session.resume_token, studio.deliver_to("x"))
    session = studio.open("b")
    other = Studio(studio.journal, CountingRunner(model_hash="another"))
    with pytest.raises(JournalError, match="recorded with model counting"):
        other.core.resume(session.resume_token, other.deliver_to("x"))
    assert len(other.core.scheduler) == 0


@pytest.mark.parametrize("error", [JournalError("disk full"), MemoryError("no room for a copy")])
def test_a_snapshot_that_cannot_be_written_does_not_stop_the_session_and_is_logged(error, caplog):
    studio = Studio(snapshot_every_turns=2)
    session = studio.open()

    def fail(snapshot):
        raise error

    studio.journal.save_snapshot = fail
    studio.talk(session, 5)
    assert studio.said["a"] == ["1", "2", "3", "4", "5"]
    assert describe(studio.core)["num_failed_snapshots"] == 2
    assert caplog.messages == ["snapshots not written"] * 2
    assert [record.fields["session"] for record in caplog.records] == [session.session_id] * 2
    assert not [record for record in caplog.records if record.exc_info or str(error) in str(record.fields)]


def test_no_more_snapshots_wait_than_one_of_a_session_that_runs_and_one_of_its_farewell():
    aside = []
    studio = Studio(run_aside=aside.append, snapshot_every_turns=2)
    session = studio.open()
    studio.talk(session, 20)
    assert len(aside) == 1
    for _ in range(3):
        studio.core.park(session)
        session = studio.core.resume(session.resume_token, studio.deliver_to("a"))
        studio.talk(session, 2)
    assert len(aside) == 2
    while aside:
        aside.pop(0)()
    studio.talk(session, 1)
    assert len(aside) == 1


def test_closing_drops_the_snapshots_aside_and_after_those_that_wait():
    aside = []
    studio = Studio(run_aside=aside.append, snapshot_every_turns=2)
    session = studio.open()
    studio.talk(session, 2)
    aside.pop()()
    studio.talk(session, 2)
    assert len(list(studio.journal.snapshots(session.session_id))) == 1
    studio.core.close(session)
    assert studio.journal.session(session.session_id).is_closed
    assert len(list(studio.journal.snapshots(session.session_id))) == 1
    while aside:
        aside.pop(0)()
    assert list(studio.journal.snapshots(session.session_id)) == []
