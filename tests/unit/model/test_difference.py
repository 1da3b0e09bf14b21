"""Weights as their difference from others: what comes back, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from microturn.errors import CheckpointError
from microturn.model import checkpoint, difference
from microturn.model.interaction_model import InteractionModel
from microturn.testing.tiny_model import tiny_parts


def saved_base(folder: Path, seed: int = 0) -> InteractionModel:
    """A blind model in a checkpoint folder."""
    parts = tiny_parts(seed)
    model = InteractionModel(replace(parts.model.config, video_in=None))
    model.load_state_dict({n: v for n, v in parts.model.state_dict().items() if not n.startswith("image_in.")})
    checkpoint.save(model, folder)
    return model


def gone_on(base: InteractionModel, by: float = 0.01) -> InteractionModel:
    """The same with eyes, and each weight changed a little."""
    model = InteractionModel(replace(base.config, video_in=tiny_parts().model.config.video_in))
    model.load_state_dict(base.state_dict(), strict=False)
    with torch.no_grad():
        torch.manual_seed(1)
        for parameter in model.parameters():
            parameter.add_(by * torch.randn_like(parameter))
    return model


def test_what_comes_back_is_a_hundredth_of_the_difference_off(tmp_path: Path):
    base = saved_base(tmp_path)
    model = gone_on(base)
    difference.save(model, tmp_path / "seeing", tmp_path)
    again = difference.load(tmp_path / "seeing", tmp_path)
    assert again.config == model.config
    before, wanted = base.state_dict(), model.state_dict()
    for name, value in again.state_dict().items():
        if name in before:
            changed = (wanted[name] - before[name]).norm()
            assert (value - wanted[name]).norm() <= 0.015 * changed, name
        else:
            torch.testing.assert_close(value, wanted[name], rtol=1e-2, atol=1e-2)


def test_matrices_take_a_byte_a_weight(tmp_path: Path):
    base = saved_base(tmp_path)
    difference.save(gone_on(base), tmp_path / "seeing", tmp_path)
    stored = load_file(tmp_path / "seeing" / difference.DIFFERENCE_NAME)
    assert stored["blocks.0.mlp.gate.weight"].dtype == torch.int8
    assert stored["unembedding.weight"].dtype == torch.int8
    assert all(
        value.dtype == torch.bfloat16
        for name, value in stored.items()
        if name.startswith("image_in.") and value.ndim > 1
    )


def test_weights_that_have_not_changed_come_back_as_they_were(tmp_path: Path):
    base = saved_base(tmp_path)
    difference.save(base, tmp_path / "same", tmp_path)
    for name, value in difference.load(tmp_path / "same", tmp_path).state_dict().items():
        torch.testing.assert_close(value, base.state_dict()[name], rtol=0, atol=0)


def test_a_difference_from_other_weights_is_refused(tmp_path: Path):
    difference.save(gone_on(saved_base(tmp_path)), tmp_path / "seeing", tmp_path)
    saved_base(tmp_path, seed=5)
    with pytest.raises(CheckpointError, match=r"stands on the weights .* take both from the same place"):
        difference.load(tmp_path / "seeing", tmp_path)


@pytest.mark.parametrize("damage", [b"", b"not safetensors"])
def test_a_damaged_difference_is_named(tmp_path: Path, damage: bytes):
    difference.save(gone_on(saved_base(tmp_path)), tmp_path / "seeing", tmp_path)
    path = tmp_path / "seeing" / difference.DIFFERENCE_NAME
    path.write_bytes(damage)
    with pytest.raises(CheckpointError, match=f"{path.name} is damaged or cut short"):
        difference.load(tmp_path / "seeing", tmp_path)


def test_an_absent_difference_is_named(tmp_path: Path):
    difference.save(gone_on(saved_base(tmp_path)), tmp_path / "seeing", tmp_path)
    (tmp_path / "seeing" / difference.DIFFERENCE_NAME).unlink()
    with pytest.raises(CheckpointError, match="is not there"):
        difference.load(tmp_path / "seeing", tmp_path)
