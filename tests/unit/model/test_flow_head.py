"""The flow head learns a distribution that depends on its condition, and samples it the same way every time."""

import pytest
import torch
from model_examples import randomise

from microturn.model.config import SpeechConfig
from microturn.model.flow_head import FlowHead, guidance_by_step
from microturn.train.losses import without_condition

CONFIG = SpeechConfig(patch_width=6, in_width=8, head_width=32, time_width=8, num_blocks=2)


def random_head(seed: int) -> FlowHead:
    head = FlowHead(CONFIG, condition_width=5)
    randomise(head, seed)
    return head


def test_it_starts_from_nothing() -> None:
    """A fresh head's velocity is zero: its sample is the noise, its loss that of guessing the mean."""
    head = FlowHead(CONFIG, condition_width=5)
    noise = torch.randn(3, 6)
    assert torch.equal(head.sample(torch.randn(3, 5), noise, num_steps=4), noise)


def test_loss_is_one_number_a_patch_and_repeats_with_its_generator() -> None:
    head = random_head(0)
    target, condition = torch.randn(7, 6), torch.randn(7, 5)
    first = head.loss(target, condition, torch.Generator().manual_seed(1))
    again = head.loss(target, condition, torch.Generator().manual_seed(1))
    other = head.loss(target, condition, torch.Generator().manual_seed(2))
    assert first.shape == (7,)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@torch.no_grad()
def test_a_sample_follows_the_velocity() -> None:
    head = random_head(1)
    condition, point = torch.randn(2, 5), torch.randn(2, 6)
    sampled = head.sample(condition, point, num_steps=3)
    for step in range(3):
        point = point + head.velocity(point, torch.full((2,), step / 3), condition) / 3
    torch.testing.assert_close(sampled, point, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_schedule_made_once_and_strangers_change_nothing() -> None:
    head = random_head(2)
    condition, noise = torch.randn(4, 5), torch.randn(4, 6)
    whole = head.sample(condition, noise, schedule=head.schedule(5))
    torch.testing.assert_close(head.sample(condition[1:2], noise[1:2], num_steps=5), whole[1:2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_steps", [4, 8])
def test_it_learns_what_the_condition_says(num_steps: int) -> None:
    torch.manual_seed(0)
    head = FlowHead(CONFIG, condition_width=5)
    centres = 2.0 * torch.randn(3, 6)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    for _ in range(200):
        which = torch.randint(0, 3, (96,))
        target = centres[which] + 0.1 * torch.randn(96, 6)
        loss = head.loss(target, torch.nn.functional.one_hot(which, 5).float()).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        sampled = head.sample(torch.eye(5)[:3].repeat(20, 1), torch.randn(60, 6), num_steps=num_steps)
    error = (sampled - centres.repeat(20, 1)).square().mean().sqrt()
    assert error < 0.5, error


@torch.no_grad()
def test_guidance_leads_away_from_what_is_said_without_a_condition() -> None:
    head = random_head(3)
    condition, noise = torch.randn(2, 5), torch.randn(2, 6)
    nothing = torch.zeros_like(condition)
    start = noise + 0.5 * head.velocity(noise, torch.zeros(2), condition)
    plain, none = (head.velocity(start, torch.full((2,), 0.5), c) for c in (condition, nothing))
    guided = head.sample(condition, noise, schedule=head.schedule(2, guidance=3.0))
    torch.testing.assert_close(guided, start + 0.5 * (none + 3 * (plain - none)), rtol=1e-4, atol=1e-4)


def test_only_the_middle_of_the_flow_is_guided() -> None:
    assert guidance_by_step(4, 2.5) == (1, 2.5, 2.5, 1)
    assert guidance_by_step(3, 2.5) == (1, 2.5, 2.5)
    assert guidance_by_step(8, 1.0) == (1,) * 8


def test_some_draws_in_training_have_no_condition() -> None:
    condition = torch.randn(2_000, 3)
    kept = without_condition(condition, 0.1, torch.Generator().manual_seed(1))
    is_zero = (kept == 0).all(1)
    assert 0.07 < is_zero.float().mean() < 0.13
    assert torch.equal(kept[~is_zero], condition[~is_zero])
