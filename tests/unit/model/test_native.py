"""Compiled layers compute what the model computes: whole sequences, strangers, eviction, bfloat16 weights, speech."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_examples import random_model, random_segment, row_slice, small_config
from test_streaming_model import TOLERANCE, streamed, whole

from microturn.model import native, native_pass, row_state
from microturn.model.config import ModelConfig
from microturn.model.interaction_model import InteractionModel
from microturn.model.native_pass import NativeFlowHead, NativeLayers
from microturn.model.segment import Segment
from microturn.model.stream_state import StreamState


def dense_config() -> ModelConfig:
    """Unlike heads, windows that are outrun and eviction; but dense, and without log scaling."""
    return small_config(mlps=("dense",) * 4, log_scaling_floor=None)


def fused(seed: int, dtype: torch.dtype = torch.float32) -> InteractionModel:
    model = random_model(seed, dense_config())
    return model.to(dtype).float().fuse()


@given(seed=st.integers(0, 10_000), num_rows=st.integers(1, 3), max_chunk=st.integers(1, 12))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_streaming_equals_whole(seed: int, num_rows: int, max_chunk: int) -> None:
    model = fused(seed=1)
    segment = random_segment(model.config, num_rows, 60, seed)
    hidden = streamed(model, segment, random.Random(seed), max_chunk)
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


def test_it_is_the_compiled_layers_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sparse = fused(seed=1), random_model(seed=1).fuse()
    calls = []
    run = NativeLayers._run
    monkeypatch.setattr(NativeLayers, "_run", lambda self, *row: (calls.append(row), run(self, *row))[1])
    segment = random_segment(model.config, 2, 20, seed=2)
    model(segment, StreamState.new(model.config, 2))
    assert len(calls) == 2
    sparse(segment, StreamState.new(sparse.config, 2))
    assert len(calls) == 2


def test_long_segments_and_short_ones_share_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_pass, "MOST_POSITIONS", 4)
    monkeypatch.setattr(row_state, "SLACK", 4)
    model = fused(seed=3)
    segment = random_segment(model.config, 2, 150, seed=5)
    hidden = streamed(model, segment, random.Random(5), max_chunk=8)
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


def test_weights_that_bfloat16_holds_are_read_as_such() -> None:
    model = fused(seed=4, dtype=torch.bfloat16)
    assert model._native is not None
    dtypes = {array.dtype for layer in model._native.layers for array in layer if isinstance(array, np.ndarray)}
    assert np.dtype(np.uint16) in dtypes
    segment = random_segment(model.config, 2, 60, seed=6)
    hidden = streamed(model, segment, random.Random(6), max_chunk=6)
    torch.testing.assert_close(hidden, whole(model, segment), rtol=0, atol=TOLERANCE)


def test_the_same_input_gives_the_same_bits_alone_and_among_others() -> None:
    model = fused(seed=7)
    tokens = torch.randint(0, 60, (3, 40), generator=torch.Generator().manual_seed(8))
    segment = Segment.of_tokens(tokens, turn=torch.arange(40)[None] // 4)
    alone = streamed(model, segment, random.Random(1), max_chunk=1)
    again = streamed(model, segment, random.Random(2), max_chunk=1)
    assert torch.equal(alone, again)


@pytest.mark.parametrize(("dtype", "guidance"), [(torch.float32, 1.0), (torch.float32, 2.5), (torch.bfloat16, 1.5)])
def test_patches_are_those_of_the_flow_head(dtype: torch.dtype, guidance: float) -> None:
    config = dense_config()
    assert config.speech is not None
    model = random_model(9, replace(config, speech=replace(config.speech, guidance=guidance))).to(dtype).float()
    head = model.flow_head
    hidden, noise, phones = torch.randn(3, 48), torch.randn(3, 20), torch.tensor([0, 6, 2])
    condition = model.flow_condition(hidden, phones).detach()
    before = noise.clone()
    with torch.no_grad():
        expected = head.sample(condition, noise, schedule=head.schedule(4, guidance))
        sampled = NativeFlowHead(head, head.schedule(4, guidance)).sample(condition, noise)
    torch.testing.assert_close(sampled, expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(noise, before)
    assert torch.equal(model.fuse().make_patches(hidden, phones, noise, 4), sampled)
    with torch.no_grad():
        plain = head.sample(condition, noise, num_steps=4)
    unguided = model.make_patches(hidden, phones, noise, 4, is_guided=False)
    torch.testing.assert_close(unguided, plain, rtol=1e-5, atol=1e-4)


def test_exponentials_are_exact_to_rounding_and_vanish_far_down() -> None:
    x = -np.concatenate([np.linspace(0, 40, 4001), [50, 1e4]]).astype(np.float32)
    y, scratch = x.copy(), np.empty_like(x)
    total = native.exponentials(y, scratch)
    np.testing.assert_allclose(y[:4001], np.exp(x[:4001].astype(np.float64)), rtol=2e-6)
    assert (y[4001:] < 1e-18).all()
    assert total == pytest.approx(np.exp(x.astype(np.float64)).sum(), rel=1e-5)


def test_text_that_a_summary_replaced_is_seen_no_more() -> None:
    native_model, plain = fused(seed=10), fused(seed=10)
    plain._native = None
    segment = random_segment(plain.config, 1, 90, seed=11)
    hidden, before = {}, int(segment.turn_BT[0, 59]) - 2
    for dropped_before in (0, before):
        for model in (native_model, plain):
            state = StreamState.new(model.config, 1)
            parts = []
            for start in range(0, 90, 6):
                if start == 60 and dropped_before:
                    state.rows[0].drop_text(dropped_before)
                parts.append(model(row_slice(segment, 0, start, start + 6), state))
            hidden[model is plain, dropped_before] = torch.cat(parts, dim=1)
    torch.testing.assert_close(hidden[False, before], hidden[True, before], rtol=0, atol=TOLERANCE)
    assert (hidden[False, before] - hidden[False, 0]).abs().max() > 10 * TOLERANCE
