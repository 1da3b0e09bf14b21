"""The backbone and its inputs against `transformers.models.inkling`, in fp32, on random small configurations.

Every norm, scale, bias, profile and convolution is random: their defaults of ones and zeros would hide errors.
"""

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from model_examples import randomise

from microturn.model.checkpoint import from_inkling, save_inkling, to_inkling
from microturn.model.config import FoldConfig, ModelConfig, VideoInConfig
from microturn.model.embeddings import ImageEmbedding
from microturn.model.inkling_config import from_inkling_config
from microturn.model.inkling_keys import links
from microturn.model.interaction_model import InteractionModel
from microturn.model.segment import Kind, Segment
from microturn.model.stream_state import StreamState

inkling = pytest.importorskip("transformers.models.inkling")
pytest.importorskip("scipy", reason="the reference plans its hMLP with it")

TOLERANCE = 1e-4
AUDIO_ID, IMAGE_ID = 62, 63
LENGTH = 40
PATCH_PIXELS = 20
"""Half of the real size: its hMLP has 2M parameters instead of 25M. The real one has a test of its own."""
Reference = torch.nn.Module


def random_config(seed: int) -> object:
    """Both kinds of layer and of MLP; windows and extents that the sequence outruns; a padded unembedding."""
    rng = random.Random(seed)
    width = 8 * rng.randint(3, 6)
    layers = ["hybrid_sliding", "hybrid", *rng.choices(["hybrid_sliding", "hybrid"], k=rng.randint(0, 2))]
    text = {
        "vocab_size": 64,
        "unpadded_vocab_size": rng.randint(50, 61),
        "hidden_size": width,
        "num_hidden_layers": len(layers),
        "layer_types": rng.sample(layers, len(layers)),
        "mlp_layer_types": ["sparse", "dense", *rng.choices(["sparse", "dense"], k=len(layers) - 2)],
        "num_attention_heads": 6,
        "num_key_value_heads": rng.choice([1, 2]),
        "head_dim": rng.choice([4, 8]),
        "swa_num_attention_heads": 6,
        "swa_num_key_value_heads": rng.choice([3, 6]),
        "swa_head_dim": rng.choice([6, 10]),
        "sliding_window_size": rng.randint(5, 12),
        "d_rel": rng.randint(3, 6),
        "rel_extent": rng.randint(8, 20),
        "log_scaling_n_floor": rng.randint(3, 9),
        "log_scaling_alpha": 0.4,
        "intermediate_size": 40,
        "moe_intermediate_size": 12,
        "n_routed_experts": 5,
        "num_experts_per_tok": 2,
        "n_shared_experts": rng.choice([1, 2]),
        "route_scale": 2.0,
        "logits_mup_width_multiplier": 1.7,
        "conv_kernel_size": rng.choice([3, 4]),
        "pad_token_id": 0,
    }
    config = inkling.InklingConfig(
        text_config=text,
        audio_config={"n_mel_bins": 7, "mel_vocab_size": 16},
        vision_config={"num_hidden_layers": 4, "patch_size": PATCH_PIXELS},
        image_token_id=IMAGE_ID,
        audio_token_id=AUDIO_ID,
    )
    config._attn_implementation = "eager"
    return config


@torch.no_grad()
def random_reference(seed: int) -> Reference:
    reference = inkling.InklingForConditionalGeneration(random_config(seed)).eval().float()
    randomise(reference, seed)
    for name, buffer in reference.named_buffers():
        if name.endswith("e_score_correction_bias"):
            buffer.copy_(0.3 * torch.randn(buffer.shape, generator=torch.Generator().manual_seed(seed)))
    return reference


def our_config(values: dict[str, Any]) -> ModelConfig:
    config = from_inkling_config({**values, "vision_config": {**values["vision_config"], "patch_size": 40}})
    folds = ((1, 5, 128), (1, 2, 320), (1, 2, 1216), (2, 1, config.backbone.width))
    video_in = VideoInConfig(
        folds=tuple(FoldConfig(time=time, space=space, out_width=width) for time, space, width in folds),
        patch_pixels=PATCH_PIXELS,
    )
    return dataclasses.replace(config, video_in=video_in)


def our_model(reference: Reference) -> InteractionModel:
    config = our_config(reference.config.to_dict())
    model = InteractionModel(config).eval()
    model.load_state_dict(from_inkling(reference.state_dict(), config))
    return model


def random_inputs(seed: int, num_logits: int) -> dict[str, torch.Tensor]:
    """Text, audio and image mixed."""
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(1, num_logits, (2, LENGTH), generator=generator)
    where = torch.rand(2, LENGTH, generator=generator)
    input_ids[where < 0.3] = AUDIO_ID
    input_ids[where > 0.8] = IMAGE_ID
    num_audio, num_image = int((input_ids == AUDIO_ID).sum()), int((input_ids == IMAGE_ID).sum())
    return {
        "input_ids": input_ids,
        "audio_input_ids": torch.randint(0, 16, (1, num_audio, 7), generator=generator),
        "pixel_values": torch.randn(num_image, 2, PATCH_PIXELS, PATCH_PIXELS, 3, generator=generator),
    }


