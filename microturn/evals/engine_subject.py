"""A model on this machine as a subject: the engine's runner, many sessions in a batch, faster than real time."""

from collections.abc import Sequence
from pathlib import Path

from microturn.engine.core import RowIn, Runner
from microturn.engine.ladder import Budget
from microturn.engine.loading import load_checkpoint, nano_folder
from microturn.engine.runner import ModelRunner
from microturn.evals.subject import Session
from microturn.turns.micro_turn import MicroTurnOutput


class EngineSubject:
    """Sessions run side by side, turn by turn; each is independent of its neighbours (see the streaming tests)."""

    def __init__(self, runner: Runner, name: str, budget: Budget | None = None) -> None:
        """``runner`` needs a free slot for each session that is answered at once."""
        self.name = name
        self._runner = runner
        self._budget = budget or Budget()

    @classmethod
    def load(cls, folder: Path | None = None) -> "EngineSubject":
        """The model of a checkpoint folder, nano unless one is given. Raises CheckpointError."""
        folder = folder or nano_folder()
        runner = ModelRunner(load_checkpoint(folder))
        return cls(runner, f"{folder.name} {runner.model_hash}")

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        slots = [self._runner.open(seed=0) for _ in sessions]
        outputs: list[list[MicroTurnOutput]] = [[] for _ in sessions]
        try:
            for k in range(max(map(len, sessions), default=0)):
                going = [i for i, session in enumerate(sessions) if k < len(session)]
                rows = [RowIn(slot=slots[i], input=sessions[i][k]) for i in going]
                for i, row in zip(going, self._runner.step(rows, self._budget), strict=True):
                    outputs[i].append(row.output)
        finally:
            for slot in slots:
                self._runner.release(slot)
        return outputs
