"""One session's row while a step runs: what it answers in this micro-turn, token by token and patch by patch.

Dimensions: N patches, P values of a patch.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from microturn.engine.script import Script
from microturn.engine.segments import output_run_of
from microturn.engine.state_pool import SessionState
from microturn.engine.step import RowIn
from microturn.features.phones import UNKNOWN_PHONE
from microturn.features.sequence import PATCH_VALUES, EventQueue, Run
from microturn.features.vocoder import VocoderState
from microturn.model.grammar import GrammarState
from microturn.turns.micro_turn import MEL_BANDS
from microturn.turns.timing import MEL_FRAMES_PER_TURN, PATCHES_PER_TURN
from microturn.turns.vocabulary import Kind, Vocabulary


@dataclass(slots=True, eq=False)
class Row:
    """A micro-turn in the making. The session's own state is left alone until ``commit``."""

    request: RowIn
    state: SessionState
    vocabulary: Vocabulary
    ears: NDArray[np.float32]
    """The dMel tail after this turn's sound."""
    events: EventQueue
    """What waits after this turn's events were taken."""
    run: Run
    """What the model reads first."""
    grammar: GrammarState
    drop_before_turn: int = 0
    """A summary was read whole in this turn: text of earlier turns than this is forgotten afterwards. 0 for none."""
    script: Script = field(default_factory=Script)
    """What is still to be said, this turn's part included."""
    sees: bool = False
    """A picture has come, in this turn or before."""
    hidden_D: Tensor | None = None
    """At the last position that was read."""
    tokens: list[int] = field(default_factory=list[int])
    """Of the output so far, ``<|audio|>`` and ``<|audio_end|>`` left out."""
    speech: list[NDArray[np.float32]] = field(default_factory=list[NDArray[np.float32]])
    """Patches so far, (320,) un-normalised log mel each."""
    phones: list[int] = field(default_factory=list[int])
    """The phone of each patch so far."""
    is_speaking: bool = False
    """``<|audio|>`` was chosen: patches follow."""
    is_done: bool = False
    num_deviations: int = 0
    voice: VocoderState | None = None
    """Of the utterance, after this turn."""

    @property
    def turn(self) -> int:
        """Index of the micro-turn."""
        return self.request.input.index

    @property
    def is_silenced(self) -> bool:
        """The output is forced to silence."""
        return self.request.forced is not None and self.request.forced.output is None

    @property
    def may_begin_to_speak(self) -> bool:
        """Whether the model is silent, and free to stay so."""
        unread = self.state.unread
        was_speaking = unread is not None and bool((unread.kind_T == Kind.SPEECH).any())
        return not (was_speaking or self.script or self.num_said)

    @property
    def num_input_positions(self) -> int:
        """Positions of the first forward that are not this turn's output."""
        return int(
            (self.run.turn_T != self.turn).sum() + (~self.run.is_output_T & (self.run.turn_T == self.turn)).sum()
        )

    @property
    def num_said(self) -> int:
        """Tokens of speech in this turn so far: what is said comes last."""
        opener = self.vocabulary.special.say
        return len(self.tokens) - self.tokens.index(opener) - 1 if opener in self.tokens else 0

    @property
    def scripted_token(self) -> int | None:
        """The only token of the script that may be said next; None where none is left."""
        left = self.script.tokens[self.num_said :]
        return left[0] if left else None

    def read_prescribed(self) -> None:
        """The output is given and need not be checked: it is read along with the input, in the same forward."""
        forced = self.request.forced
        assert forced is not None, "only a forced row has a prescribed output"
        self.tokens = list(forced.tokens)
        if forced.output is not None and forced.output.mel is not None:
            self.is_speaking = True
            self.speech = list(forced.output.mel.reshape(PATCHES_PER_TURN, PATCH_VALUES))
            self.phones = list(forced.output.phones) or [UNKNOWN_PHONE] * PATCHES_PER_TURN
        opened = [*self.tokens, self.vocabulary.special.audio] if self.is_speaking else self.tokens
        written = output_run_of(self.turn, opened, _stacked(self.speech), self.phones, self.vocabulary, is_closed=False)
        self.run = Run.concat([self.run, written])
        self.is_done = True

    def prescribed_token(self) -> int | None:
        """The next token of a recording that is checked; None where the model chooses."""
        forced = self.request.forced
        if forced is None:
            return None
        if len(self.tokens) < len(forced.tokens):
            return forced.tokens[len(self.tokens)]
        speaks = forced.output is not None and forced.output.mel is not None
        return self.vocabulary.special.audio if speaks else self.vocabulary.special.audio_end

    def prescribed_patch(self) -> NDArray[np.float32] | None:
        """The next patch of a recording that is checked; None where the flow head makes it."""
        forced = self.request.forced
        if forced is None or forced.output is None or forced.output.mel is None:
            return None
        return forced.output.mel.reshape(PATCHES_PER_TURN, PATCH_VALUES)[len(self.speech)]

    def prescribed_phone(self) -> int | None:
        """The next patch's phone in a recording that is checked; None where the model chooses."""
        forced = self.request.forced
        if forced is None or forced.output is None or forced.output.mel is None:
            return None
        return forced.output.phones[len(self.speech)] if forced.output.phones else UNKNOWN_PHONE

    def take_token(self, token: int) -> None:
        """The next token is this one."""
        special = self.vocabulary.special
        if token == special.audio_end:
            self.is_done = True
        elif token == special.audio:
            self.is_speaking = True
        else:
            self.tokens.append(token)

    def take_patch(self, patch_P: NDArray[np.float32], phone: int) -> None:
        """The next patch is this one."""
        self.speech.append(patch_P)
        self.phones.append(phone)
        self.is_done = len(self.speech) == PATCHES_PER_TURN

    def next_run(self) -> Run:
        """The position that the model reads next."""
        if self.speech:
            return output_run_of(
                self.turn, (), self.speech[-1][None], self.phones[-1:], self.vocabulary, is_closed=False
            )
        return self.run_of(self.vocabulary.special.audio if self.is_speaking else self.tokens[-1])

    def run_of(self, token: int) -> Run:
        """One token of this turn's output, as the model reads it."""
        return output_run_of(self.turn, (token,), _stacked([]), (), self.vocabulary, is_closed=False)

    def mel(self) -> NDArray[np.float32] | None:
        """The turn's speech, (16, 80) log mel; None when silent."""
        return np.concatenate(self.speech).reshape(MEL_FRAMES_PER_TURN, MEL_BANDS) if self.speech else None

    def commit(self) -> None:
        """The step is over: its state becomes the session's."""
        self.state.ears, self.state.events, self.state.voice = self.ears, self.events, self.voice
        self.state.sees = self.sees
        self.state.script = self.script.after_turn(self.num_said, is_speaking=bool(self.speech))
        has_read_all = self.run.is_output_T[-1] and self.run.kind_T[-1] == Kind.SPEECH
        unread = slice(len(self.speech) if has_read_all else -1, None)
        self.state.unread = output_run_of(
            self.turn, (), _stacked(self.speech[unread]), self.phones[unread], self.vocabulary, is_closed=True
        )


def _stacked(patches: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(patches) if patches else np.zeros((0, PATCH_VALUES), np.float32)
