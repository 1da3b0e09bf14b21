"""The tokens of an output back to its words: the inverse of ``sequence.output_text_tokens``."""

from collections.abc import Sequence

from microturn.features.tokenizer import Tokenizer
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind


def read_output(index: int, tokens: Sequence[int], tokenizer: Tokenizer) -> MicroTurnOutput:
    """What an output says, from its tokens before the speech (openers included, ``<|audio|>`` left out).

    Text before any opener, which the grammar does not let happen, is dropped.
    """
    special = tokenizer.vocabulary.special
    hear = say = ""
    is_clear = False
    pieces: list[Piece] = []
    for opener, ids, is_end in _stretches(tokens, tokenizer):
        if opener == special.clear:
            is_clear = True
        elif opener == special.hear:
            hear += tokenizer.decode(ids)
        elif opener == special.say:
            say += tokenizer.decode(ids)
        elif opener in (special.content_text, special.content_invoke_tool_text):
            kind = PieceKind.TEXT if opener == special.content_text else PieceKind.ACT
            pieces.append(Piece(kind=kind, text=tokenizer.decode(ids), is_end=is_end))
    return MicroTurnOutput(index=index, hear=hear, pieces=tuple(pieces), is_clear=is_clear, say=say)


def _stretches(tokens: Sequence[int], tokenizer: Tokenizer) -> list[tuple[int, list[int], bool]]:
    """Each opener with the text ids that follow it, and whether ``<|end_message|>`` closes it."""
    vocabulary = tokenizer.vocabulary
    stretches: list[tuple[int, list[int], bool]] = []
    for token in tokens:
        if token >= vocabulary.num_text and token != vocabulary.special.end_message:
            stretches.append((token, [], False))
        elif stretches:
            opener, ids, _ = stretches[-1]
            if token == vocabulary.special.end_message:
                stretches[-1] = (opener, ids, True)
            else:
                ids.append(token)
    return stretches
