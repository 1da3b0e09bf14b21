"""What is fed back of the model's own speech in training."""

import numpy as np
import pytest
import torch
from tiny_runs import STATISTICS, TOKENIZER, tiny

from microturn.data.packed import PackedEpisode, letters, sounds
from microturn.features.phones import PAUSE, UNKNOWN_PHONE
from microturn.features.sequence import EventQueue, Run, input_run, output_run
from microturn.model.interaction_model import InteractionModel
from microturn.model.segment import Segment
from microturn.train.batches import SOON_TURNS, Batch, collate
from microturn.train.losses import (
    AuxiliaryHeads,
    LossConfig,
    compute_losses,
    misheard_tokens,
    noisy_patches,
    own_patches,
)
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent
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


def a_conversation() -> Batch:
    """Two sessions in which typed words come in, and others are heard, said and written."""
    words = (" one", " two", " three")
    runs = []
    for turn in range(60):
        word = words[turn % 3]
        queue = EventQueue()
        queue.add([TextEvent(role=Role.USER, text=words[(turn + 1) % 3])], TOKENIZER)
        mel = np.zeros((16, 80), np.float32)
        output = MicroTurnOutput(index=turn, hear=word, say=words[(turn + 2) % 3], mel=mel)
        bins = np.zeros((4, 80), np.uint8)
        runs += [input_run(turn, bins, queue.take(), TOKENIZER.vocabulary)]
        runs += [output_run(output, TOKENIZER)]
    run = Run.concat(runs)
    episode = PackedEpisode(run=run, letter_N=letters([], len(run.dmel_NM)), sound_N=sounds([], len(run.dmel_NM)))
    return collate([episode, episode], TOKENIZER.vocabulary, STATISTICS)


def test_only_what_was_heard_is_misheard_and_only_at_times() -> None:
    batch = a_conversation()
    true_BT = batch.segment.token_BT.clone()
    fed_back = misheard_tokens(batch, LossConfig(misheard_share=1.0), torch.Generator().manual_seed(0))
    is_heard = torch.zeros(true_BT.numel(), dtype=torch.bool)
    is_heard[batch.heard_at_N] = True
    changed = (fed_back != true_BT).flatten()
    assert len(batch.heard_at_N) >= 2 * 60
    assert not (changed & ~is_heard).any()
    assert 0.1 < changed[is_heard].float().mean() < 0.6  # half of a half stays, or is drawn again
    heard = true_BT.flatten()[batch.heard_at_N]
    assert set(fed_back.flatten()[batch.heard_at_N].tolist()) <= set(heard.tolist())
    assert torch.equal(batch.segment.token_BT, true_BT)
    assert torch.equal(batch.token_target_N, a_conversation().token_target_N)


