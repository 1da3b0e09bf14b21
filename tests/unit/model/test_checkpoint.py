"""Checkpoints come back as they went; what does not fit is refused with the remedy, the model untouched."""

import json
from pathlib import Path

import pytest
import torch
from model_examples import random_model, random_segment
from safetensors.torch import load_file, save_file

from microturn.errors import CheckpointError
from microturn.model.checkpoint import CONFIG_NAME, WEIGHTS_NAME, load, load_inkling, save, save_inkling
from microturn.model.config import ModelConfig
from microturn.model.inkling_config import from_inkling_config
from microturn.model.inkling_keys import Dialect
from microturn.model.interaction_model import InteractionModel
from microturn.recipes.geometries import small


@pytest.fixture
def model() -> InteractionModel:
    return random_model(seed=1)


def test_ours_comes_back(model: InteractionModel, tmp_path: Path) -> None:
    save(model, tmp_path / "nano")
    loaded = load(tmp_path / "nano")
    assert loaded.config == model.config
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_in_half_the_size_it_is_close(model: InteractionModel, tmp_path: Path) -> None:
    save(model, tmp_path, dtype=torch.bfloat16)
    loaded = load(tmp_path)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    segment = random_segment(model.config, 1, 20, seed=2)
    with torch.no_grad():
        assert (loaded(segment) - model(segment)).abs().mean() < 0.1


@pytest.mark.parametrize("dialect", ["transformers", "hub"])
def test_inklings_part_goes_both_ways(model: InteractionModel, tmp_path: Path, dialect: Dialect) -> None:
    save_inkling(model, tmp_path, dialect)
    other = random_model(seed=2)
    speech = other.flow_head.enter.weight.clone()
    load_inkling(other, tmp_path)
    for name, tensor in other.state_dict().items():
        if not name.startswith(("speech_in.", "flow_head.", "phone_head.")):
            assert torch.equal(tensor, model.state_dict()[name]), name
    assert torch.equal(other.flow_head.enter.weight, speech)


