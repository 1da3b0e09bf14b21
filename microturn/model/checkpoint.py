"""Models on disk: our own checkpoints, and Inkling's.

A checkpoint of ours is a folder with ``config.json`` and ``model.safetensors``. Inkling's is a folder of safetensors
under `transformers`' names or the hub's (``inkling_keys``). Whatever does not fit raises CheckpointError and leaves
the model as it was.
"""

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from microturn.errors import CheckpointError
from microturn.model.config import ModelConfig
from microturn.model.inkling_keys import Dialect, links
from microturn.model.interaction_model import InteractionModel

CONFIG_NAME, WEIGHTS_NAME, INDEX_NAME = "config.json", "model.safetensors", "model.safetensors.index.json"
_QUANTISED_SUFFIXES = ("_scale", "_scale_2", "_scale_inv", "weight_packed", "_global_scale_inv", "input_global_scale")
_BEYOND_BACKBONE = "model.mtp."
"""Multi-token prediction: layers beside the backbone that we do not have."""


def save(model: InteractionModel, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Write a checkpoint of ours. Replaces files one by one, each whole or not at all.

    Args:
        model: What to write.
        folder: Made if it is not there.
        dtype: Of the matrices; None keeps theirs. Vectors and convolutions keep their precision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: in_precision(name, tensor, dtype) for name, tensor in model.state_dict().items()}
    write_tensors(folder / WEIGHTS_NAME, tensors)
    write_config(model.config, folder)


def in_precision(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A tensor as it is stored: matrices in ``dtype``, vectors and short convolutions as they are."""
    return tensor.to(dtype) if dtype is not None and tensor.ndim > 1 and "convolution" not in name else tensor


def load(folder: Path) -> InteractionModel:
    """Read a checkpoint of ours, in fp32.

    Raises:
        CheckpointError: it is absent, damaged, quantised, or not of ours.
    """
    model = InteractionModel(read_config(folder))
    fill(model, dict(_read_tensors([folder / WEIGHTS_NAME])), folder)
    return model


def read_config(folder: Path) -> ModelConfig:
    """The configuration in a checkpoint of ours.

    Raises:
        CheckpointError: it is absent, damaged, of quantised weights, or not of ours.
    """
    config = _read_json(folder / CONFIG_NAME)
    _refuse_quantised(config, folder)
    if "backbone" not in config:
        raise CheckpointError(
            f"{folder / CONFIG_NAME} is not a microturn model's: load Inkling's own checkpoints with load_inkling"
        )
    return ModelConfig.from_json(json.dumps(config))


def write_config(config: ModelConfig, folder: Path) -> None:
    """Write ``config.json``, whole or not at all."""
    partial = folder / f"{CONFIG_NAME}.part"
    partial.write_text(config.to_json() + "\n", encoding="utf-8")
    partial.replace(folder / CONFIG_NAME)


def save_inkling(model: InteractionModel, folder: Path, dialect: Dialect = "transformers") -> None:
    """Write Inkling's part of a model under Inkling's names; a speech head is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / WEIGHTS_NAME, to_inkling(model, dialect))


def load_inkling(model: InteractionModel, folder: Path) -> None:
    """Fill a model from Inkling's files, in either dialect; a speech head keeps its weights.

    Raises:
        CheckpointError: they are absent, damaged, quantised, or of another geometry.
    """
    config_path = folder / CONFIG_NAME
    _refuse_quantised(_read_json(config_path) if config_path.exists() else {}, folder)
    tensors = dict(_read_tensors(_shards(folder)))
    ours = from_inkling(tensors, model.config)
    required = {name for name in model.state_dict() if not name.startswith(("speech_in.", "flow_head.", "phone_head."))}
    fill(model, ours, folder, required)


def to_inkling(model: InteractionModel, dialect: Dialect) -> dict[str, Tensor]:
    """Inkling's part of a model under Inkling's names."""
    state = model.state_dict()
    return {link.theirs: link.encode([state[name] for name in link.ours]) for link in links(model.config, dialect)}


