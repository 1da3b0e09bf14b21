"""What is fed back of the model's own speech in training."""

import torch

from microturn.model.segment import Segment
from microturn.train.losses import LossConfig, noisy_patches
from microturn.turns.vocabulary import Kind

PATCHES = 200
HALVES = (slice(0, PATCHES), slice(PATCHES, None))


def two_utterances() -> Segment:
    """One row: an utterance, a silent turn, another utterance; every patch all fives."""
    kind_T = [Kind.SPEECH] * PATCHES + [Kind.TEXT] + [Kind.SPEECH] * PATCHES
    turn_T = [k // 4 for k in range(PATCHES)] + [50] + [52 + k // 4 for k in range(PATCHES)]
    length = len(kind_T)
    return Segment(
        kind_BT=torch.tensor([kind_T], dtype=torch.uint8),
        token_BT=torch.zeros(1, length, dtype=torch.int64),
        dmel_NM=torch.zeros(0, 80, dtype=torch.uint8),
        image_NP=torch.zeros(0),
        speech_NP=torch.full((2 * PATCHES, 320), 5.0),
        turn_BT=torch.tensor([turn_T], dtype=torch.int32),
        is_text_BT=torch.zeros(1, length, dtype=torch.bool),
    )


def fed_back(seed: int, **config: float) -> torch.Tensor:
    return noisy_patches(two_utterances(), LossConfig(**config), torch.Generator().manual_seed(seed))


def test_an_utterance_has_one_noise() -> None:
    deviation = {fed_back(seed, hidden_share=0.0)[half].std().item() for seed in range(4) for half in HALVES}
    assert len(deviation) == 8
    assert max(deviation) < 0.85
    for seed in range(4):
        halves = fed_back(seed, hidden_share=0.0).split(PATCHES)
        for patches in halves:
            assert torch.allclose(patches[:100].std(), patches[100:].std(), rtol=0.05)


def test_a_hidden_utterance_shows_nothing_of_the_speech() -> None:
    patches = fed_back(0, hidden_share=1.0)
    assert abs(patches.mean()) < 0.02
    assert abs(patches.std() - 1) < 0.02


def test_without_noise_the_true_patches_are_fed_back() -> None:
    assert (fed_back(0, hidden_share=0.0, patch_noise=0.0) == 5.0).all()
