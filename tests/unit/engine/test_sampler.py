"""Choice under a mask, and random numbers that depend on nothing but their key."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.engine.sampler import Purpose, SamplingSettings, choose, flow_noise

KEYS = [(1, 2, 3)]
ALL = torch.ones(1, 5, dtype=torch.bool)


def test_greedy_takes_the_likeliest_that_is_allowed():
    logits = torch.tensor([[0.0, 5.0, 1.0, 2.0, -1.0]])
    allowed = torch.tensor([[True, False, True, True, True]])
    assert choose(logits, allowed, SamplingSettings(), KEYS) == [3]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=5, max_size=5), st.integers(1, 31), st.floats(0.1, 3), st.floats(0.05, 1))
def test_what_is_not_allowed_is_never_drawn(values, mask, temperature, top_p):
    allowed = torch.tensor([[bool(mask >> i & 1) for i in range(5)]])
    sampling = SamplingSettings(temperature=temperature, top_p=top_p)
    for place in range(10):
        (token,) = choose(torch.tensor([values]), allowed, sampling, [(7, 0, place)])
        assert allowed[0, token]


def test_draws_follow_the_distribution():
    logits = torch.tensor([[0.6, 0.3, 0.1]]).log().repeat(3000, 1)
    keys = [(0, turn, 0) for turn in range(3000)]
    tokens = choose(logits, torch.ones_like(logits, dtype=torch.bool), SamplingSettings(temperature=1.0), keys)
    shares = np.bincount(tokens, minlength=3) / 3000
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.03)


def test_top_p_keeps_the_likeliest():
    logits = torch.tensor([[0.6, 0.3, 0.1]]).log().repeat(300, 1)
    keys = [(0, turn, 0) for turn in range(300)]
    allowed = torch.ones_like(logits, dtype=torch.bool)
    for top_p, seen in ((0.5, {0}), (0.7, {0, 1})):
        assert set(choose(logits, allowed, SamplingSettings(temperature=1.0, top_p=top_p), keys)) == seen


def test_the_same_key_draws_the_same_whoever_else_is_there():
    sampling = SamplingSettings(temperature=2.0)
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    allowed = torch.ones_like(logits, dtype=torch.bool)
    keys = [(seed, 3, 1) for seed in range(4)]
    together = choose(logits, allowed, sampling, keys)
    alone = [choose(logits[i : i + 1], allowed[:1], sampling, keys[i : i + 1])[0] for i in range(4)]
    assert together == alone


def test_a_token_and_a_phone_of_one_place_are_drawn_apart():
    logits = torch.zeros(1, 1000)
    allowed, sampling = torch.ones(1000, dtype=torch.bool), SamplingSettings(temperature=1.0)
    token = choose(logits, allowed, sampling, KEYS)
    assert choose(logits, allowed, sampling, KEYS, Purpose.TOKEN) == token
    assert choose(logits, allowed, sampling, KEYS, Purpose.PHONE) != token


def test_noise_is_standard_normal_and_differs_with_each_part_of_its_key():
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (2**63, 5, 3)]
    noises = [flow_noise(*key, 320) for key in keys]
    assert noises[0].dtype == np.float32
    np.testing.assert_array_equal(noises[0], flow_noise(0, 0, 0, 320))
    assert len({noise.tobytes() for noise in noises}) == len(keys)
    for a in range(len(keys)):
        for b in range(a):
            assert abs(np.corrcoef(noises[a], noises[b])[0, 1]) < 0.25
    many = np.concatenate([flow_noise(0, turn, patch, 320) for turn in range(50) for patch in range(4)])
    assert abs(many.mean()) < 0.02
    assert abs(many.std() - 1) < 0.02


def test_noise_leaves_the_global_generators_alone():
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    flow_noise(0, 0, 0, 320)
    choose(torch.zeros(1, 5), ALL, SamplingSettings(temperature=1.0), KEYS)
    np.testing.assert_array_equal(state, np.random.get_state()[1])
    assert torch.equal(torch_state, torch.get_rng_state())


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="takes the likeliest"):
        SamplingSettings(**wrong)
