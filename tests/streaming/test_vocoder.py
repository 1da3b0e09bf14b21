"""The vocoder cut into pieces gives the samples of the whole, alone or among strangers."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from microturn.errors import CheckpointError
from microturn.features.mel import SILENT_LOG_MEL
from microturn.features.vocoder import Vocoder, VocoderConfig, pitch_of, pulses

SMALL = VocoderConfig(width=32, hidden=48, num_blocks=2, noise_hops=8)
TOLERANCE = 1e-5


def vocoder(config: VocoderConfig = SMALL) -> Vocoder:
    """Random weights, voiced about half of the time, at levels of speech."""
    torch.manual_seed(0)
    made = Vocoder(config).eval().requires_grad_(requires_grad=False)
    made.leave.weight[-66:] *= 3
    return made


def speech(num_rows: int, num_frames: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    slow = torch.randn(num_rows, num_frames // 8 + 1, 80, generator=generator).repeat_interleave(8, 1)[:, :num_frames]
    return -5 + 1.5 * slow + 0.5 * torch.randn(num_rows, num_frames, 80, generator=generator)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_any_cutting_equals_the_whole(pieces: list[int], seed: int) -> None:
    made = vocoder()
    mel = speech(2, sum(pieces), seed)
    whole = made(mel)
    state = made.initial_state(2)
    streamed: list[Tensor] = []
    for piece in mel.split(pieces, dim=1):
        samples, state = made.step(piece, state)
        assert samples.shape == (2, 300 * piece.shape[1])
        streamed.append(samples)
    torch.testing.assert_close(torch.cat(streamed, 1), whole, atol=TOLERANCE, rtol=0)


def test_the_test_above_hears_voice_and_noise() -> None:
    made = vocoder()
    filters, _ = made.filters(speech(2, 200), made.initial_state(2).convs)
    voiced = (pitch_of(filters) > 0).float().mean()
    assert 0.1 < voiced < 0.9
    assert made(speech(1, 16)).abs().max() > 1e-3


def test_strangers_who_come_and_go_change_nothing() -> None:
    made = vocoder()
    mel = speech(3, 48)
    alone = made(mel[:1])
    state = made.initial_state(3)
    first, state = made.step(mel[:, :16], state)
    # The second session leaves, the others change places.
    second, state = made.step(mel[[2, 0], 16:32], state.rows(torch.tensor([2, 0])))
    third, _ = made.step(mel[:1, 32:], state.rows(torch.tensor([1])))
    together = torch.cat([first[:1], second[1:], third], dim=1)
    torch.testing.assert_close(together, alone, atol=TOLERANCE, rtol=0)


def test_is_causal_and_leaves_the_state_it_was_given_alone() -> None:
    made = vocoder()
    mel = speech(1, 32)
    changed = mel.clone()
    changed[:, 20:] = 0.0
    torch.testing.assert_close(made(mel)[:, : 20 * 300], made(changed)[:, : 20 * 300], atol=0, rtol=0)
    state = made.initial_state(1)
    once, _ = made.step(mel, state)
    again, _ = made.step(mel, state)
    torch.testing.assert_close(once, again, atol=0, rtol=0)


def test_a_fresh_stream_is_one_that_was_silent_all_along() -> None:
    made = vocoder()
    _, waited = made.step(torch.full((1, 64, 80), SILENT_LOG_MEL), made.initial_state(1))
    for fresh, settled in zip(made.initial_state(1).convs, waited.convs, strict=True):
        torch.testing.assert_close(fresh, settled, atol=TOLERANCE, rtol=0)


def test_a_turn_is_exactly_a_turn_and_latency_is_declared() -> None:
    made = vocoder()
    samples, _ = made.step(speech(1, 16), made.initial_state(1))
    assert samples.shape == (1, 4800)
    assert made.latency_samples == 600
    assert Vocoder(VocoderConfig(lookahead_frames=0)).latency_samples == 300


def test_pulses_are_a_train_at_the_pitch() -> None:
    hops = 80
    train, _ = pulses(torch.full((1, hops), 200.0), torch.tensor([200.0]), torch.zeros(1, dtype=torch.float64))
    spectrum = torch.fft.rfft(train.flatten()).abs() / (hops * 300 / 2)
    peaks_hz = (spectrum > 0.5).nonzero().flatten()
    assert torch.equal(peaks_hz, torch.arange(200, 11_001, 200))
    torch.testing.assert_close(spectrum[peaks_hz], torch.ones(55), atol=0.01, rtol=0)


def test_unvoiced_hops_have_no_pulses() -> None:
    pitch = torch.tensor([[0.0, 0.0, 150.0, 150.0, 0.0, 0.0]])
    train, _ = pulses(pitch, torch.zeros(1), torch.zeros(1, dtype=torch.float64))
    level = train[0].abs().amax(1)
    assert level[[0, 1, 5]].max() == 0
    assert level[[2, 3, 4]].min() > 1


def test_weights_survive_a_file_and_a_broken_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocoder.safetensors"
    made = vocoder()
    for parameter in made.parameters():  # the file holds half precision
        parameter.copy_(parameter.half())
    made.save(path)
    loaded = Vocoder.load(path)
    assert loaded.config == SMALL
    torch.testing.assert_close(loaded(speech(1, 16)), made(speech(1, 16)), atol=0, rtol=0)

    with pytest.raises(CheckpointError, match="restore"):
        Vocoder.load(tmp_path / "absent.safetensors")
    save_file(load_file(path), tmp_path / "bare.safetensors")
    with pytest.raises(CheckpointError, match="config"):
        Vocoder.load(tmp_path / "bare.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a vocoder"):
        Vocoder.load(path)
