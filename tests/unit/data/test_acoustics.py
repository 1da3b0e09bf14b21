"""Augmentation: bounded, reproducible, and it leaves words where they were."""

from pathlib import Path

import numpy as np
import pytest

from microturn.data import acoustics
from microturn.data.voices import assistant_voice
from microturn.turns.timing import IN_HZ


@pytest.fixture(scope="module")
def speech() -> acoustics.Samples:
    utterance = assistant_voice().say("the lights went out just after seven")
    samples = acoustics.resample(utterance.samples, utterance.sample_rate, IN_HZ)
    return np.pad(samples, IN_HZ)


def test_degraded_speech_keeps_its_shape_and_range(speech: acoustics.Samples) -> None:
    for seed in range(40):
        sound = acoustics.degrade(speech, np.random.default_rng(seed))
        assert sound.shape == speech.shape
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() <= 1


def test_the_same_generator_gives_the_same_sound(speech: acoustics.Samples) -> None:
    before = speech.copy()
    first, second = (acoustics.degrade(speech, np.random.default_rng(11)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(speech, before)


def test_levels_and_clean_draws_vary(speech: acoustics.Samples) -> None:
    sounds = [acoustics.degrade(speech, np.random.default_rng(seed)) for seed in range(60)]
    levels_db = [10 * np.log10(acoustics.active_power(sound)) for sound in sounds]
    assert max(levels_db) - min(levels_db) > 15
    num_clean = sum(float(np.square(sound[: IN_HZ // 2]).mean()) < 1e-10 for sound in sounds)
    assert 12 <= num_clean <= 40


def test_silence_gets_noise_but_no_gain() -> None:
    silence = np.zeros(2 * IN_HZ, np.float32)
    for seed in range(20):
        assert np.abs(acoustics.degrade(silence, np.random.default_rng(seed))).max() <= 1


@pytest.mark.parametrize("bits_per_second", [8_000, 24_000])
def test_opus_keeps_the_time_of_the_sound(speech: acoustics.Samples, bits_per_second: int) -> None:
    decoded = acoustics.through_opus(speech, bits_per_second)
    assert decoded.shape == speech.shape
    assert abs(_delay_samples(speech, decoded)) <= IN_HZ // 500


def test_a_room_keeps_the_time_of_the_sound(speech: acoustics.Samples) -> None:
    rng = np.random.default_rng(2)
    wet = acoustics.in_room(speech, acoustics.impulse_response(rng, "train", None))
    assert wet.shape == speech.shape
    assert abs(_delay_samples(speech, wet)) <= IN_HZ // 500


def test_the_telephone_cuts_the_band() -> None:
    time_s = np.arange(IN_HZ) / IN_HZ
    kept, cut = (
        acoustics.over_telephone((0.3 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)) for hz in (1000, 6000)
    )
    assert np.square(kept).mean() > 100 * np.square(cut).mean()


def test_resampling_keeps_a_tone() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000).astype(np.float32)
    lower = acoustics.resample(tone, 24_000, IN_HZ)
    expected = np.sin(2 * np.pi * 440 * np.arange(IN_HZ) / IN_HZ)
    assert lower.shape == (IN_HZ,)
    assert np.abs(lower - expected)[500:-500].max() < 0.01


def test_recorded_noise_is_read_from_its_part_alone(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    time_s = np.arange(2 * IN_HZ) / IN_HZ
    for part, hz in (("train", 500), ("heldout", 3000)):
        folder = tmp_path / "noise" / part
        folder.mkdir(parents=True)
        soundfile.write(folder / "tone.flac", 0.1 * np.sin(2 * np.pi * hz * time_s), IN_HZ)
        (folder / "manifest.jsonl").write_text('{"file": "tone.flac"}\n')

    for seed in range(8):
        noise = acoustics.background(np.random.default_rng(seed), IN_HZ, "train", tmp_path)
        spectrum = np.abs(np.fft.rfft(noise))
        if spectrum.max() > 0.5 * spectrum.sum() ** 0.5 * 20:  # the tone, not generated noise
            assert abs(int(spectrum.argmax()) - 500) < 10


def _delay_samples(before: acoustics.Samples, after: acoustics.Samples) -> int:
    size = 2 * len(before)
    correlation = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size)), size)
    delay = int(correlation.argmax())
    return delay if delay < size // 2 else delay - size


@pytest.mark.parametrize("num_samples", [0, 1, 7, 24_001])
def test_resampling_any_length(num_samples: int) -> None:
    out = acoustics.resample(np.zeros(num_samples, np.float32), 24_000, IN_HZ)
    assert out.shape == (round(num_samples * 2 / 3),)
    assert out.dtype == np.float32
