"""A model on this machine as a subject: the engine's runner, many sessions in a batch, faster than real time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from microturn.engine.ladder import Budget
from microturn.engine.loading import load_checkpoint, nano_folder
from microturn.engine.offline import answer_sessions
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.engine.step import Runner
from microturn.engine.voice import Voice
from microturn.errors import CheckpointError
from microturn.evals.echo import EchoedSession
from microturn.evals.subject import BATCH_SESSIONS, Session
from microturn.features.vocoder import Vocoder
from microturn.turns.micro_turn import MicroTurnOutput


class EngineSubject:
    """Sessions run side by side, turn by turn; each is independent of its neighbours (see the streaming tests)."""

    is_sighted = True

    def __init__(
        self, runner: Runner, name: str, *, vocoder: Vocoder | None = None, budget: Budget | None = None
    ) -> None:
        """``runner`` needs a free slot for each session that is answered at once."""
        self.name = name
        self._runner = runner
        self._vocoder = vocoder
        self._budget = budget

    @classmethod
    def load(cls, folder: Path | None = None) -> "EngineSubject":
        """The model of a checkpoint folder, nano unless one is given. Raises CheckpointError."""
        folder = folder or nano_folder()
        checkpoint = load_checkpoint(folder)
        runner = ModelRunner(checkpoint, RunnerSettings(num_slots=BATCH_SESSIONS))
        return cls(runner, f"{folder.name} {runner.model_hash}", vocoder=checkpoint.vocoder)

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        def play_back(number: int, output: MicroTurnOutput) -> None:
            session = sessions[number]
            if isinstance(session, EchoedSession):
                session.answered(output)

        answers = answer_sessions(
            self._runner, sessions, batch_size=BATCH_SESSIONS, budget=self._budget, on_output=play_back
        )
        return [[row.output for row in rows] for rows in answers]

    def give_sound(self, outputs: Sequence[MicroTurnOutput]) -> list[MicroTurnOutput]:
        """The same reply with samples that the model's own vocoder makes of its mel."""
        if self._vocoder is None:
            raise CheckpointError(f"{self.name} has no vocoder: give a checkpoint that has one")
        voice, state, sounding = Voice(self._vocoder), None, list[MicroTurnOutput]()
        for output in outputs:
            ((audio, state),) = voice.speak([(output.mel, state)])
            sounding.append(replace(output, audio=audio))
        return sounding
