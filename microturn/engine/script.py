"""Words that the model must say: a disclosure, a notice whose wording counts.

The model reads the text like any other event, and so knows what it is saying. The words are not its choice, their pace
is: at each place of an output it chooses among the next word and going on with the sound, so that words lead their
sound as always. Only when it lets them wait for too long is the next one put into its mouth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

MAX_WAITED_TURNS = 4
"""After so many turns without a word the next one is due."""
MAX_ENDING_TURNS = 10
"""The last word has been sounded by then."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is still to be said, and then silence. Without a script the model is free."""

    tokens: tuple[int, ...] = ()
    has_begun: bool = False
    """With no tokens left, the last word still sounds and no other may follow it."""
    num_waited: int = 0
    """Turns since the last word."""

    def __bool__(self) -> bool:
        return bool(self.tokens) or self.has_begun

    @property
    def is_due(self) -> bool:
        """Whether this turn must say a word."""
        return bool(self.tokens) and (not self.has_begun or self.num_waited >= MAX_WAITED_TURNS)

    def longer(self, tokens: Sequence[int]) -> "Script":
        """The same with more at the end."""
        return replace(self, tokens=(*self.tokens, *tokens))

    def after_turn(self, num_said: int, *, is_speaking: bool) -> "Script":
        """What is left after a turn in which so many tokens were said, and sound went out or not."""
        if not self:
            return self
        left = self.tokens[num_said:]
        num_waited = 0 if num_said else self.num_waited + 1
        is_over = not left and (not is_speaking or num_waited >= MAX_ENDING_TURNS)
        return Script() if is_over else Script(left, self.has_begun or num_said > 0, num_waited)