def from_inkling(tensors: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Inkling's tensors, in either dialect, under our names. Raises CheckpointError for what is unknown or missing."""
    dialect: Dialect = "hub" if any(name.startswith("model.llm.") for name in tensors) else "transformers"
    known = {link.theirs: link for link in links(config, dialect)}
    names = {name for name in tensors if not name.startswith(_BEYOND_BACKBONE)}
    _refuse_names(known.keys() - names, names - known.keys(), "these weights")
    ours: dict[str, Tensor] = {}
    for name, link in known.items():
        try:
            ours.update(zip(link.ours, link.decode(tensors[name]), strict=True))
        except (RuntimeError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"{name} has shape {tuple(tensors[name].shape)}, which does not fit: use the geometry it was made for"
            ) from error
    return ours


def fill(
    model: InteractionModel, tensors: dict[str, Tensor], source: Path, required: Iterable[str] | None = None
) -> None:
    """Give a model its weights; ``required`` are those that have to be there, all unless given.

    Raises:
        CheckpointError: ``source``, which they were read from, lacks some, or has some that do not fit.
    """
    state = model.state_dict()
    _refuse_names(
        set(state if required is None else required) - tensors.keys(), tensors.keys() - state.keys(), str(source)
    )
    for name, tensor in tensors.items():
        if tensor.shape != state[name].shape:
            raise CheckpointError(
                f"{source}: {name} has shape {tuple(tensor.shape)}, the configuration says "
                f"{tuple(state[name].shape)}: use the geometry it was made for"
            )
    model.load_state_dict(tensors, strict=False)


def _refuse_names(missing: Iterable[str], unexpected: Iterable[str], source: str) -> None:
    for problem, names in (("lacks", sorted(missing)), ("has the unknown", sorted(unexpected))):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise CheckpointError(
                f"{source} {problem} {', '.join(names[:3])}{more}: "
                "download it whole, or use the geometry it was made for"
            )


def _refuse_quantised(config: dict[str, Any], source: Path) -> None:
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        if part.get("quantization_config"):
            raise _quantised("quantization_config", source)


def _quantised(what: str, source: Path) -> CheckpointError:
    return CheckpointError(f"{source} is quantised ({what}): use the bf16 weights, microturn reads no packed formats")


def _shards(folder: Path) -> list[Path]:
    index = folder / INDEX_NAME
    if not index.exists():
        return [folder / WEIGHTS_NAME]
    try:
        return [folder / name for name in sorted(set(_read_json(index)["weight_map"].values()))]
    except (KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{index} has no weight map ({error}): download it again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"cannot read {path} ({error.strerror}): give the folder of a checkpoint") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged ({error}): download it again") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds no object: download it again")
    return value


def _read_tensors(paths: Iterable[Path]) -> Iterator[tuple[str, Tensor]]:
    for path in paths:
        with naming(path), safe_open(path, framework="pt") as file:
            names = list(file.keys())
            for name in names:
                # By name first: not every packed type can even be read.
                if name.endswith(_QUANTISED_SUFFIXES) and not name.endswith(".global_scale"):
                    raise _quantised(name, path)
            for name in names:
                tensor = file.get_tensor(name)
                if not tensor.is_floating_point() or tensor.itemsize < 2:
                    raise _quantised(f"{name} is {tensor.dtype}", path)
                yield name, tensor


@contextmanager
def naming(
    path: Path, *, give: str = "the folder of a checkpoint", remedy: str = "download it again"
) -> Generator[None]:
    """While weights are read: say which file is at fault, and what to do about it.

    Raises:
        CheckpointError: the file is not there, damaged or cut short.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is not there: give {give}") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or cut short ({error}): {remedy}") from error


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors, whole or not at all."""
    partial = path.with_name(f"{path.name}.part")
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, partial, metadata)
    partial.replace(path)
