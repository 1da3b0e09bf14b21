"""Micro-turns to the flat causal sequence that the transformer reads: ONE code for training and serving.

    turn   := input output
    input  := event* time? video? AUDIO x 4
    event  := <|message_*|> <|content_text|> tok* <|end_message|>
    time   := <|time|> seconds-token                      every 25 turns
    video  := <|content_image|> IMAGE x P
    output := hear? piece* say? speech <|audio_end|>
    hear   := <|hear|> tok+
    piece  := (<|content_invoke_tool_text|> | <|content_text|>) tok+ <|end_message|>?
    say    := <|clear|>? (<|say|> tok+)?
    speech := ( <|audio|> SPEECH x 4 )?

Dimensions: T positions, N positions of one kind, M 80 mel bands, P 320 values of a speech patch.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from microturn.features.phones import UNKNOWN_PHONE
from microturn.features.tokenizer import Tokenizer
from microturn.turns.micro_turn import MEL_BANDS, MicroTurnOutput, PieceKind, Role, TextEvent
from microturn.turns.timing import (
    MAX_EVENT_TOKENS_PER_TURN,
    MEL_FRAMES_PER_PATCH,
    PATCHES_PER_TURN,
    TIME_EVERY_TURNS,
)
from microturn.turns.vocabulary import Kind, Vocabulary

PATCH_VALUES = MEL_FRAMES_PER_PATCH * MEL_BANDS
IMAGE_SHAPE = (2, 40, 40, 3)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of the flat sequence, in numpy. Contents of one kind stand in order of position."""

    kind_T: NDArray[np.uint8]
    token_T: NDArray[np.int32]
    """Text id where the kind is TEXT, phone where it is SPEECH, else 0."""
    turn_T: NDArray[np.int32]
    is_output_T: NDArray[np.bool_]
    """Whether the model produces this position (and so learns to predict it)."""
    dmel_NM: NDArray[np.uint8]
    speech_NP: NDArray[np.float32]
    """Speech patches as un-normalised log mel."""
    image_N: NDArray[np.float32]
    """(N, 2, 40, 40, 3)."""

    def __len__(self) -> int:
        return len(self.kind_T)

    @staticmethod
    def concat(runs: Sequence["Run"]) -> "Run":
        """One run after the other."""
        return Run(
            *(
                np.concatenate([getattr(run, name) for run in runs])
                for name in ("kind_T", "token_T", "turn_T", "is_output_T", "dmel_NM", "speech_NP", "image_N")
            )
        )


