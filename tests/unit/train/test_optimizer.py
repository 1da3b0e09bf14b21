"""Rates of the weights that hear, and of those behind them that only speak."""

import math
from dataclasses import replace

import pytest
import torch
from tiny_runs import tiny
from torch import nn

from microturn.model.config import SpeechConfig
from microturn.model.interaction_model import InteractionModel
from microturn.train.losses import AuxiliaryHeads
from microturn.train.optimizer import Optimizer, OptimizerConfig


def moved(config: OptimizerConfig) -> dict[str, float]:
    """How far each parameter goes in a step whose gradient is one everywhere."""
    torch.manual_seed(0)
    modules = nn.ModuleDict({"model": InteractionModel(tiny().model), "auxiliary": AuxiliaryHeads(32)})
    before = {name: value.detach().clone() for name, value in modules.named_parameters()}
    optimizer = Optimizer(modules, config)
    for parameter in modules.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step(1.0)
    return {name: float((value.detach() - before[name]).abs().mean()) for name, value in modules.named_parameters()}


def test_sight_alone_goes_faster_where_it_is_told_to() -> None:
    config = OptimizerConfig(voice_scale=2.0).at(0.1, sight_scale=0.4)
    for name in ("model.image_in.folds.0.linear.weight", "auxiliary.seen.weight"):
        assert config.scale_of(name) == pytest.approx(4.0)
    assert [config.scale_of(name) for name in ("model.flow_head.enter.weight", "model.text_in.table")] == [1.0, 1.0]


def test_muon_has_the_maps_between_hidden_states_and_not_those_that_enter() -> None:
    modules = nn.ModuleDict({"model": InteractionModel(replace(tiny().model, speech=SpeechConfig(num_phones=20)))})
    optimizer = Optimizer(modules, OptimizerConfig())
    with_muon = {id(p) for group in optimizer.muon.param_groups for p in group["params"]}
    entering = {n: id(p) in with_muon for n, p in modules.named_parameters() if n.endswith("enter.weight")}
    inputs = ("speech_in.enter.weight", "flow_head.enter.weight", "flow_head.time_enter.weight")
    assert entering.pop("model.flow_head.blocks.0.enter.weight")
    assert not any(entering.pop(f"model.{name}") for name in inputs)
    assert all(entering.values())  # of the other blocks


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(value: float) -> None:
    layer = nn.Linear(20, 20)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    optimizer = Optimizer(layer, OptimizerConfig())
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    layer.bias.grad = torch.full_like(layer.bias, value)
    assert not math.isfinite(optimizer.step(1.0))
    assert all(torch.equal(now, then) for now, then in zip(layer.parameters(), before, strict=True))
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_the_voice_alone_goes_faster_where_it_is_told_to() -> None:
    slow, fast = (moved(OptimizerConfig(weight_decay=0.0).at(0.1, voice)) for voice in (None, 0.3))
    for name, distance in slow.items():
        is_voice = any(part in name for part in ("flow_head", "phone_head", "auxiliary"))
        is_sight = name in ("auxiliary.seen.weight", "auxiliary.seen.bias") or "glimpsed" in name
        ratio = 3.0 if is_voice and not is_sight else 1.0
        assert abs(fast[name] - ratio * distance) < 1e-2 * ratio * distance, name
