"""The assistant's voice, and user voices made by warping it.

hibari predicts, for every 12.5 ms frame, spectral envelopes and a fundamental frequency, and its vocoder makes the
sound from them. Scaling the fundamental and stretching the envelopes' frequency axis (a longer or shorter vocal tract)
gives new voices that stay intelligible and cost nothing.
"""

import functools
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from microturn.data.voices.phonemes import (
    LATE_MS,
    SAMPLE_RATE,
    Phonemes,
    assets,
    british_phonemes,
    foreign_phonemes,
    phonemes,
    phones_ms,
    single_threaded,
    spans_ms,
    with_durations,
)
from microturn.data.voices.utterance import Utterance, build

BASE = "hibari:heart"
DURATIONS = "/Clip_output_0"
VOICED_HZ = 40.0
BRITISH_SHARE = 0.35
"""Of the warps: whoever learnt from Americans alone hears other accents badly."""
NEAR_HEART = 1.08
"""A warp whose pitch and formants both lie within this factor of the original would be taken for the assistant."""


@dataclass(frozen=True, kw_only=True)
class HibariVoice:
    """hibari's "heart", warped. All defaults: the assistant itself."""

    f0_scale: float = 1.0
    """Factor on the mean pitch."""
    formants: float = 1.0
    """Factor on the envelopes' frequency axis; below 1 a longer vocal tract."""
    f0_excursion: float = 0.0
    """How much livelier (> 0) or flatter (< 0, down to -1: monotone) the melody is."""
    breath_db: float = 0.0
    """Gain of the noise in the voice."""
    tilt_db: float = 0.0
    """Gain at the top of the spectrum against the bottom: dull < 0 < bright."""
    pace: float = 1.0
    """Habitual speed."""
    language: str = "en"
    """What it reads: English, or one of ``phonemes.FOREIGN_READERS`` in English sounds."""
    is_british: bool = False
    """Whether it says English as in Britain."""

    @property
    def name(self) -> str:
        """``heart`` and the warp."""
        if self.is_assistant:
            return BASE
        accent = " british" if self.is_british else ""
        return f"{BASE} f0={self.f0_scale:.2f} formants={self.formants:.2f} excursion={self.f0_excursion:.2f}{accent}"

    @property
    def base(self) -> str:
        """The one voice in the package."""
        return BASE

    @property
    def is_assistant(self) -> bool:
        """Whether nothing is warped."""
        return self == HibariVoice(language=self.language)

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """See ``Voice.say``."""
        if self.is_assistant:
            return _said_by_the_assistant(text, speed, seed, self.language)
        return self.synthesise(text, speed, seed)

    def synthesise(self, text: str, speed: float, seed: int) -> Utterance:
        """``say``, without looking whether it was said before."""
        from hibari import dsp

        read = self._read(text)
        outputs = _session(os.getpid()).run(
            None, {"ids": read.ids[None], "speed": np.array([speed * self.pace], np.float32)}
        )
        envelopes = self._warped([np.asarray(output[0]) for output in outputs[:5]])
        melody, durations = self._melody(np.asarray(outputs[5][0])), np.asarray(outputs[6]).ravel().astype(np.float64)
        harmonic, phase, noise, free, free_phase = envelopes
        samples = dsp.synth(harmonic, phase, noise, free, free_phase, melody, np.random.default_rng(seed))
        total_ms = len(samples) * 1000 / SAMPLE_RATE
        spans = spans_ms(read.owners, durations, len(text.split()), total_ms)
        phones = phones_ms(read, durations, total_ms)
        sound = np.asarray(samples, np.float32)
        return build(sound, SAMPLE_RATE, text, spans, self.name, phones=phones, bias_ms=LATE_MS)

    def _read(self, text: str) -> Phonemes:
        if self.language != "en":
            return foreign_phonemes(text, self.language)
        return british_phonemes(text) if self.is_british else phonemes(text)

    def _warped(self, envelopes: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The network's spectral parts, in nepers where they are magnitudes. Legend: K frequency bins, F frames."""
        if self.formants != 1:
            envelopes = [_stretch(envelope_KF, self.formants) for envelope_KF in envelopes]
        harmonic_KF, phase_KF, noise_KF, *free = envelopes
        slope_K1 = np.linspace(0, self.tilt_db, len(harmonic_KF), dtype=np.float32)[:, None] * _NEPERS_PER_DB
        breath = np.float32(self.breath_db) * _NEPERS_PER_DB
        np.add(harmonic_KF, slope_K1, out=harmonic_KF)
        np.add(noise_KF, slope_K1 + breath, out=noise_KF)
        return [harmonic_KF, phase_KF, noise_KF, *free]

    def _melody(self, f0: NDArray[np.float32]) -> NDArray[np.float32]:
        voiced = f0 > VOICED_HZ
        if not voiced.any():
            return f0
        mean = np.exp(np.log(f0[voiced]).mean())
        melody = f0.copy()
        melody[voiced] = mean * self.f0_scale * (f0[voiced] / mean) ** (1 + self.f0_excursion)
        return melody


_NEPERS_PER_DB = np.float32(np.log(10) / 20)


def sample_warp(rng: Generator) -> HibariVoice:
    """A user voice: pitch and vocal tract go loosely together, as in people, and never sound like the assistant."""
    while True:
        size = rng.normal(0, 1)
        f0_scale = float(np.clip(np.exp(0.26 * size + rng.normal(-0.08, 0.14)), 0.5, 1.6))
        formants = float(np.clip(np.exp(0.075 * size + rng.normal(0, 0.05)), 0.82, 1.25))
        if abs(np.log(f0_scale)) > np.log(NEAR_HEART) or abs(np.log(formants)) > np.log(NEAR_HEART):
            break
    return HibariVoice(
        f0_scale=f0_scale,
        formants=formants,
        f0_excursion=float(rng.uniform(-0.5, 0.6)),
        breath_db=float(rng.uniform(-4, 5)),
        tilt_db=float(rng.uniform(-9, 6)),
        pace=float(np.clip(np.exp(rng.normal(0, 0.12)), 0.75, 1.35)),
        is_british=bool(rng.random() < BRITISH_SHARE),
    )


def _stretch(envelope_KF: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """The envelope with its frequency axis multiplied by ``factor``. Legend: K frequency bins, F frames."""
    index = np.arange(len(envelope_KF)) / factor
    low = np.minimum(index.astype(int), len(envelope_KF) - 2)
    weight = np.minimum(index - low, 1.0).astype(np.float32)[:, None]
    return (envelope_KF[low] * (1 - weight) + envelope_KF[low + 1] * weight).astype(np.float32, copy=False)


@functools.lru_cache(512)
def _said_by_the_assistant(text: str, speed: float, seed: int, language: str) -> Utterance:
    """The assistant says "okay" and the numbers over and over; four of five of its utterances come from here."""
    utterance = HibariVoice(language=language).synthesise(text, speed, seed)
    utterance.samples.setflags(write=False)
    return utterance


@functools.lru_cache(1)
def _session(pid: int) -> Any:
    """One session a process: onnxruntime does not survive a fork, so the process is part of the key."""
    return single_threaded(with_durations((assets() / "hibari.onnx").read_bytes(), DURATIONS))
