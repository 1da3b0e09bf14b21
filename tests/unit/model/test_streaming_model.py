"""Chunked with a state equals whole, for every row, whoever else is in the batch."""

import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_examples import random_model, random_segment, row_slice, small_config

from microturn.model import row_state
from microturn.model.interaction_model import InteractionModel
from microturn.model.segment import Kind, Segment
from microturn.model.stream_state import StreamState

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def model() -> InteractionModel:
    return random_model(seed=1)


def whole(model: InteractionModel, segment: Segment) -> torch.Tensor:
    with torch.no_grad():
        return model(segment)


def streamed(
    model: InteractionModel, segment: Segment, rng: random.Random, max_chunk: int, state: StreamState | None = None
) -> torch.Tensor:
    """All rows of a segment through a pool, a random batch of rows and a random chunk of each at a time."""
    num_rows, length = segment.kind_BT.shape
    pool = state or StreamState.new(model.config, num_rows)
    done = [0] * num_rows
    hidden = torch.zeros(num_rows, length, model.config.backbone.width)
    while min(done) < length:
        batch = rng.sample(range(num_rows), rng.randint(1, num_rows))
        chunks = [min(rng.randint(0, max_chunk), length - done[row]) for row in batch]
        if not max(chunks):
            continue
        rows = [row_slice(segment, row, done[row], done[row] + n) for row, n in zip(batch, chunks, strict=True)]
        out = model(Segment.batch(rows), pool.select(batch))
        for i, (row, n) in enumerate(zip(batch, chunks, strict=True)):
            hidden[row, done[row] : done[row] + n] = out[i, :n]
            done[row] += n
    return hidden


@given(seed=st.integers(0, 10_000), num_rows=st.integers(1, 3), max_chunk=st.integers(1, 12))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_streaming_equals_whole_among_strangers(seed: int, num_rows: int, max_chunk: int) -> None:
    model = random_model(seed=1)
    segment = random_segment(model.config, num_rows, 60, seed)
    hidden = streamed(model, segment, random.Random(seed), max_chunk)
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


@given(seed=st.integers(0, 10_000), num_rows=st.integers(1, 3), max_chunk=st.integers(1, 12))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_fused_layers_equal_whole(seed: int, num_rows: int, max_chunk: int) -> None:
    model = random_model(seed=1)
    segment = random_segment(model.config, num_rows, 60, seed)
    hidden = streamed(model.fuse(), segment, random.Random(seed), max_chunk)
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


def test_fused_layers_do_not_outlive_their_weights() -> None:
    model = random_model(seed=1).fuse()
    segment = random_segment(model.config, 1, 20, seed=2)
    model.load_state_dict(random_model(seed=2).state_dict())
    hidden = model(segment, StreamState.new(model.config, 1))
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


def test_eviction_and_text_limit_are_at_work(model: InteractionModel) -> None:
    """The tests above would also pass without a mask on either side: it must change what comes out."""
    segment = random_segment(model.config, 1, 90, seed=3)
    reference = whole(model, segment)
    for change in ({"eviction_turns": None}, {"eviction_turns": 4}, {"max_kept_text": 11}):
        other = InteractionModel(dataclasses.replace(model.config, **change)).eval()
        other.load_state_dict(model.state_dict())
        assert (whole(other, segment) - reference).abs().max() > 10 * TOLERANCE, change


def test_streaming_equals_whole_while_buffers_move(model: InteractionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_state, "SLACK", 4)
    segment = random_segment(model.config, 2, 200, seed=5)
    hidden = streamed(model, segment, random.Random(5), max_chunk=5)
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


def test_memory_of_a_row_is_bounded(model: InteractionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_state, "SLACK", 8)
    segment = random_segment(model.config, 1, 400, seed=6)
    state = StreamState.new(model.config, 1)
    sizes = []
    for start in range(0, 400, 5):
        model(row_slice(segment, 0, start, start + 5), state)
        sizes.append(state.nbytes(0))
    assert max(sizes[20:]) <= 1.5 * max(sizes[10:20])
    assert state.rows[0].position == 400


def test_absent_rows_stay_as_they_are(model: InteractionModel) -> None:
    segment = random_segment(model.config, 2, 20, seed=7)
    state = StreamState.new(model.config, 2)
    streamed(model, segment, random.Random(7), 6, state)
    before = state.to_tensors(1)
    more = random_segment(model.config, 2, 3, seed=8)
    model(Segment.batch([row_slice(more, 0, 0, 3), row_slice(more, 1, 0, 0)]), state)
    after = state.to_tensors(1)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_snapshot_goes_on_as_the_row_would_have(model: InteractionModel) -> None:
    segment = random_segment(model.config, 1, 90, seed=9)
    state = StreamState.new(model.config, 1)
    model(row_slice(segment, 0, 0, 60), state)
    copy = StreamState.new(model.config, 2)
    copy.load_row(1, state.to_tensors(0))
    rest = row_slice(segment, 0, 60, 90)
    torch.testing.assert_close(model(rest, copy.select([1])), model(rest, state), rtol=0, atol=1e-5)


def test_rewinding_undoes_a_step(model: InteractionModel) -> None:
    segment = random_segment(model.config, 1, 60, seed=10)
    state = StreamState.new(model.config, 1)
    model(row_slice(segment, 0, 0, 40), state)
    state.rows[0].reserve(20)
    mark = state.rows[0].mark()
    first = model(row_slice(segment, 0, 40, 60), state)
    state.rows[0].rewind(mark)
    assert torch.equal(model(row_slice(segment, 0, 40, 60), state), first)


def test_a_reset_row_starts_over(model: InteractionModel) -> None:
    segment = random_segment(model.config, 1, 30, seed=11)
    state = StreamState.new(model.config, 1)
    first = model(segment, state)
    state.reset_row(0)
    assert torch.equal(model(segment, state), first)


def test_padding_on_the_right_changes_nothing(model: InteractionModel) -> None:
    segment = random_segment(model.config, 2, 40, seed=12)
    short = row_slice(segment, 1, 0, 25)
    batch = Segment.batch([row_slice(segment, 0, 0, 40), short])
    torch.testing.assert_close(whole(model, batch)[1:, :25], whole(model, short), rtol=0, atol=1e-5)


def test_the_future_changes_nothing(model: InteractionModel) -> None:
    one = random_segment(model.config, 1, 50, seed=13)
    other = Segment.batch([row_slice(one, 0, 0, 50)])
    other.token_BT = one.token_BT.clone()
    is_token = other.kind_BT == Kind.TEXT
    is_token[0, :30] = False
    other.token_BT[is_token] = (other.token_BT[is_token] + 1) % 61
    first, second = whole(model, one), whole(model, other)
    # Not bit for bit: where a buffer happens to lie in memory decides how a product is rounded.
    torch.testing.assert_close(first[:, :30], second[:, :30], rtol=0, atol=1e-5)
    assert (first[:, 30:] - second[:, 30:]).abs().amax() > 0.1


def test_without_eviction_or_log_scaling() -> None:
    config = dataclasses.replace(small_config(log_scaling_floor=None), eviction_turns=None)
    model = random_model(14, config)
    segment = random_segment(config, 2, 60, seed=14)
    hidden = streamed(model, segment, random.Random(14), 7)
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


def test_a_state_for_other_rows_is_refused(model: InteractionModel) -> None:
    with pytest.raises(ValueError, match="select the rows"):
        model(random_segment(model.config, 2, 4, seed=15), StreamState.new(model.config, 3))
