"""Weights as their difference from others, in 8 bits: what a checkpoint that went on from another adds to it.

A model that went on from another's weights differs from it little, and 8 bits of that difference are worth more than 8
bits of the weights: an error of a hundredth of what was learnt since, for half the bytes of bfloat16. Each row of a
matrix has a scale of its own, the greatest difference in it over 127 (symmetric absmax quantisation, one scale per
output channel, as Wu et al. 2020, arXiv:2004.09602). Vectors, short convolutions and whatever the other model does not
have are stored whole.

The folder holds ``config.json`` and ``difference.safetensors``, which names the weights that it stands on.
"""

import hashlib
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from microturn.errors import CheckpointError
from microturn.model import checkpoint
from microturn.model.interaction_model import InteractionModel

DIFFERENCE_NAME = "difference.safetensors"
_BASE = "base"
_SCALE_SUFFIX = ".scale_of_row"
_LEVELS = 127


def save(model: InteractionModel, folder: Path, base: Path) -> None:
    """Write a model as its difference from a checkpoint, each file whole or not at all.

    Args:
        model: What to write.
        folder: Made if it is not there.
        base: Folder of the checkpoint that it went on from.

    Raises:
        CheckpointError: the base is absent or damaged.
    """
    base_state = checkpoint.load(base).state_dict()
    tensors: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if _is_apart(name, tensor, base_state):
            tensors[name] = checkpoint.in_precision(name, tensor, torch.bfloat16)
            continue
        difference = tensor.float().cpu() - base_state[name]
        scale_of_row = difference.abs().amax(-1, keepdim=True).clamp(min=1e-12) / _LEVELS
        tensors[name] = (difference / scale_of_row).round().to(torch.int8)
        tensors[name + _SCALE_SUFFIX] = scale_of_row
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.write_config(model.config, folder)
    checkpoint.write_tensors(folder / DIFFERENCE_NAME, tensors, {_BASE: hash_of(base)})


def load(folder: Path, base: Path) -> InteractionModel:
    """Read a model that ``save`` wrote, in fp32.

    Args:
        folder: Of the difference.
        base: Folder of the checkpoint that it stands on.

    Raises:
        CheckpointError: either is absent or damaged, or the difference is of other weights than the base's.
    """
    path = folder / DIFFERENCE_NAME
    model = InteractionModel(checkpoint.read_config(folder))
    base_state = checkpoint.load(base).state_dict()
    with checkpoint.naming(path), safe_open(path, framework="pt") as file:
        stands_on = (file.metadata() or {}).get(_BASE)
        if stands_on != hash_of(base):
            raise CheckpointError(
                f"{path} stands on the weights {stands_on}, {base} holds {hash_of(base)}: take both from the same place"
            )
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    scales = {name: stored.pop(name) for name in list(stored) if name.endswith(_SCALE_SUFFIX)}
    tensors = {
        name: base_state[name] + tensor * scales[name + _SCALE_SUFFIX] if tensor.dtype == torch.int8 else tensor
        for name, tensor in stored.items()
    }
    checkpoint.fill(model, tensors, path)
    return model


def hash_of(folder: Path) -> str:
    """Names the weights, or the difference, in a folder: 16 hexadecimal digits."""
    names = (DIFFERENCE_NAME, checkpoint.WEIGHTS_NAME)
    path = next((folder / name for name in names if (folder / name).exists()), folder / checkpoint.WEIGHTS_NAME)
    with checkpoint.naming(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _is_apart(name: str, tensor: Tensor, base_state: dict[str, Tensor]) -> bool:
    """Whether a tensor is stored whole."""
    has_base = name in base_state and base_state[name].shape == tensor.shape
    return not has_base or tensor.ndim < 2 or "convolution" in name
