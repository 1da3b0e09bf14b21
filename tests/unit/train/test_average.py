"""The mean of recent weights is what it says, and leaves training alone."""

import torch
from torch import nn

from microturn.train.average import WeightAverage


def stepped(horizon_steps: int, values: list[float]) -> tuple[nn.Parameter, WeightAverage]:
    parameter = nn.Parameter(torch.full((3,), values[0]))
    average = WeightAverage([parameter], horizon_steps)
    for value in values[1:]:
        parameter.data.fill_(value)
        average.update()
    return parameter, average


def shown(parameter: nn.Parameter, average: WeightAverage) -> float:
    with average.in_place():
        return float(parameter.detach().mean())


def test_at_first_all_weights_count_alike() -> None:
    assert shown(*stepped(10, [1.0, 2.0, 6.0])) == 3.0


def test_later_the_latest_count_most() -> None:
    parameter, average = stepped(4, [0.0] * 50 + [1.0] * 4)
    assert 0.6 < shown(parameter, average) < 0.8


def test_training_goes_on_with_its_own_weights() -> None:
    parameter, average = stepped(10, [1.0, 3.0])
    with average.in_place():
        assert (parameter == 2).all()
    assert (parameter == 3).all()
    assert shown(parameter, average) == 2.0


def test_it_goes_on_from_what_was_saved_or_from_the_weights() -> None:
    _, saved = stepped(10, [1.0, 3.0])
    parameter, other = stepped(10, [7.0])
    other.load_state_dict(saved.state_dict())
    assert shown(parameter, other) == 2.0
    other.load_state_dict(None)
    assert shown(parameter, other) == 7.0
