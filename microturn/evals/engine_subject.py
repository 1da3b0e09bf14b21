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
        self,
        runner: Runner,
        name: str,
        *,
        vocoder: Vocoder | None = None,
        budget: Budget | None = None,
        restraint: float = 0.0,
    ) -> None:
        """``runner`` needs a free slot for each session that is answered at once. ``restraint``: see ``RowIn``."""
        self.name = name
        self._runner = runner
        self._vocoder = vocoder
        self._budget = budget
        self._restraint = restraint

    @classmethod
    def load(cls, folder: Path | None = None, *, restraint: float = 0.0) -> "EngineSubject":
        """The model of a checkpoint folder, nano unless one is given. Raises CheckpointError."""
        folder = folder or nano_folder()
        checkpoint = load_checkpoint(folder)
        runner = ModelRunner(checkpoint, RunnerSettings(num_slots=BATCH_SESSIONS))
        name = f"{folder.name} {runner.model_hash}"
        return cls(runner, name, vocoder=checkpoint.vocoder, restraint=restraint)

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        def play_back(number: int, output: MicroTurnOutput) -> None:
            session = sessions[number]
            if isinstance(session, EchoedSession):
                session.answered(output)

        answers = answer_sessions(
            self._runner,
            sessions,
            batch_size=BATCH_SESSIONS,
            budget=self._budget,
            restraint=self._restraint,
            on_output=play_back,
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
