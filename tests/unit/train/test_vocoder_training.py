import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from microturn.features.vocoder import NUM_BINS, Vocoder, VocoderConfig
from microturn.train import vocoder
from microturn.train.vocoder import Trainer, VocoderTraining
from microturn.train.vocoder_data import Batch, Pool, Teacher, Utterance

SMALL = VocoderConfig(width=24, hidden=32, num_blocks=1, noise_hops=8)
TRAINING = VocoderTraining(num_clips=2, num_frames=40, num_warm_frames=8, num_warm_steps=1, learning_rate=3e-3)


class HummingTeacher(Teacher):
    """Says every text as the same flat hum, with noise around it: no synthesiser needed."""

    def __init__(self) -> None:
        pass

    def say(self, text: str, *, speed: float, before: int, after: int, seed: int) -> Utterance | None:
        num_frames = 120
        time = np.arange(num_frames * 300) / 24_000
        voiced = (time > 0.3) & (time < 1.2)
        pulses = sum(np.cos(2 * np.pi * 200 * k * time) for k in range(1, 55)) * voiced
        noise = np.random.default_rng(seed).standard_normal(len(time))
        gain = np.full((num_frames, NUM_BINS), np.log(0.01), np.float16)
        return Utterance(
            samples=(0.01 * pulses + 0.003 * noise).astype(np.float32),
            pulses=pulses.astype(np.float32),
            pitch_hz=np.where(voiced[::300], 200.0, 0.0).astype(np.float32),
            gain_TF=gain,
            phase_TF=np.zeros_like(gain),
        )


def batches(number: int) -> list[Batch]:
    pool = Pool(HummingTeacher(), ["hum", "haw"], max_seconds=10, seed=0)
    for _ in range(3):
        pool.add()
    return [pool.batch(TRAINING.num_clips, TRAINING.num_frames, SMALL.lookahead_frames) for _ in range(number)]


def test_the_loss_falls_and_every_term_is_finite() -> None:
    trainer = Trainer(SMALL, TRAINING)
    losses = [trainer.step(batch) for batch in batches(25)]
    assert all(np.isfinite(value) for step in losses for value in step.values())
    assert sum(losses[-1].values()) < 0.8 * sum(losses[0].values())


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    # The learning rate follows the clock; held still here, so that both runs have the same.
    plan = batches(6)
    through, first = Trainer(SMALL, TRAINING), Trainer(SMALL, TRAINING)
    for batch in plan:
        through.step(batch)
        through.seconds = 0.0
    for batch in plan[:3]:
        first.step(batch)
        first.seconds = 0.0
    first.save(tmp_path)
    second = Trainer(SMALL, TRAINING)
    second.resume(tmp_path)
    for batch in plan[3:]:
        second.step(batch)
        second.seconds = 0.0
    for name, value in through.average.state_dict().items():
        torch.testing.assert_close(second.average.state_dict()[name], value, atol=0, rtol=0)
    assert Vocoder.load(tmp_path / "vocoder.safetensors").config == SMALL


def test_a_resumed_runs_first_record_is_a_mean_of_its_own_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Recorder(HummingTeacher):
        def say(self, text: str, *, speed: float, before: int, after: int, seed: int) -> Utterance | None:
            asked.append(text)
            return super().say(text, speed=speed, before=before, after=after, seed=seed)

    def step(trainer: Trainer, _: Batch) -> dict[str, float]:
        trainer.num_steps += 1
        trainer.seconds += 1.0
        return {"mel": 2.0}

    monkeypatch.setattr(vocoder, "Teacher", Recorder)
    monkeypatch.setattr(vocoder, "read_texts", lambda _: [f"text {n}" for n in range(20)])
    monkeypatch.setattr(Trainer, "step", step)
    begun = Trainer(SMALL, TRAINING)
    begun.num_steps = 3
    begun.save(tmp_path)
    training = replace(TRAINING, max_minutes=1 / 60, report_every=4, first_pool_seconds=2.0)
    vocoder.train(tmp_path, tmp_path, training, SMALL)
    assert json.loads((tmp_path / "log.jsonl").read_text())["mel"] == 2.0
    assert all(text.startswith("Text ") for text in asked[-16:])  # held out texts, and no numbers


@pytest.mark.parametrize("lookahead", [0, 1, 2])
def test_a_crop_lines_up_sound_pulses_and_targets(lookahead: int) -> None:
    pool = Pool(HummingTeacher(), ["hum"], max_seconds=10, seed=0)
    pool.add()
    batch = pool.batch(3, 40, lookahead)
    assert batch.samples_BS.shape == (3, 724 + 40 * 300)
    assert batch.pulses_BTS.shape == batch.target_BTS.shape == (3, 41, 300)
    assert batch.pitch_hz_BT.shape == (3, 40)
    # Step t works on hop t - lookahead: its target is the sound that many hops before the end of mel frame t.
    heard = batch.samples_BS[:, 724:].unflatten(1, (40, 300))
    torch.testing.assert_close(batch.target_BTS[:, 1 + lookahead :], heard[:, : 40 - lookahead])
    # Where pulses sound, the pitch is known.
    sounding = batch.pulses_BTS[:, 1:].abs().amax(2) > 0
    assert ((batch.pitch_hz_BT > 0) == sounding).float().mean() > 0.9
