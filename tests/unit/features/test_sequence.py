"""The flat sequence: what the grammar in its docstring promises."""

import numpy as np
import pytest

from microturn.features.sequence import EventQueue, Run, input_run, is_kept_text, output_run
from microturn.features.tokenizer import Tokenizer
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.vocabulary import Kind


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["count to ten", "one two three"] * 20, num_tokens=300)


DMEL = np.arange(4 * 80, dtype=np.uint8).reshape(4, 80) % 16


def names(run: Run, tokenizer: Tokenizer) -> list[str]:
    """The run as text: specials by name, text by its characters, media by kind."""
    by_id = {getattr(tokenizer.vocabulary.special, n): n for n in tokenizer.vocabulary.special.__slots__}
    return [
        by_id.get(int(token), tokenizer.decode([token]) if token < tokenizer.vocabulary.num_text else "value")
        if kind == Kind.TEXT
        else Kind(kind).name
        for kind, token in zip(run.kind_T, run.token_T, strict=True)
    ]


def test_a_silent_turn_is_five_positions(tokenizer: Tokenizer) -> None:
    silent = Run.concat([input_run(1, DMEL, [], tokenizer.vocabulary), output_run(MicroTurnOutput(index=1), tokenizer)])
    assert names(silent, tokenizer) == ["AUDIO"] * 4 + ["audio_end"]


def test_time_comes_every_25_turns_and_wraps_after_a_minute(tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.vocabulary
    values = [input_run(turn, DMEL, [], vocabulary).token_T[1] for turn in (0, 25, 275, 300)]
    assert values == [vocabulary.first_time_value + v for v in (0, 1, 11, 0)]
    assert len(input_run(26, DMEL, [], vocabulary)) == 4


def test_a_full_output_follows_the_grammar(tokenizer: Tokenizer) -> None:
    output = MicroTurnOutput(
        index=0,
        hear=" ten",
        pieces=(Piece(kind=PieceKind.ACT, text=" one"), Piece(kind=PieceKind.TEXT, text=" two", is_end=False)),
        is_clear=True,
        say=" three",
        mel=np.zeros((16, 80), np.float32),
    )
    got = [n for n in names(output_run(output, tokenizer), tokenizer) if not n.startswith(" ")]
    got = [n for n in got if n.isupper() or n in tokenizer.vocabulary.special.__slots__]
    assert got == [
        "hear", "content_invoke_tool_text", "end_message", "content_text", "clear", "say", "audio",
        "SPEECH", "SPEECH", "SPEECH", "SPEECH", "audio_end",
    ]  # fmt: skip


def test_patches_keep_the_order_of_the_frames(tokenizer: Tokenizer) -> None:
    mel = np.arange(16 * 80, dtype=np.float32).reshape(16, 80)
    run = output_run(MicroTurnOutput(index=0, mel=mel), tokenizer)
    assert np.array_equal(run.speech_NP.reshape(16, 80), mel)


def test_a_long_event_enters_over_several_turns_and_loses_nothing(tokenizer: Tokenizer) -> None:
    queue = EventQueue()
    queue.add([TextEvent(role=Role.TOOL, text="1 done: " + "one two three " * 20)], tokenizer)
    whole = list(queue.tokens)
    taken = []
    while turn := queue.take():
        assert len(turn) <= 32
        taken += turn
    assert taken == whole
    special = tokenizer.vocabulary.special
    assert (taken[0], taken[-1]) == (special.message_tool, special.end_message)


def test_text_is_kept_for_ever_and_frames_of_media_are_not(tokenizer: Tokenizer) -> None:
    output = MicroTurnOutput(index=0, hear=" ten", say=" one", mel=np.zeros((16, 80), np.float32))
    run = Run.concat([input_run(0, DMEL, [], tokenizer.vocabulary), output_run(output, tokenizer)])
    kept = is_kept_text(run.kind_T, run.token_T, tokenizer.vocabulary)
    dropped = {n for n, k in zip(names(run, tokenizer), kept, strict=True) if not k}
    assert dropped == {"AUDIO", "SPEECH", "audio", "audio_end"}


@pytest.mark.parametrize("text", [" naïve café", " 日本語", " \x00\n", "", " don't"])
def test_no_text_is_out_of_vocabulary(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Hello, World!", "hello world"),
        (" It’s 3.5 — or 3:45.", " it's 3.5 or 3:45"),
        ('The e-mail… ("quoted").', "the e mail quoted"),
        ("¿Qué? Straße", "¿qué straße"),
        (" say: one two", " say: one two"),
    ],
)
def test_a_plain_tokenizer_reads_what_is_written_as_it_is_spoken(written: str, read: str) -> None:
    tokenizer = Tokenizer.train(["one two three"], 270, is_plain=True)
    assert tokenizer.decode(tokenizer.encode(written)) == read


def test_specials_are_not_text(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="not text"):
        tokenizer.decode([tokenizer.vocabulary.special.say])
