"""Whatever is chosen among what is allowed ends in a well-formed output."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.model.grammar import Grammar, GrammarState, Place
from microturn.turns.timing import PATCHES_PER_TURN
from microturn.turns.vocabulary import Vocabulary

VOCABULARY = Vocabulary.after_text(10)
SPECIAL = VOCABULARY.special
GRAMMAR = Grammar(VOCABULARY)
LETTER = {
    SPECIAL.hear: "H", SPECIAL.content_text: "P", SPECIAL.content_invoke_tool_text: "P", SPECIAL.end_message: "E",
    SPECIAL.clear: "C", SPECIAL.say: "S", SPECIAL.audio: "A", SPECIAL.audio_end: ".",
}  # fmt: skip
WELL_FORMED = re.compile(rf"(Ht+)?(Pt+E?)*C?(St+)?(Ap{{{PATCHES_PER_TURN}}})?\.")


def spell(token: int) -> str:
    return "t" if token < VOCABULARY.num_text else LETTER[token]


def random_output(rng: random.Random, max_text_tokens: int) -> str:
    state, out = GRAMMAR.start(max_text_tokens), ""
    while not state.is_done:
        if state.needs_patch:
            assert not GRAMMAR.allowed(state).any()
            state, out = GRAMMAR.advance_patch(state), out + "p"
            continue
        choices = GRAMMAR.allowed(state).nonzero().flatten().tolist()
        # Text in half of all choices, or long outputs would be rare.
        texts = [c for c in choices if c < VOCABULARY.num_text]
        token = rng.choice(texts if texts and rng.random() < 0.5 else choices)
        state, out = GRAMMAR.advance(state, token), out + spell(token)
    return out


@given(seed=st.integers(0, 100_000), max_text_tokens=st.integers(0, 12))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_choice_is_well_formed_and_ends(seed: int, max_text_tokens: int) -> None:
    out = random_output(random.Random(seed), max_text_tokens)
    assert WELL_FORMED.fullmatch(out), out
    assert out.count("t") <= max_text_tokens


def test_everything_well_formed_is_allowed() -> None:
    tokens = [
        SPECIAL.hear, 1, 2, SPECIAL.content_invoke_tool_text, 3, SPECIAL.end_message, SPECIAL.content_text, 4,
        SPECIAL.clear, SPECIAL.say, 5, 6, SPECIAL.audio,
    ]  # fmt: skip
    state = GRAMMAR.start()
    for token in tokens:
        state = GRAMMAR.advance(state, token)
    for _ in range(PATCHES_PER_TURN):
        state = GRAMMAR.advance_patch(state)
    assert GRAMMAR.allowed(state).nonzero().flatten().tolist() == [SPECIAL.audio_end]
    assert GRAMMAR.advance(state, SPECIAL.audio_end).is_done


def test_silence_is_one_token() -> None:
    assert GRAMMAR.advance(GRAMMAR.start(), SPECIAL.audio_end).is_done


@pytest.mark.parametrize(
    ("before", "token"),
    [
        ([], 3),  # text without an opener
        ([SPECIAL.say, 1], SPECIAL.hear),  # out of order
        ([SPECIAL.hear], SPECIAL.audio_end),  # an empty hear
        ([SPECIAL.hear, 1], SPECIAL.end_message),
        ([], SPECIAL.pad),
        ([], SPECIAL.time),
        ([], VOCABULARY.size),
        ([SPECIAL.audio_end], SPECIAL.audio_end),
    ],
)
def test_what_is_not_allowed_is_refused(before: list[int], token: int) -> None:
    state = GRAMMAR.start()
    for earlier in before:
        state = GRAMMAR.advance(state, earlier)
    with pytest.raises(ValueError, match="choose among"):
        GRAMMAR.advance(state, token)


def test_a_full_output_can_still_speak_and_end() -> None:
    state = GRAMMAR.advance(GRAMMAR.advance(GRAMMAR.start(1), SPECIAL.content_text), 3)
    assert state.is_full
    allowed = set(GRAMMAR.allowed(state).nonzero().flatten().tolist())
    assert allowed == {SPECIAL.end_message, SPECIAL.clear, SPECIAL.audio, SPECIAL.audio_end}


def test_a_patch_out_of_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no patch is due"):
        GRAMMAR.advance_patch(GrammarState(place=Place.SAY))
