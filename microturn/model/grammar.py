"""What an output may look like: an automaton over tokens and patches that masks the logits.

    output := hear? piece* say? speech <|audio_end|>
    hear   := <|hear|> tok+
    piece  := (<|content_invoke_tool_text|> | <|content_text|>) tok+ <|end_message|>?
    say    := <|clear|>? (<|say|> tok+)?
    speech := ( <|audio|> PATCH x 4 )?

Whatever the model wants, what it may choose from ends in a well-formed output. Text tokens are rationed: with none
left, nothing that needs text may begin, and what has begun can only end.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from torch import Tensor

from microturn.turns.timing import MAX_TEXT_TOKENS_PER_TURN, PATCHES_PER_TURN
from microturn.turns.vocabulary import Vocabulary


class Place(IntEnum):
    """Where in an output the next token or patch stands."""

    START = 0
    HEAR_OPEN = 1  # an opener was last: text must follow
    HEAR = 2
    PIECE_OPEN = 3
    PIECE = 4
    PIECE_END = 5
    CLEAR = 6
    SAY_OPEN = 7
    SAY = 8
    SPEECH = 9  # patches, no token
    CLOSE = 10  # nothing but the end
    DONE = 11


_TAKES_TEXT = frozenset({Place.HEAR_OPEN, Place.HEAR, Place.PIECE_OPEN, Place.PIECE, Place.SAY_OPEN, Place.SAY})
_AFTER_TEXT = {Place.HEAR_OPEN: Place.HEAR, Place.PIECE_OPEN: Place.PIECE, Place.SAY_OPEN: Place.SAY}
_MUST_TAKE_TEXT = frozenset(_AFTER_TEXT)


@dataclass(frozen=True, slots=True)
class GrammarState:
    """How far an output has come. Three small numbers: cheap to keep, to copy and to write down."""

    place: Place = Place.START
    text_left: int = MAX_TEXT_TOKENS_PER_TURN
    """Text tokens that may still come, openers and ends not counted."""
    num_patches: int = 0

    @property
    def needs_patch(self) -> bool:
        """A patch of speech is next, not a token."""
        return self.place is Place.SPEECH

    @property
    def is_done(self) -> bool:
        """The output is complete."""
        return self.place is Place.DONE

    @property
    def is_full(self) -> bool:
        """The ration is used up: the model may have wanted to say more."""
        return self.text_left == 0


class Grammar:
    """The automaton over one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, device: torch.device | str = "cpu") -> None:
        self._vocabulary = vocabulary
        special = vocabulary.special
        pieces = {special.content_invoke_tool_text: Place.PIECE_OPEN, special.content_text: Place.PIECE_OPEN}
        speech = {special.audio: Place.SPEECH, special.audio_end: Place.DONE}
        say = {special.say: Place.SAY_OPEN, **speech}
        late = {**pieces, special.clear: Place.CLEAR, **say}
        self._next: dict[Place, dict[int, Place]] = {
            Place.START: {special.hear: Place.HEAR_OPEN, **late},
            Place.HEAR: late,
            Place.PIECE: {special.end_message: Place.PIECE_END, **late},
            Place.PIECE_END: late,
            Place.CLEAR: say,
            Place.SAY: speech,
            Place.CLOSE: {special.audio_end: Place.DONE},
        }
        self._masks = {
            (place, is_full): self._mask(place, is_full).to(device) for place in Place for is_full in (False, True)
        }

    def start(self, max_text_tokens: int = MAX_TEXT_TOKENS_PER_TURN) -> GrammarState:
        """The beginning of an output that may hold so many text tokens."""
        return GrammarState(text_left=max_text_tokens)

    def allowed(self, state: GrammarState) -> Tensor:
        """Which tokens may come next: (vocabulary size,) bool, shared, not to be written to.

        Where a patch is due or the output is done, nothing is allowed.
        """
        return self._masks[state.place, state.is_full]

    def allowed_in_script(self, state: GrammarState, token: int | None, *, is_due: bool) -> Tensor:
        """As ``allowed``, while what is said is prescribed: (vocabulary size,) bool.

        The user may be heard as ever. Nothing else is said or written, and the model falls silent only at the end.

        Args:
            state: how far the output has come.
            token: what is to be said next; None: it has all been said, and the last word sounds.
            is_due: it must be said in this turn; otherwise sound may go on without a word.
        """
        special = self._vocabulary.special
        mask = self.allowed(state).clone()
        mask[[special.content_invoke_tool_text, special.content_text, special.clear]] = False
        mask[special.audio_end] &= token is None and state.place is not Place.SAY
        mask[special.say] &= token is not None
        if state.place in (Place.SAY_OPEN, Place.SAY):
            mask[: self._vocabulary.num_text] = False
            if token is not None:
                mask[token] = not state.is_full
        elif is_due:  # The ration of text leaves room for it.
            mask[special.audio] = False
            mask[special.hear] &= state.text_left > 1
            mask[: self._vocabulary.num_text] &= state.place is Place.HEAR_OPEN or state.text_left > 1
        return mask if mask.any() else self.allowed(state)

    def advance(self, state: GrammarState, token: int) -> GrammarState:
        """The state after a token. Raises ValueError for one that is not allowed."""
        if not 0 <= token < self._vocabulary.size or not self._masks[state.place, state.is_full][token]:
            raise ValueError(
                f"token {token} may not come at {state.place.name.lower()} with {state.text_left} text tokens left: "
                "choose among Grammar.allowed"
            )
        if token < self._vocabulary.num_text:
            place = _AFTER_TEXT.get(state.place, state.place)
            return replace(state, place=place, text_left=state.text_left - 1)
        return replace(state, place=self._next[state.place][token])

    def advance_patch(self, state: GrammarState) -> GrammarState:
        """The state after a patch of speech. Raises ValueError where none is due."""
        if not state.needs_patch:
            raise ValueError(f"no patch is due at {state.place.name.lower()}: open speech with the audio token")
        num_patches = state.num_patches + 1
        place = Place.CLOSE if num_patches == PATCHES_PER_TURN else Place.SPEECH
        return replace(state, place=place, num_patches=num_patches)

    def _mask(self, place: Place, is_full: bool) -> Tensor:
        mask = torch.zeros(self._vocabulary.size, dtype=torch.bool)
        for token, target in self._next.get(place, {}).items():
            mask[token] = not (is_full and target in _MUST_TAKE_TEXT)
        if place in _TAKES_TEXT and not is_full:
            mask[: self._vocabulary.num_text] = True
        return mask