def is_kept_text(kind_T: NDArray[np.uint8], token_T: NDArray[np.int32], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Which positions count as text for eviction: global layers see them for ever.

    Hear, say, piece, event and time tokens with their openers; not what only frames media.
    """
    special = vocabulary.special
    frames_media = (special.audio_end, special.audio, special.content_image, special.pad)
    return (kind_T == Kind.TEXT) & ~np.isin(token_T, frames_media)


_ROLE_TOKEN = {Role.USER: "message_user", Role.SYSTEM: "message_system", Role.TOOL: "message_tool"}
_PIECE_TOKEN = {PieceKind.ACT: "content_invoke_tool_text", PieceKind.TEXT: "content_text"}


@dataclass(slots=True)
class EventQueue:
    """Tokens of text events that wait to enter a turn, so that one long result does not flush the window."""

    tokens: deque[int] = field(default_factory=deque)
    drops: deque[tuple[int, int]] = field(default_factory=lambda: deque[tuple[int, int]]())
    """Of summaries that wait: how many tokens until one has entered whole, and its ``drop_before_turn``."""
    scripts: deque[tuple[int, tuple[int, ...]]] = field(default_factory=lambda: deque[tuple[int, tuple[int, ...]]]())
    """Of scripts that wait: how many tokens until their event has entered whole, and the tokens to be said."""

    def copy(self) -> "EventQueue":
        """The same tokens, in a queue of their own."""
        return EventQueue(deque(self.tokens), deque(self.drops), deque(self.scripts))

    def add(self, events: Iterable[TextEvent], tokenizer: Tokenizer) -> None:
        """Queue events, in order."""
        special = tokenizer.vocabulary.special
        for event in events:
            opener = getattr(special, _ROLE_TOKEN[event.role])
            self.tokens.extend((opener, special.content_text, *tokenizer.encode(event.text), special.end_message))
            if event.drop_before_turn is not None:
                self.drops.append((len(self.tokens), event.drop_before_turn))
            if event.script is not None:
                self.scripts.append((len(self.tokens), tuple(tokenizer.encode(f" {event.script.strip()}"))))

    def take(self) -> list[int]:
        """The tokens that enter the next turn."""
        return self.take_read().tokens

    def take_read(self) -> "Read":
        """What enters the next turn, and what comes of the events that have entered whole with it."""
        taken = [self.tokens.popleft() for _ in range(min(len(self.tokens), MAX_EVENT_TOKENS_PER_TURN))]
        self.drops = deque((left - len(taken), before) for left, before in self.drops)
        self.scripts = deque((left - len(taken), script) for left, script in self.scripts)
        drop_before_turn, script = 0, ()
        while self.drops and self.drops[0][0] <= 0:
            drop_before_turn = max(drop_before_turn, self.drops.popleft()[1])
        while self.scripts and self.scripts[0][0] <= 0:
            script += self.scripts.popleft()[1]
        return Read(taken, drop_before_turn, script)


@dataclass(frozen=True, slots=True)
class Read:
    """What a turn takes from an event queue."""

    tokens: list[int]
    drop_before_turn: int
    """A summary in them drops text of earlier turns than this; 0 for none."""
    script: tuple[int, ...]
    """Tokens that are to be said from now on."""


def input_run(
    turn: int,
    dmel_NM: NDArray[np.uint8],
    event_tokens: Sequence[int],
    vocabulary: Vocabulary,
    image_N: NDArray[np.float32] | None = None,
) -> Run:
    """The input of one micro-turn.

    Args:
        turn: index of the micro-turn.
        dmel_NM: (4, 80) bins of the user's sound.
        event_tokens: from ``EventQueue.take``.
        vocabulary: where the special tokens lie.
        image_N: (P, 2, 40, 40, 3) normalised patches, or None while the camera is off.
    """
    tokens = list(event_tokens)
    if turn % TIME_EVERY_TURNS == 0:
        tokens += [vocabulary.special.time, vocabulary.time_value_id(turn)]
    num_images = 0 if image_N is None else len(image_N)
    if num_images:
        tokens.append(vocabulary.special.content_image)
    num_media = num_images + len(dmel_NM)
    kind_T = np.array([Kind.TEXT] * len(tokens) + [Kind.IMAGE] * num_images + [Kind.AUDIO] * len(dmel_NM), np.uint8)
    return Run(
        kind_T=kind_T,
        token_T=np.array(tokens + [0] * num_media, np.int32),
        turn_T=np.full(len(kind_T), turn, np.int32),
        is_output_T=np.zeros(len(kind_T), np.bool_),
        dmel_NM=dmel_NM,
        speech_NP=np.zeros((0, PATCH_VALUES), np.float32),
        image_N=np.zeros((0, *IMAGE_SHAPE), np.float32) if image_N is None else image_N,
    )


def output_text_tokens(output: MicroTurnOutput, tokenizer: Tokenizer) -> list[int]:
    """Everything that precedes the speech: hear, pieces, clear and say, with their openers."""
    special = tokenizer.vocabulary.special
    tokens: list[int] = []
    if output.hear:
        tokens += [special.hear, *tokenizer.encode(output.hear)]
    for piece in output.pieces:
        tokens += [getattr(special, _PIECE_TOKEN[piece.kind]), *tokenizer.encode(piece.text)]
        if piece.is_end:
            tokens.append(special.end_message)
    if output.is_clear:
        tokens.append(special.clear)
    if output.say:
        tokens += [special.say, *tokenizer.encode(output.say)]
    return tokens


def output_run(output: MicroTurnOutput, tokenizer: Tokenizer) -> Run:
    """The output of one micro-turn, closed by ``<|audio_end|>``."""
    special = tokenizer.vocabulary.special
    before = output_text_tokens(output, tokenizer)
    if output.mel is None:
        speech_NP = np.zeros((0, PATCH_VALUES), np.float32)
    else:
        before.append(special.audio)
        speech_NP = output.mel.reshape(PATCHES_PER_TURN, PATCH_VALUES).astype(np.float32)
    num_speech = len(speech_NP)
    phones = output.phones or (UNKNOWN_PHONE,) * num_speech
    kind_T = np.array([Kind.TEXT] * len(before) + [Kind.SPEECH] * num_speech + [Kind.TEXT], np.uint8)
    return Run(
        kind_T=kind_T,
        token_T=np.array([*before, *phones[:num_speech], special.audio_end], np.int32),
        turn_T=np.full(len(kind_T), output.index, np.int32),
        is_output_T=np.ones(len(kind_T), np.bool_),
        dmel_NM=np.zeros((0, MEL_BANDS), np.uint8),
        speech_NP=speech_NP,
        image_N=np.zeros((0, *IMAGE_SHAPE), np.float32),
    )
