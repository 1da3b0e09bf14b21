"""Names of the special tokens, and where the ids of a vocabulary's parts lie.

Names follow the public TMLv0 tokens where there is one; ours are marked. Ids belong to a tokenizer: nano's own BPE
numbers them after its text tokens, the large geometries use the public ids on top of o200k.
"""

from dataclasses import dataclass, fields
from enum import IntEnum

from microturn.turns.timing import TIME_EVERY_TURNS, TIME_WRAP_S, TURN_MS


class Kind(IntEnum):
    """What stands at a position of the flat sequence."""

    TEXT = 0  # a token of the vocabulary
    AUDIO = 1  # 50 ms of the user's sound, as dMel
    IMAGE = 2  # a 40x40 patch of two frames
    SPEECH = 3  # 50 ms of our own speech, as mel
    PAD = 255  # nothing


SECONDS_PER_TIME_TOKEN = TIME_EVERY_TURNS * TURN_MS // 1000
NUM_TIME_VALUES = TIME_WRAP_S // SECONDS_PER_TIME_TOKEN


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialIds:
    """The id of each special token."""

    message_user: int
    message_system: int
    message_tool: int
    content_text: int
    content_image: int
    end_message: int
    content_invoke_tool_text: int
    audio: int
    """Opens a turn's speech: four patches follow."""
    audio_end: int
    """Closes every output."""
    time: int
    """Ours. Opens a time token."""
    hear: int
    """Ours. Opens words of the user."""
    say: int
    """Ours. Opens words of our own speech."""
    clear: int
    """Ours. Drops speech not yet played."""
    pad: int
    """Ours. Never seen by the model."""


SPECIAL_NAMES: tuple[str, ...] = tuple(f.name for f in fields(SpecialIds))


def special_text(name: str) -> str:
    """The token as text, ``<|audio_end|>`` for ``audio_end``."""
    return f"<|{name}|>"


def time_value_text(value: int) -> str:
    """The seconds-token as text, for a value in [0, NUM_TIME_VALUES)."""
    return f"<|{value * SECONDS_PER_TIME_TOKEN:02d}s|>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The layout of a token vocabulary: text in [0, num_text), specials and seconds above."""

    num_text: int
    special: SpecialIds
    first_time_value: int
    """Id of the seconds-token for 0; the others follow it."""
    size: int
    """Rows of the embedding and unembedding."""

    def time_value_id(self, turn: int) -> int:
        """The seconds-token that a turn carries (turns divisible by TIME_EVERY_TURNS carry one)."""
        return self.first_time_value + (turn // TIME_EVERY_TURNS) % NUM_TIME_VALUES

    @classmethod
    def after_text(cls, num_text: int) -> "Vocabulary":
        """The layout of our own BPE: text, then specials in order, then the seconds."""
        special = SpecialIds(**{name: num_text + i for i, name in enumerate(SPECIAL_NAMES)})
        first_time_value = num_text + len(SPECIAL_NAMES)
        return cls(
            num_text=num_text,
            special=special,
            first_time_value=first_time_value,
            size=first_time_value + NUM_TIME_VALUES,
        )
