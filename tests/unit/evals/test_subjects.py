"""Whoever is evaluated answers every micro-turn of every session."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from microturn.engine.ladder import Budget
from microturn.engine.step import RowIn, RowOut
from microturn.errors import CheckpointError
from microturn.evals.command import bench_engine_command, eval_command, subject_of
from microturn.evals.engine_subject import EngineSubject
from microturn.evals.subject import AlwaysTalking, Silent
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace


def session(num_turns: int, level: float = 0.0) -> list[MicroTurnInput]:
    sound = np.full(IN_SAMPLES_PER_TURN, level, np.float32)
    return [MicroTurnInput(index=k, audio=sound) for k in range(num_turns)]


class Echo:
    """A runner that says how loud it was, and fails where the sound is too loud."""

    model_hash = "echo"

    def __init__(self) -> None:
        self.open_slots: set[int] = set()
        self.batch_sizes: list[int] = []

    def open(self, seed: int) -> int:
        slot = len(self.open_slots)
        self.open_slots.add(slot)
        return slot

    def release(self, slot: int) -> None:
        self.open_slots.remove(slot)

    def step(self, rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        self.batch_sizes.append(len(rows))
        if any(row.input.audio[0] > 1 for row in rows):
            raise RuntimeError("too loud")
        return [
            RowOut(
                output=MicroTurnOutput(index=row.input.index, say=f" {row.input.audio[0]:.1f}"),
                tokens=(),
                trace=TurnTrace(index=row.input.index),
            )
            for row in rows
        ]


def test_sessions_of_unlike_length_are_answered_side_by_side() -> None:
    runner = Echo()
    answers = EngineSubject(runner, "echo").answer([session(2, 0.1), session(4, 0.2), session(0), session(3, 0.3)])
    assert [len(outputs) for outputs in answers] == [2, 4, 0, 3]
    assert [outputs[-1].say for outputs in answers if outputs] == [" 0.1", " 0.2", " 0.3"]
    assert runner.batch_sizes == [3, 3, 2, 1], "the empty one takes no part"
    assert not runner.open_slots


def test_slots_are_given_back_when_the_model_fails() -> None:
    runner = Echo()
    with pytest.raises(RuntimeError, match="too loud"):
        EngineSubject(runner, "echo").answer([session(2), session(2, 3.0)])
    assert not runner.open_slots


@pytest.mark.parametrize("control", [Silent(), AlwaysTalking()])
def test_controls_answer_every_turn(control: Silent | AlwaysTalking) -> None:
    answers = control.answer([session(3), session(5)])
    assert [[output.index for output in outputs] for outputs in answers] == [[0, 1, 2], [0, 1, 2, 3, 4]]
    assert {output.is_speaking for outputs in answers for output in outputs} == {control.name == "always-talking"}


def test_controls_go_by_name() -> None:
    assert subject_of("silent").name == "silent"
    assert subject_of("always-talking").name == "always-talking"


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a complete checkpoint"):
        subject_of(str(tmp_path))


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="--limit 0"):
        eval_command(["time"], model="silent", limit=0)
    with pytest.raises(ValueError, match="no suite is named"):
        eval_command([], model="silent")
    with pytest.raises(ValueError, match="too few to time"):
        bench_engine_command(num_turns=3)
