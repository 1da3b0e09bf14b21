"""One set of weights at work: it reads what is new to the rows of a step, and answers token by token, patch by patch.

Rows that have something to say go on together, one position a forward, whatever each of them is at: choosing a token
under the grammar, or making the next patch of speech with the flow head.

Dimensions: B rows, T positions, D width of the model, V vocabulary, Q phones, N patches, P values of a patch.
"""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from microturn.engine.ladder import Budget
from microturn.engine.row import Row
from microturn.engine.sampler import Purpose, SamplingSettings, choose, flow_noise
from microturn.engine.segments import segment_of
from microturn.engine.state_pool import StatePool
from microturn.engine.whole_words import WholeWords
from microturn.features.mel import NUM_BANDS, MelStatistics
from microturn.features.phones import UNKNOWN_PHONE
from microturn.features.sequence import PATCH_VALUES, Run
from microturn.features.tokenizer import Tokenizer
from microturn.model.grammar import Grammar
from microturn.model.interaction_model import InteractionModel


@dataclass(slots=True)
class Timings:
    """Milliseconds spent in each phase of a step."""

    phases_ms: dict[str, float] = field(default_factory=dict[str, float])

    def __getitem__(self, name: str) -> float:
        return round(self.phases_ms.get(name, 0.0), 3)

    @contextmanager
    def phase(self, name: str) -> Generator[None, None, None]:
        start_ns = time.perf_counter_ns()
        yield
        self.phases_ms[name] = self.phases_ms.get(name, 0.0) + (time.perf_counter_ns() - start_ns) / 1e6


