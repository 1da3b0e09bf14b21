"""Sessions that need no clock: as fast as the machine allows, many in a batch. For files, evaluation and replay."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from microturn.engine.journal import TurnRecord
from microturn.engine.ladder import Budget, Ladder, Rung
from microturn.engine.step import Forced, RowIn, RowOut, Runner
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.trace import TurnTrace


def answer_stream(
    runner: Runner, inputs: Iterable[MicroTurnInput], *, seed: int = 0, budget: Budget | None = None
) -> Iterator[RowOut]:
    """One session, lazily: each output as soon as its input is there."""
    slot = runner.open(seed)
    try:
        for turn in inputs:
            yield runner.step([RowIn(slot=slot, input=turn)], budget or Budget())[0]
    finally:
        runner.release(slot)


def answer_sessions(
    runner: Runner,
    sessions: Sequence[Sequence[MicroTurnInput]],
    *,
    seed: int = 0,
    batch_size: int = 8,
    budget: Budget | None = None,
    restraint: float = 0.0,
    on_output: Callable[[int, MicroTurnOutput], None] = lambda number, output: None,
) -> list[list[RowOut]]:
    """Whole sessions, ``batch_size`` at a time: when one ends, the next takes its place.

    Session i has the seed ``seed + i``, so what it says does not depend on the others. ``on_output`` is told each
    session's number and output before its next input is asked for, so that an input may depend on what was answered.
    ``restraint`` is every row's (``RowIn``).
    """
    results: list[list[RowOut]] = [[] for _ in sessions]
    waiting = iter([number for number, session in enumerate(sessions) if session])
    slots: dict[int, int] = {}
    try:
        while True:
            while len(slots) < batch_size and (number := next(waiting, None)) is not None:
                slots[number] = runner.open(seed + number)
            if not slots:
                return results
            numbers = list(slots)
            rows = [RowIn(slot=slots[n], input=sessions[n][len(results[n])], restraint=restraint) for n in numbers]
            for number, result in zip(numbers, runner.step(rows, budget or Budget()), strict=True):
                results[number].append(result)
                on_output(number, result.output)
                if len(results[number]) == len(sessions[number]):
                    runner.release(slots.pop(number))
    finally:
        for slot in slots.values():
            runner.release(slot)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayedTurn:
    """A micro-turn of a recording, run again."""

    recorded: TurnRecord
    output: MicroTurnOutput
    """What was recorded, with mel and sound made anew; or another answer, see ``answer_afresh``."""
    trace: TurnTrace

    @property
    def num_deviations(self) -> int:
        """Tokens and patches that the model would not have made itself: bits that differ."""
        return self.trace.num_deviations


def replay(
    runner: Runner, turns: Iterable[TurnRecord], *, seed: int, ladder: Ladder | None = None
) -> Iterator[ReplayedTurn]:
    """Runs a recording again, step by step as it was live, with its own tokens and patches forced.

    A turn that ran under overload is given the budget of its rung on the ``ladder`` that was live (the default one
    unless given). Turns that were forced to silence when they were live are so again, and never deviate. With the same
    weights, machine, threads and batch shape as then, nothing deviates.
    """
    ladder = ladder or Ladder()
    slot = runner.open(seed)
    try:
        for turn in turns:
            budget = ladder.budget_on(Rung(turn.trace.overload_rung))
            forced = Forced(tokens=turn.tokens, output=turn.output, is_checked=True)
            if turn.trace.is_forced:
                forced = Forced()
            row = RowIn(slot=slot, input=turn.input, forced=forced, restraint=turn.trace.restraint)
            (result,) = runner.step([row], budget)
            yield ReplayedTurn(recorded=turn, output=result.output, trace=result.trace)
    finally:
        runner.release(slot)


def answer_afresh(runner: Runner, turns: Iterable[TurnRecord], *, seed: int) -> Iterator[ReplayedTurn]:
    """Gives a model the inputs of a recording, which it answers as if they came now, with time for everything."""
    slot = runner.open(seed)
    try:
        for turn in turns:
            (result,) = runner.step([RowIn(slot=slot, input=turn.input)], Budget())
            yield ReplayedTurn(recorded=turn, output=result.output, trace=result.trace)
    finally:
        runner.release(slot)
