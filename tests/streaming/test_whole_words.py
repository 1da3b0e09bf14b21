"""A heard word is chosen by the likelihood of all of it, and looking ahead leaves no trace."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_runner import PARTS, TOLERANCE, Recorder, Visit, flat_run
from torch import Tensor

from microturn.engine.ladder import Budget
from microturn.engine.runner import Checkpoint, ModelRunner, RunnerSettings
from microturn.engine.segments import segment_of
from microturn.engine.step import RowIn
from microturn.engine.whole_words import SURE
from microturn.features.sequence import Run
from microturn.model.grammar import Grammar, GrammarState, Place
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.vocabulary import Kind

PART = PARTS[3]
TOKENIZER = PART.tokenizer
VOCABULARY = TOKENIZER.vocabulary
NUM_BYTES = 256
BEGINS_V = torch.tensor([TOKENIZER.begins_word(token) for token in range(VOCABULARY.size)])
NUM_TURNS, NUM_WORDS = 16, 3
MARGIN = 1e-3


class Listener(Recorder):
    """A model that hears something in every micro-turn, in pieces of words and not in bytes, and says nothing."""

    def logits(self, hidden: Tensor) -> Tensor:
        logits = 4 * PART.model.logits(hidden)  # as sure as one that was trained
        logits[..., :NUM_BYTES] = -1000.0
        logits[..., : VOCABULARY.size] += 3 * BEGINS_V
        logits[..., VOCABULARY.special.hear] += 1000.0
        special = VOCABULARY.special
        for other in (special.say, special.audio, special.content_text, special.content_invoke_tool_text):
            logits[..., other] = -1000.0
        return logits


def listener() -> ModelRunner:
    checkpoint = Checkpoint(
        model=Listener(PART.model),  # type: ignore[arg-type]
        tokenizer=TOKENIZER,
        statistics=PART.statistics,
        vocoder=None,
        model_hash="tiny",
    )
    return ModelRunner(checkpoint, RunnerSettings(num_slots=4))


def listen(runner: ModelRunner, seeds: list[int], num_words: int) -> list[Visit]:
    visits = [Visit(seed, np.random.default_rng(seed), runner.open(seed)) for seed in seeds]
    for index in range(NUM_TURNS):
        for visit in visits:
            sound = visit.rng.normal(size=IN_SAMPLES_PER_TURN).astype(np.float32)
            visit.inputs.append(MicroTurnInput(index=index, audio=sound * np.float32(visit.rng.choice([0.01, 0.3]))))
        rows = [RowIn(slot=visit.slot, input=visit.inputs[index]) for visit in visits]
        for visit, result in zip(visits, runner.step(rows, Budget(num_words=num_words)), strict=True):
            visit.results.append(result)
    return visits


@pytest.fixture(scope="module")
def visit() -> Visit:
    return listen(listener(), [1], NUM_WORDS)[0]


def then(run: Run, num: int, tokens: list[int]) -> Run:
    """The first positions of a run, and other tokens after them."""
    kind_T = run.kind_T[:num]
    more = np.full(len(tokens), Kind.TEXT, np.uint8)
    return replace(
        run,
        kind_T=np.concatenate([kind_T, more]),
        token_T=np.concatenate([run.token_T[:num], np.array(tokens, np.int32)]),
        turn_T=np.concatenate([run.turn_T[:num], np.full(len(tokens), run.turn_T[num], np.int32)]),
        is_output_T=np.concatenate([run.is_output_T[:num], np.ones(len(tokens), np.bool_)]),
        dmel_NM=run.dmel_NM[: int((kind_T == Kind.AUDIO).sum())],
    )


def next_logp(run: Run, place: Place) -> Tensor:
    """Of the token after a run, as one forward over all of it has it: (V,)."""
    segment = segment_of([run], VOCABULARY, PART.statistics)
    with torch.no_grad():
        logits_V = Listener(PART.model).logits(PART.model(segment)[0, -1])[: VOCABULARY.size]
    return logits_V.masked_fill(~Grammar(VOCABULARY).allowed(GrammarState(place=place)), -torch.inf).log_softmax(0)


def whole_word(run: Run, at: int, first: int, first_logp: float, text_left: int) -> float:
    """How likely it is that a word with this first token stands at a position, spelt by its likeliest tokens."""
    tokens, logp = [first], first_logp
    goes_on = torch.tensor(
        [token < VOCABULARY.num_text and not TOKENIZER.begins_word(token) for token in range(VOCABULARY.size)]
    )
    while len(tokens) < min(8, text_left):
        logp_V = next_logp(then(run, at, tokens), Place.HEAR)
        token = int(logp_V.argmax())
        if not goes_on[token]:
            return logp + float(logp_V[~goes_on].logsumexp(0))
        logp += float(logp_V[token])
        tokens.append(token)
    return logp


def words_heard(run: Run) -> Iterator[tuple[int, Place, int]]:
    """Where words that are heard begin, in which place of the grammar, and the text that is left there."""
    for at in range(1, len(run)):
        hear = np.flatnonzero((run.token_T[:at] == VOCABULARY.special.hear) & (run.turn_T[:at] == run.turn_T[at]))
        if run.is_output_T[at] and len(hear) and TOKENIZER.begins_word(int(run.token_T[at])):
            num_text = at - int(hear[0]) - 1
            yield at, Place.HEAR if num_text else Place.HEAR_OPEN, Budget().max_text_tokens - num_text


def test_the_word_that_is_likeliest_as_a_whole_is_heard(visit: Visit) -> None:
    run = flat_run(visit)
    num_looked, num_other = 0, 0
    for at, place, text_left in words_heard(run):
        chosen, logp_V = int(run.token_T[at]), next_logp(then(run, at, []), place)
        if float(logp_V.max().exp()) >= SURE:
            assert chosen == int(logp_V.argmax())
            continue
        top = logp_V.masked_fill(~BEGINS_V, -torch.inf).topk(NUM_WORDS)
        words = {
            token: whole_word(run, at, token, logp, text_left)
            for token, logp in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        }
        assert words[chosen] >= max(words.values()) - MARGIN
        num_looked += 1
        num_other += chosen != int(logp_V.argmax())
    assert num_looked >= 10
    assert num_other >= 1, "the likeliest first token does not always begin the likeliest word"


def test_looking_ahead_leaves_no_trace(visit: Visit) -> None:
    runner = listener()
    (again,) = listen(runner, [1], NUM_WORDS)
    assert [r.tokens for r in again.results] == [r.tokens for r in visit.results]
    streamed_TD = runner._listening.model.hidden[id(runner.pool.stream.rows[again.slot])]
    segment = segment_of([flat_run(again)], VOCABULARY, PART.statistics)
    with torch.no_grad():
        whole_TD = PART.model(segment)[0]
    assert len(whole_TD) - len(streamed_TD) in (0, 1)
    torch.testing.assert_close(streamed_TD, whole_TD[: len(streamed_TD)], rtol=0, atol=TOLERANCE)


def test_strangers_change_nothing(visit: Visit) -> None:
    among, *_ = listen(listener(), [1, 2, 3], NUM_WORDS)
    assert [r.tokens for r in among.results] == [r.tokens for r in visit.results]


def test_a_small_budget_takes_the_likeliest_token() -> None:
    run = flat_run(listen(listener(), [1], 1)[0])
    for at, place, _ in words_heard(run):
        logp_V = next_logp(then(run, at, []), place)
        assert logp_V[run.token_T[at]] >= logp_V.max() - MARGIN