def as_segment(inputs: dict[str, torch.Tensor]) -> Segment:
    ids = inputs["input_ids"]
    kind_BT = torch.where(ids == AUDIO_ID, Kind.AUDIO, torch.where(ids == IMAGE_ID, Kind.IMAGE, Kind.TEXT))
    segment = Segment.of_tokens(ids * (kind_BT == Kind.TEXT))
    segment.kind_BT = kind_BT.to(torch.uint8)
    segment.dmel_NM = inputs["audio_input_ids"][0].to(torch.uint8)
    segment.image_NP = inputs["pixel_values"]
    return segment


@torch.no_grad()
def reference_logits(reference: Reference, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    return reference(**inputs, use_cache=False).logits


@torch.no_grad()
def our_logits(model: InteractionModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    return model.logits(model(as_segment(inputs)))


@pytest.mark.parametrize("seed", range(6))
def test_whole_sequence_agrees(seed: int) -> None:
    reference = random_reference(seed)
    inputs = random_inputs(seed, reference.config.text_config.unpadded_vocab_size)
    expected = reference_logits(reference, inputs)
    assert expected.std() > 0.1, "a reference that says nothing proves nothing"
    torch.testing.assert_close(our_logits(our_model(reference), inputs), expected, rtol=0, atol=TOLERANCE)


def test_the_real_hmlp_agrees() -> None:
    config = inkling.InklingVisionConfig(num_hidden_layers=4, text_hidden_size=16)
    reference = inkling.InklingVisionModel(config).eval()
    randomise(reference, 0)
    folds = ((1, 5, 128), (1, 2, 320), (1, 4, 4800), (2, 1, 16))
    ours = ImageEmbedding(VideoInConfig(folds=tuple(FoldConfig(time=t, space=s, out_width=w) for t, s, w in folds)))
    for mine, theirs in zip(ours.parameters(), reference.parameters(), strict=True):
        mine.data.copy_(theirs)
    pixels = torch.randn(3, 2, 40, 40, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = reference(pixels).pooler_output.squeeze(1)
        torch.testing.assert_close(ours(pixels), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("seed", range(3))
def test_with_a_cache_agrees(seed: int) -> None:
    """Both sides in steps, ours with a state, theirs with their cache: a prefill, chunks, single tokens."""
    reference = random_reference(seed)
    model = our_model(reference)
    ids = torch.randint(1, 50, (2, LENGTH), generator=torch.Generator().manual_seed(seed))
    cache, state = None, StreamState.new(model.config, 2)
    start = 0
    for length in (11, 1, 1, 6, 1, 13, 1, 1):
        chunk = ids[:, start : start + length]
        with torch.no_grad():
            theirs = reference(input_ids=chunk, past_key_values=cache, use_cache=True)
            ours = model.logits(model(Segment.of_tokens(chunk), state))
        cache = theirs.past_key_values
        torch.testing.assert_close(ours, theirs.logits, rtol=0, atol=TOLERANCE)
        start += length


def groups() -> list[str]:
    """A name for each kind of weight that the reference has."""
    names = {_kind_of(link.theirs) for link in links(our_model(random_reference(0)).config, "transformers")}
    return sorted(names)


def perturbed(tensor: torch.Tensor) -> torch.Tensor:
    """A change of a tenth that no norm takes back."""
    noise = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(99))
    return tensor + 0.1 * tensor.abs().mean() * noise


def _kind_of(name: str) -> str:
    return ".".join(part for part in name.split(".") if not part.isdigit())


def test_every_weight_matters() -> None:
    """The proof above can fail: with any one kind of weight off by a little, outputs differ by more than we accept."""
    reference = random_reference(0)
    inputs = random_inputs(0, reference.config.text_config.unpadded_vocab_size)
    model = our_model(reference)
    expected = our_logits(model, inputs)
    clean = reference.state_dict()
    for group in groups():
        changed = {name: perturbed(tensor) if _kind_of(name) == group else tensor for name, tensor in clean.items()}
        model.load_state_dict(from_inkling(changed, model.config))
        difference = (our_logits(model, inputs) - expected).abs().max()
        assert difference > 10 * TOLERANCE, f"{group} changes nothing: {difference}"


@pytest.mark.parametrize("dialect", ["transformers", "hub"])
def test_names_and_layouts_go_both_ways(dialect: str) -> None:
    reference = random_reference(1)
    model = our_model(reference)
    theirs = to_inkling(model, dialect)
    back = from_inkling(theirs, model.config)
    assert back.keys() == model.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in model.state_dict().items())


def test_transformers_names_are_exactly_the_references() -> None:
    reference = random_reference(2)
    theirs = to_inkling(our_model(reference), "transformers")
    assert theirs.keys() == reference.state_dict().keys()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in reference.state_dict().items())


def test_the_hubs_files_load_in_transformers(tmp_path: Path) -> None:
    """The reference's own loader turns our hub-dialect file back into its own weights."""
    reference = random_reference(3)
    save_inkling(our_model(reference), tmp_path, "hub")
    reference.config.save_pretrained(tmp_path)
    loaded = inkling.InklingForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32)
    for name, tensor in reference.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
