"""Words that are heard are chosen whole.

A word is several tokens, and the likeliest first token need not begin the likeliest word: a piece that begins many
words has the weight of all of them. So where the model is not sure of a first token, the words that the likeliest few
begin are spelt out, each by its likeliest tokens, and the first token of the likeliest whole word is taken. It is a
beam search (Lowerre 1976) that ends with the word: what was written is never taken back, and all of it happens within
the micro-turn. What is said needs none of it: it is copied, and nearly always right.

Dimensions: B rows, V tokens of the vocabulary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from microturn.engine.row import Row
from microturn.engine.state_pool import StatePool
from microturn.features.sequence import Run
from microturn.features.tokenizer import Tokenizer
from microturn.model.grammar import Grammar, GrammarState, Place

SURE = 0.75
"""From this probability of a first token on, no other word is looked at."""
MAX_TOKENS = 8
"""Of a word that is spelt out."""


@dataclass(slots=True)
class _Spelling:
    """A word that a row may be hearing."""

    row: Row
    tokens: list[int]
    logp: float
    """Of the tokens so far; at the end, of the whole word, and that it ends there."""


class WholeWords:
    """Looks ahead in the rows of a pool, and leaves each as it found it.

    Args:
        tokenizer: knows which tokens begin a word.
        grammar: knows what may follow a word's token.
        pool: where the rows' model states are.
        read: makes rows read a run each.
        logits: of the token after what each row has read, (B, V).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        grammar: Grammar,
        pool: StatePool,
        read: Callable[[Sequence[Row], Sequence[Run]], None],
        logits: Callable[[Sequence[Row]], Tensor],
    ) -> None:
        vocabulary = tokenizer.vocabulary
        self._begins_V = torch.tensor([tokenizer.begins_word(token) for token in range(vocabulary.size)])
        self._may_follow_V = grammar.allowed(GrammarState(place=Place.HEAR)).cpu()
        self._goes_on_V = self._may_follow_V & ~self._begins_V
        self._goes_on_V[vocabulary.num_text :] = False
        self._pool, self._read, self._logits = pool, read, logits

    def first_tokens(
        self, rows: Sequence[Row], logits_BV: Tensor, allowed_BV: Tensor, likeliest: Sequence[int], num_words: int
    ) -> list[int]:
        """Each row's next token: the likeliest, unless another begins a likelier word that is heard.

        Args:
            rows: where a token is due.
            logits_BV: (B, V).
            allowed_BV: (B, V) bool, what the grammar allows.
            likeliest: the allowed token of the greatest logit, for each row.
            num_words: how many words are spelt out at most.
        """
        tokens = list(likeliest)
        hearing = [i for i, row in enumerate(rows) if self._begins_heard_word(row, tokens[i])]
        if num_words < 2 or not hearing:
            return tokens
        tried: dict[int, list[_Spelling]] = {}
        for i in hearing:
            row, logits_V = rows[i], logits_BV[i].float().masked_fill(~allowed_BV[i], -torch.inf).cpu()
            logp_V = logits_V.log_softmax(0)
            if float(logp_V[tokens[i]].exp()) < SURE:
                top = logp_V.masked_fill(~self._begins_V, -torch.inf).topk(num_words)
                tried[i] = [
                    _Spelling(row, [t], p) for p, t in zip(top.values.tolist(), top.indices.tolist(), strict=True)
                ]
        best: dict[int, _Spelling] = {}
        for nth in range(num_words):
            # No word is likelier than its first token.
            candidates = {i: words[nth] for i, words in tried.items() if nth == 0 or words[nth].logp > best[i].logp}
            self._spell(list(candidates.values()))
            for i, word in candidates.items():
                if i not in best or word.logp > best[i].logp:
                    best[i] = word
        for i, word in best.items():
            tokens[i] = word.tokens[0]
        return tokens

    def _begins_heard_word(self, row: Row, token: int) -> bool:
        return row.grammar.place in (Place.HEAR_OPEN, Place.HEAR) and bool(self._begins_V[token])

    def _spell(self, words: Sequence[_Spelling]) -> None:
        """Complete words, at most one a row. The rows' states are put back to where they stood."""
        stood = [(word.row, self._pool.stream.rows[word.row.request.slot], word.row.hidden_D) for word in words]
        marks = [state.mark() for _, state, _ in stood]
        growing = [word for word in words if self._may_go_on(word)]
        while growing:
            self._read([word.row for word in growing], [word.row.run_of(word.tokens[-1]) for word in growing])
            logits_BV = self._logits([word.row for word in growing]).float().cpu()
            logp_BV = logits_BV.masked_fill(~self._may_follow_V, -torch.inf).log_softmax(1)
            going_on = logp_BV.masked_fill(~self._goes_on_V, -torch.inf).max(1)
            ends_B = logp_BV.masked_fill(self._goes_on_V, -torch.inf).logsumexp(1)
            is_whole_B = logp_BV.argmax(1) != going_on.indices
            for word, logp, token, end, is_whole in zip(
                growing, going_on.values, going_on.indices, ends_B, is_whole_B, strict=True
            ):
                word.logp += float(end if is_whole else logp)
                if not is_whole:
                    word.tokens.append(int(token))
            growing = [
                word
                for word, is_whole in zip(growing, is_whole_B, strict=True)
                if not is_whole and self._may_go_on(word)
            ]
        for (row, state, hidden_D), mark in zip(stood, marks, strict=True):
            state.rewind(mark)
            row.hidden_D = hidden_D

    @staticmethod
    def _may_go_on(word: _Spelling) -> bool:
        return len(word.tokens) < min(MAX_TOKENS, word.row.grammar.text_left)