class Decoder:
    """A model over the states of a pool, which other weights may share: each row is one decoder's for a whole step.

    Args:
        model: The weights.
        tokenizer: Of the model.
        statistics: Of the mel that it speaks in.
        pool: Where the rows' states are.
        grammar: Of the tokenizer's vocabulary.
        sampling: How tokens are chosen.
        phones: How the phone of each patch is chosen.
    """

    def __init__(
        self,
        model: InteractionModel,
        tokenizer: Tokenizer,
        statistics: MelStatistics,
        pool: StatePool,
        grammar: Grammar,
        *,
        sampling: SamplingSettings,
        phones: SamplingSettings,
    ) -> None:
        self.model = model
        self._statistics, self._pool, self._grammar = statistics, pool, grammar
        self._vocabulary = tokenizer.vocabulary
        self._device = model.unembedding.weight.device
        self._sampling, self._phone_sampling = sampling, phones
        self._whole_words = WholeWords(tokenizer, grammar, pool, self.read, self._logits)

    def read(self, rows: Sequence[Row], runs: Sequence[Run]) -> None:
        """One forward: each row reads its run, and holds the hidden state of the last position."""
        segment = segment_of(runs, self._vocabulary, self._statistics).to(self._device)
        hidden_BTD = self.model(segment, self._pool.stream.select(row.request.slot for row in rows))
        for row, run, hidden_TD in zip(rows, runs, hidden_BTD, strict=True):
            row.hidden_D = hidden_TD[len(run) - 1]

    def answer(self, rows: Sequence[Row], budget: Budget, timings: Timings) -> None:
        """Goes on until every row is done, with fewer and fewer rows."""
        while rows := [row for row in rows if not row.is_done]:
            speaking = [row for row in rows if row.is_speaking]
            choosing = [row for row in rows if not row.is_speaking]
            if choosing:
                with timings.phase("decode"):
                    self._choose(choosing, budget)
            if speaking:
                with timings.phase("flow"):
                    self._flow(speaking, budget)
            if rows := [row for row in rows if not row.is_done]:
                with timings.phase("decode"):
                    self.read(rows, [row.next_run() for row in rows])

    def _choose(self, rows: Sequence[Row], budget: Budget) -> None:
        """The next token of each row."""
        logits_BV = self._restrained(rows, self._logits(rows))
        allowed_BV = torch.stack([self._allowed(row) for row in rows])
        keys = [(row.state.seed, row.turn, len(row.tokens)) for row in rows]
        tokens = choose(logits_BV, allowed_BV, self._sampling, keys)
        if self._sampling.temperature == 0:
            tokens = self._whole_words.first_tokens(rows, logits_BV, allowed_BV, tokens, budget.num_words)
        for row, token in zip(rows, tokens, strict=True):
            prescribed = row.prescribed_token()
            if prescribed is not None:
                row.num_deviations += token != prescribed
            row.take_token(token if prescribed is None else prescribed)
            if not row.is_done:
                row.grammar = self._grammar.advance(row.grammar, token if prescribed is None else prescribed)

    def _restrained(self, rows: Sequence[Row], logits_BV: Tensor) -> Tensor:
        """With speech less likely in rows that are silent and free to stay so."""
        special, restrained_BV = self._vocabulary.special, logits_BV
        for i, row in enumerate(rows):
            if row.request.restraint and row.may_begin_to_speak:
                restrained_BV = logits_BV.clone() if restrained_BV is logits_BV else restrained_BV
                restrained_BV[i, [special.say, special.audio]] -= row.request.restraint
        return restrained_BV

    def _logits(self, rows: Sequence[Row]) -> Tensor:
        """Of each row's next token: (B, V)."""
        return self.model.logits(_hidden(rows))[:, : self._vocabulary.size]

    def _allowed(self, row: Row) -> Tensor:
        if not row.script:
            return self._grammar.allowed(row.grammar)
        is_due = row.script.is_due and not row.num_said
        return self._grammar.allowed_in_script(row.grammar, row.scripted_token, is_due=is_due)

    def _flow(self, rows: Sequence[Row], budget: Budget) -> None:
        """The next patch of each row."""
        noise_NP = np.stack([flow_noise(r.state.seed, r.turn, len(r.speech), PATCH_VALUES) for r in rows])
        noise = torch.from_numpy(noise_NP).to(self._device)
        hidden_ND = _hidden(rows)
        phones = self._phones(rows, hidden_ND)
        phone_N = torch.tensor(phones, device=self._device)
        made_NP = self.model.make_patches(hidden_ND, phone_N, noise, budget.num_flow_steps, is_guided=budget.is_guided)
        normal_NP = made_NP.float().cpu().numpy()
        plain_NP = self._statistics.denormalise(normal_NP.reshape(-1, NUM_BANDS)).reshape(-1, PATCH_VALUES)
        for row, patch_P, phone in zip(rows, plain_NP, phones, strict=True):
            prescribed_P = row.prescribed_patch()
            if prescribed_P is not None:
                row.num_deviations += not np.array_equal(patch_P, prescribed_P)
            row.take_patch(patch_P if prescribed_P is None else prescribed_P, phone)

    def _phones(self, rows: Sequence[Row], hidden_ND: Tensor) -> list[int]:
        """The phone of each row's next patch."""
        if not self.model.chooses_phones:
            return [UNKNOWN_PHONE] * len(rows)
        logits_NQ = self.model.phone_head(hidden_ND)
        is_known_Q = torch.arange(logits_NQ.shape[1], device=self._device) != UNKNOWN_PHONE
        keys = [(row.state.seed, row.turn, len(row.speech)) for row in rows]
        chosen = choose(logits_NQ, is_known_Q, self._phone_sampling, keys, Purpose.PHONE)
        prescribed = [row.prescribed_phone() for row in rows]
        for row, phone, recorded in zip(rows, chosen, prescribed, strict=True):
            row.num_deviations += recorded not in (None, UNKNOWN_PHONE, phone)
        return [phone if recorded is None else recorded for phone, recorded in zip(chosen, prescribed, strict=True)]


def _hidden(rows: Sequence[Row]) -> Tensor:
    """(N, D)."""
    return torch.stack([row.hidden_D for row in rows if row.hidden_D is not None])
