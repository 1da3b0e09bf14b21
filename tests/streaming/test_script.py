"""A script is said word for word, by a model that would say anything else, through snapshots, silence and a journal."""

import numpy as np
import pytest

from microturn.engine.journal import SessionRecord, SqliteJournal, TurnRecord
from microturn.engine.ladder import Budget
from microturn.engine.rebuild import rebuild
from microturn.engine.runner import Checkpoint, ModelRunner, RunnerSettings
from microturn.engine.script import MAX_ENDING_TURNS, MAX_WAITED_TURNS, Script
from microturn.engine.step import Forced, RowIn, RowOut
from microturn.testing.tiny_model import tiny_parts
from microturn.turns.micro_turn import MicroTurnInput, TextEvent, scripted
from microturn.turns.timing import IN_SAMPLES_PER_TURN

PARTS = tiny_parts(seed=3)
BUDGET = Budget(num_flow_steps=2)
WORDS = "hello one two three four"
SOUND = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
LONGEST_TURNS = 400


def new_runner() -> ModelRunner:
    checkpoint = Checkpoint(
        model=PARTS.model,
        tokenizer=PARTS.tokenizer,
        statistics=PARTS.statistics,
        vocoder=PARTS.vocoder,
        model_hash="tiny",
    )
    return ModelRunner(checkpoint, RunnerSettings(num_slots=2, frame_width=80, frame_height=40))


def turn(index: int, *events: TextEvent) -> MicroTurnInput:
    return MicroTurnInput(index=index, audio=SOUND, events=events)


def step(runner: ModelRunner, slot: int, given: MicroTurnInput, forced: Forced | None = None) -> RowOut:
    return runner.step([RowIn(slot=slot, input=given, forced=forced)], BUDGET)[0]


def until_over(runner: ModelRunner, slot: int, results: list[RowOut]) -> str:
    """Goes on until the script is over. Returns the words said since the first of the results."""
    while runner.pool[slot].script:
        results.append(step(runner, slot, turn(results[-1].output.index + 1)))
        assert len(results) < LONGEST_TURNS
    return "".join(result.output.say for result in results).strip()


@pytest.mark.parametrize("seed", range(6))
def test_nothing_else_is_said_or_written_until_it_is_over(seed: int) -> None:
    runner = new_runner()
    slot = runner.open(seed)
    results = [step(runner, slot, turn(0, scripted(WORDS)))]
    assert until_over(runner, slot, results) == WORDS
    assert results[0].output.say
    assert all(result.output.is_speaking for result in results[:-1])
    assert not any(result.output.pieces or result.output.is_clear for result in results)
    waits = [bool(result.output.say) for result in results]
    assert f"{[False] * (MAX_WAITED_TURNS + 1)}"[1:-1] not in f"{waits[: max(np.flatnonzero(waits))]}"


def test_a_long_text_is_read_whole_before_it_is_said() -> None:
    runner = new_runner()
    slot, long = runner.open(0), " ".join([WORDS] * 3)
    results = [step(runner, slot, turn(0, scripted(long)))]
    assert not runner.pool[slot].script
    while not runner.pool[slot].script:
        results = [step(runner, slot, turn(results[-1].output.index + 1))]
    assert until_over(runner, slot, results) == long


def test_a_second_script_waits_for_the_first() -> None:
    runner = new_runner()
    slot = runner.open(1)
    results = [step(runner, slot, turn(0, scripted("one two"))), step(runner, slot, turn(1, scripted("three")))]
    assert until_over(runner, slot, results) == "one two three"


def test_a_turn_that_is_silenced_loses_no_word() -> None:
    runner = new_runner()
    slot = runner.open(2)
    results = [step(runner, slot, turn(0, scripted(WORDS))), step(runner, slot, turn(1), Forced())]
    assert not results[1].output.say
    assert until_over(runner, slot, results) == WORDS


def test_a_snapshot_in_the_middle_goes_on_where_it_stood() -> None:
    runner, other = new_runner(), new_runner()
    slot = runner.open(0)
    results = [step(runner, slot, turn(0, scripted(WORDS), scripted(WORDS), scripted(WORDS)))]
    assert runner.pool[slot].events.scripts
    for index in range(1, 5):
        results.append(step(runner, slot, turn(index)))
    copy = other.restore(runner.capture(slot)(), 0)
    assert (other.pool[copy].script, other.pool[copy].events) == (runner.pool[slot].script, runner.pool[slot].events)
    assert until_over(other, copy, list(results)) == until_over(runner, slot, results) == " ".join([WORDS] * 3)


def test_a_session_that_is_rebuilt_from_its_journal_says_the_rest() -> None:
    runner, journal = new_runner(), SqliteJournal(":memory:")
    journal.open_session(SessionRecord(session_id="s", seed=0, model_hash="tiny"), "token")
    slot = runner.open(0)
    results: list[RowOut] = []
    for index in range(4):
        given = turn(index, scripted(WORDS)) if index == 0 else turn(index)
        done = step(runner, slot, given)
        results.append(done)
        record = TurnRecord(session_id="s", input=given, output=done.output, tokens=done.tokens, trace=done.trace)
        journal.append([record])
    assert runner.pool[slot].script.tokens
    again = new_runner()
    rebuilt = rebuild(again, journal, journal.session("s"), BUDGET)
    assert again.pool[rebuilt.slot].script == runner.pool[slot].script
    assert until_over(again, rebuilt.slot, results) == WORDS
    assert next(iter(journal.texts("s")))[0] == (scripted(WORDS),)


def test_a_script_without_words_leaves_the_model_free() -> None:
    runner = new_runner()
    slot = runner.open(0)
    step(runner, slot, turn(0, TextEvent(role=scripted("x").role, text="say: ", script="")))
    assert not runner.pool[slot].script.tokens


def test_a_last_word_that_rings_for_ever_is_let_go() -> None:
    script = Script((5,), has_begun=True)
    script = script.after_turn(1, is_speaking=True)
    for _ in range(MAX_ENDING_TURNS - 1):
        script = script.after_turn(0, is_speaking=True)
        assert script
    assert not script.after_turn(0, is_speaking=True)


def test_who_has_no_script_has_none_after_speaking() -> None:
    assert not Script().after_turn(3, is_speaking=True)