def test_words_heard_are_found_among_those_typed_said_and_written() -> None:
    batch = a_conversation()
    heard = batch.segment.token_BT.flatten()[batch.heard_at_N[: len(batch.heard_at_N) // 2]]
    assert TOKENIZER.decode(heard.tolist()).split() == ["one", "two", "three"] * 20


def test_soon_after_a_word_every_decision_and_patch_is_asked_for_the_next() -> None:
    """Two words near to each other and one far behind them; silence, and text that is only heard, between."""
    special, runs = TOKENIZER.vocabulary.special, []
    for turn in range(40):
        says = {3: " three", 8: " one", 35: " two"}.get(turn, "")
        mel = np.zeros((16, 80), np.float32) if says else None
        output = MicroTurnOutput(index=turn, hear=" one" if turn == 10 else "", say=says, mel=mel)
        runs += [input_run(turn, np.zeros((4, 80), np.uint8), [], TOKENIZER.vocabulary), output_run(output, TOKENIZER)]
    run = Run.concat(runs)
    num_tokens = len(run.dmel_NM)
    episode = PackedEpisode(run=run, letter_N=letters([], num_tokens), sound_N=sounds([], num_tokens))
    batch = collate([episode], TOKENIZER.vocabulary, STATISTICS)
    turns = batch.segment.turn_BT.flatten()[batch.next_word_at_N].tolist()
    asked = dict(zip(turns, batch.next_word_target_N.tolist(), strict=True))  # of each turn the last
    nothing, (one, *_), (two, *_) = special.audio_end, TOKENIZER.encode(" one"), TOKENIZER.encode(" two")
    assert set(asked) == {*range(3, 8 + SOON_TURNS + 1), *range(35, 40)}
    assert [asked[turn] for turn in range(3, 8)] == [one] * 5
    assert [asked[turn] for turn in range(8, 35 - SOON_TURNS)] == [nothing] * (27 - SOON_TURNS)
    assert [asked[turn] for turn in range(35 - SOON_TURNS, 25)] == [two] * (SOON_TURNS - 10)
    assert turns.count(3) >= 4  # its patches
    assert not set(turns) & {0, 1, 2}


def test_the_mean_of_a_patch_is_learnt_by_its_head_and_by_the_hidden_states() -> None:
    torch.manual_seed(0)
    model, auxiliaries = InteractionModel(tiny().model), AuxiliaryHeads(32)
    torch.nn.init.normal_(auxiliaries.patch.weight)
    batch = a_conversation()
    batch.speech_target_NP += 3.0
    found = []
    for patch_weight in (0.0, 1.0):
        model.zero_grad()
        config = LossConfig(patch_weight=patch_weight, token_weight=0.0, speech_weight=0.0, letter_weight=0.0)
        losses = compute_losses(model, auxiliaries, batch, config, torch.Generator().manual_seed(1))
        losses.total.backward()
        found.append(sum(float(p.grad.abs().sum()) for p in model.parameters() if p.grad is not None))
    assert found[1] > 2 * found[0]
    assert losses.metrics["patch_loss"] > 1


def test_its_own_patches_come_back_where_it_speaks_first_and_depend_on_its_weights() -> None:
    torch.manual_seed(0)
    model, batch = InteractionModel(tiny().model), a_conversation()
    torch.nn.init.normal_(model.flow_head.leave.weight)
    true_NP = batch.segment.speech_NP.clone()

    def spoken(share: float) -> torch.Tensor:
        return own_patches(model, batch, LossConfig(own_share=share), torch.Generator().manual_seed(3))

    assert torch.equal(spoken(0.0), true_NP)
    before = spoken(1.0)
    assert not torch.isclose(before, true_NP).any(dim=1).all()
    assert torch.equal(batch.segment.speech_NP, true_NP), "nothing is changed but what is fed back"
    torch.nn.init.normal_(model.flow_head.leave.bias)
    assert not torch.allclose(spoken(1.0), before)


def test_what_it_said_itself_is_fed_back_in_a_share_of_the_batches_of_training_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    model, auxiliaries, batch = InteractionModel(tiny().model), AuxiliaryHeads(32), a_conversation()
    torch.nn.init.normal_(model.flow_head.leave.weight)
    fed: list[torch.Tensor] = []
    embed = model.embed

    def recorded(segment: Segment) -> torch.Tensor:
        fed.append(segment.speech_NP.clone())
        return embed(segment)

    monkeypatch.setattr(model, "embed", recorded)
    for own_batches, num_passes in ((0.0, 1), (1.0, 2)):
        fed.clear()
        config = LossConfig(own_batches=own_batches, own_share=1.0, hidden_share=0.0, patch_noise=0.0)
        compute_losses(model, auxiliaries, batch, config, torch.Generator().manual_seed(1)).total.backward()
        assert len(fed) == num_passes
    assert not torch.allclose(fed[0], fed[1])
    fed.clear()
    model.eval()
    compute_losses(model, auxiliaries, batch, config, torch.Generator().manual_seed(1))
    assert len(fed) == 1


def test_the_sounds_that_are_heard_teach_the_lower_half_of_the_layers_alone() -> None:
    torch.manual_seed(0)
    model, auxiliaries = InteractionModel(tiny().model), AuxiliaryHeads(32)
    batch = a_conversation()
    batch.sound_target_N[:] = PAUSE + 3
    nothing = {"token_weight": 0.0, "speech_weight": 0.0, "letter_weight": 0.0, "phone_weight": 0.0}
    config = LossConfig(**nothing, next_word_weight=0.0, patch_weight=0.0)
    losses = compute_losses(model, auxiliaries, batch, config, torch.Generator().manual_seed(1))
    losses.total.backward()
    reached = [any(float(p.grad.abs().sum()) > 0 for p in b.parameters() if p.grad is not None) for b in model.blocks]
    assert reached == [True] * (len(reached) // 2) + [False] * (len(reached) - len(reached) // 2)
    batch.sound_target_N[:] = UNKNOWN_PHONE
    assert compute_losses(model, auxiliaries, batch, config, torch.Generator()).metrics["sound_loss"] == 0