def test_shards_and_prediction_layers_beside_the_backbone(model: InteractionModel, tmp_path: Path) -> None:
    save_inkling(model, tmp_path, "hub")
    tensors = load_file(tmp_path / WEIGHTS_NAME)
    tensors["model.mtp.layers.0.attn_norm.weight"] = torch.ones(4)
    (tmp_path / WEIGHTS_NAME).unlink()
    names = sorted(tensors)
    weight_map = {}
    for shard in range(2):
        part = {name: tensors[name] for name in names[shard::2]}
        save_file(part, tmp_path / f"part-{shard}.safetensors")
        weight_map |= dict.fromkeys(part, f"part-{shard}.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    other = random_model(seed=3)
    load_inkling(other, tmp_path)
    assert torch.equal(other.unembedding.weight, model.unembedding.weight)


def damage(folder: Path, how: str) -> None:
    """Spoil a saved checkpoint in one way."""
    weights, config = folder / WEIGHTS_NAME, folder / CONFIG_NAME
    if how == "no folder":
        config.unlink()
    elif how == "no weights":
        weights.unlink()
    elif how == "cut short":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "garbage":
        weights.write_bytes(b"\x00" * 50)
    elif how == "config garbage":
        config.write_text("{")
    elif how == "config of another program":
        config.write_text('{"model_type": "inkling_mm_model"}')
    elif how == "config with an unknown field":
        config.write_text(json.dumps({**json.loads(config.read_text()), "colour": 1}))
    elif how == "config quantised":
        config.write_text(
            json.dumps({**json.loads(config.read_text()), "quantization_config": {"quant_method": "fp8"}})
        )
    else:
        tensors = load_file(weights)
        save_file(spoilt(tensors, how), weights)


def spoilt(tensors: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    name = "unembedding.weight"
    if how == "missing":
        del tensors[name]
    elif how == "unexpected":
        tensors["extra"] = torch.ones(2)
    elif how == "shape":
        tensors[name] = tensors[name][:5].clone()
    elif how == "fp8":
        tensors[name] = tensors[name].to(torch.float8_e4m3fn)
    elif how == "packed":
        tensors[name] = torch.zeros(3, 4, dtype=torch.uint8)
    elif how == "scales":
        tensors[f"{name}_scale"] = torch.ones(2)
    return tensors


DAMAGES = {
    "no folder": "give the folder",
    "no weights": "give the folder",
    "cut short": "download it again",
    "garbage": "download it again",
    "config garbage": "download it again",
    "config of another program": "load_inkling",
    "config with an unknown field": "colour",
    "config quantised": "quantised.*bf16",
    "missing": "lacks unembedding.weight",
    "unexpected": "unknown extra",
    "shape": "unembedding.weight has shape",
    "fp8": "quantised.*bf16",
    "packed": "quantised.*bf16",
    "scales": "quantised.*bf16",
}


@pytest.mark.parametrize("how", DAMAGES)
def test_what_does_not_fit_is_refused(model: InteractionModel, tmp_path: Path, how: str) -> None:
    save(model, tmp_path)
    damage(tmp_path, how)
    with pytest.raises(CheckpointError, match=DAMAGES[how]):
        load(tmp_path)


@pytest.mark.parametrize("suffix", ["_scale", "_scale_2", "_packed", "_scale_inv"])
def test_a_quantised_inkling_is_refused(model: InteractionModel, tmp_path: Path, suffix: str) -> None:
    save_inkling(model, tmp_path, "hub")
    tensors = load_file(tmp_path / WEIGHTS_NAME)
    tensors[f"model.llm.layers.1.mlp.experts.w13_weight{suffix}"] = torch.ones(2)
    save_file(tensors, tmp_path / WEIGHTS_NAME)
    with pytest.raises(CheckpointError, match=r"quantised.*bf16"):
        load_inkling(model, tmp_path)


def test_another_geometry_is_refused_and_the_model_untouched(model: InteractionModel, tmp_path: Path) -> None:
    save_inkling(model, tmp_path, "hub")
    tensors = load_file(tmp_path / WEIGHTS_NAME)
    tensors["model.llm.layers.0.attn.wq_du.weight"] = torch.ones(3, 3)
    save_file(tensors, tmp_path / WEIGHTS_NAME)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match="use the geometry"):
        load_inkling(model, tmp_path)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())


def test_configurations_come_back() -> None:
    assert ModelConfig.from_json(small().to_json()) == small()


def test_the_released_small_configuration_is_our_small() -> None:
    """The public fields of Inkling-Small's config.json."""
    text = {
        "hidden_size": 4096, "num_hidden_layers": 42, "vocab_size": 201_024, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 128, "d_rel": 16, "rel_extent": 1024, "log_scaling_n_floor": 128_000,
        "log_scaling_alpha": 0.1, "rms_norm_eps": 1e-6, "dense_mlp_idx": 2, "sconv_kernel_size": 4,
        "unpadded_vocab_size": 200_058, "logits_mup_width_multiplier": 16.0, "swa_head_dim": 128,
        "swa_num_attention_heads": 32, "swa_num_key_value_heads": 8, "sliding_window_size": 512,
        "n_routed_experts": 256, "num_experts_per_tok": 6, "n_shared_experts": 2, "dense_intermediate_size": 16_384,
        "intermediate_size": 2048, "route_scale": 8.0, "local_layer_ids": [i for i in range(42) if (i + 1) % 6],
    }  # fmt: skip
    config = from_inkling_config(
        {
            "text_config": text,
            "audio_config": {"n_mel_bins": 80, "mel_vocab_size": 16},
            "vision_config": {"patch_size": 40, "temporal_patch_size": 2, "n_layers": 4, "n_channels": 3},
        }
    )
    assert config.backbone == small().backbone
    assert config.video_in == small().video_in
    assert config.audio_in == small().audio_in


def test_a_configuration_of_something_else_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not Inkling's"):
        from_inkling_config({"model_type": "llama"})
