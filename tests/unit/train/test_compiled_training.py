"""Compiled layers train the same model."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import STATISTICS, TOKENIZER, episode, tiny

from microturn.model.compiled import can_compile
from microturn.model.config import HeadsConfig
from microturn.model.interaction_model import InteractionModel
from microturn.train.batches import Batch, collate
from microturn.train.losses import AuxiliaryHeads, LossConfig, compute_losses

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not can_compile("cpu"), reason="no C++ compiler")]


def batch(lengths: tuple[int, ...]) -> Batch:
    return collate([episode(i, length) for i, length in enumerate(lengths)], TOKENIZER.vocabulary, STATISTICS)


def fresh() -> InteractionModel:
    """Heads that fit the compiled attention, and nothing at its default of zeros and ones."""
    config = tiny().model
    heads = HeadsConfig(num_heads=2, num_kv_heads=1, head_width=32)
    torch.manual_seed(0)
    model = InteractionModel(
        replace(config, backbone=replace(config.backbone, sliding_heads=heads, global_heads=heads))
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def losses_and_gradients(model: InteractionModel, given: Batch, is_bf16: bool) -> tuple[float, torch.Tensor]:
    torch.manual_seed(1)
    auxiliaries = AuxiliaryHeads(model.config.backbone.width)
    with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
        total = compute_losses(model, auxiliaries, given, LossConfig(), torch.Generator().manual_seed(2)).total
    total.backward()
    grads = [p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in model.parameters()]
    return float(total.detach()), torch.cat(grads)


@pytest.mark.parametrize(("is_bf16", "tolerance"), [(False, 1e-4), (True, 3e-2)])
def test_losses_and_gradients_are_those_of_plain_layers(is_bf16: bool, tolerance: float, tmp_path: Path) -> None:
    plain, compiled = fresh(), fresh().compile_training()
    for lengths in ((9, 7, 3), (12, 12)):
        expected, theirs = losses_and_gradients(plain, batch(lengths), is_bf16)
        loss, ours = losses_and_gradients(compiled, batch(lengths), is_bf16)
        assert loss == pytest.approx(expected, rel=tolerance)
        assert (ours - theirs).norm() < tolerance * theirs.norm()
