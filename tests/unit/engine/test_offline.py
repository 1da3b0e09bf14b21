"""Sessions without a clock: each on its own, in whatever batch; slots are given back whatever happens."""

import numpy as np
import pytest
from engine_fakes import CountingRunner

from microturn.engine.journal import TurnRecord
from microturn.engine.ladder import Ladder, Rung
from microturn.engine.offline import answer_sessions, answer_stream, replay
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace


def session(num_turns: int) -> list[MicroTurnInput]:
    return [MicroTurnInput(index=k, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32)) for k in range(num_turns)]


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_sessions_of_any_length_are_answered_whole(batch_size):
    runner = CountingRunner(num_slots=4)
    lengths = [3, 0, 5, 1, 2]
    results = answer_sessions(runner, [session(n) for n in lengths], batch_size=batch_size)
    assert [[r.output.say for r in rows] for rows in results] == [[f" {i + 1}" for i in range(n)] for n in lengths]
    assert max(len(batch) for batch in runner.batches) == min(batch_size, 4)
    assert runner.heard == {}


def test_a_stream_is_lazy_and_gives_its_slot_back():
    runner = CountingRunner()
    stream = answer_stream(runner, iter(session(5)))
    assert next(stream).output.say == " 1"
    assert len(runner.batches) == 1
    stream.close()
    assert runner.heard == {}


def test_a_failure_gives_every_slot_back():
    def fail(rows):
        raise ValueError("poison")

    runner = CountingRunner(on_step=fail)
    with pytest.raises(ValueError, match="poison"):
        answer_sessions(runner, [session(2), session(2)])
    assert runner.heard == {}


def test_a_replay_forces_what_was_recorded():
    runner = CountingRunner()
    turns = [
        TurnRecord(
            session_id="s",
            input=turn,
            output=MicroTurnOutput(index=turn.index, say=" recorded"),
            tokens=(),
            trace=TurnTrace(index=turn.index, is_forced=turn.index == 1),
        )
        for turn in session(3)
    ]
    replayed = list(replay(runner, turns, seed=0))
    assert [r.output.say for r in replayed] == [" recorded", "", " recorded"]
    assert [batch[0].forced.is_checked for batch in runner.batches] == [True, False, True]
    assert runner.heard == {}


def test_a_replay_gives_each_turn_the_budget_that_it_had():
    """A live session under overload once deviated in replay: its patches had been made in fewer flow steps."""
    runner = CountingRunner()
    rungs = [Rung.EVERYTHING, Rung.FEWER_FLOW_STEPS, Rung.SMALLER_TEXT_CAP]
    turns = [
        TurnRecord(
            session_id="s",
            input=turn,
            output=MicroTurnOutput(index=turn.index),
            tokens=(),
            trace=TurnTrace(index=turn.index, overload_rung=rung),
        )
        for turn, rung in zip(session(3), rungs, strict=True)
    ]
    list(replay(runner, turns, seed=0))
    assert runner.budgets == [Ladder().budget_on(rung) for rung in rungs]
    assert runner.budgets[1].num_flow_steps < runner.budgets[0].num_flow_steps
    assert [budget.is_guided for budget in runner.budgets] == [True, False, True]
