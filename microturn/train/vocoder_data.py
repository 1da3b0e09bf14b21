"""What the vocoder learns from: the assistant's synthesiser, opened up.

hibari makes speech as a pulse train through a filter, plus a free part, so beside the sound it gives the exact pitch,
the exact pulses and the filter that was meant: direct targets for a source-filter vocoder.

Dimensions: B clips, T mel frames (hops), M mel bands, S samples, F bins of the vocoder's window.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from microturn.errors import MissingDependencyError
from microturn.features.mel import LEFT_PAD_SAMPLES, MIN_MEL
from microturn.features.vocoder import NUM_BINS
from microturn.turns.timing import MEL_HOP_SAMPLES, OUT_HZ

TEXT_SETS = ("asterisk_prompts_en", "rhasspy_kathleen_en", "speechocean762_train", "wuw_corpus_ii")
"""Data sets whose English texts are read out."""

_LOG_WINDOW_GAIN = np.float32(np.log(300.0))
"""hibari's filters are in units of its own transform; this brings them to amplitudes."""
_MIN_VOICED_HZ = 40.0
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One rendered text, with silence before and after. Frame m is centred at sample 300 m."""

    samples: NDArray[np.float32]
    """(300 T,) at 24 kHz."""
    pulses: NDArray[np.float32]
    """(300 T,) the excitation behind the voiced part, every harmonic at unit amplitude."""
    pitch_hz: NDArray[np.float32]
    """(T,) at the frames' centres, 0 where unvoiced."""
    gain_TF: NDArray[np.float16]
    """Natural log of the filter's gain on the pulses; meaningless where unvoiced."""
    phase_TF: NDArray[np.float16]
    """The filter's phase, in radians."""


class Teacher:
    """hibari's "heart", with its inner values."""

    def __init__(self) -> None:
        try:
            from hibari import Hibari, dsp
        except ImportError as error:
            raise MissingDependencyError(
                "training the vocoder needs hibari-tts: pip install 'microturn[data]'"
            ) from error
        self._voice = Hibari()
        self._dsp = dsp

    def say(self, text: str, *, speed: float, before: int, after: int, seed: int) -> Utterance | None:
        """Render a text at a speed with some hops of silence around; None where there is nothing to say."""
        phonemes = self._voice.phonemize(text)
        if not phonemes or len(phonemes[0]) < 2:
            return None
        ids = self._voice.ids(phonemes[0])
        out = self._voice.sess.run(None, {"ids": np.asarray([ids], np.int64), "speed": np.asarray([speed], np.float32)})
        gain, phase, noise_gain, rest_gain, rest_phase, pitch = (np.asarray(value)[0] for value in out)
        rng = np.random.default_rng(seed)
        samples = self._dsp.synth(gain, phase.copy(), noise_gain, rest_gain, rest_phase, pitch, rng)
        middle_hz = _between(np.concatenate([pitch[:1], pitch[:-1]]), pitch)
        hops = (before, after)
        wide = (before * MEL_HOP_SAMPLES, after * MEL_HOP_SAMPLES)
        return Utterance(
            samples=np.pad(samples, wide),
            pulses=np.pad(self._dsp.pulses(pitch), wide).astype(np.float32),
            pitch_hz=np.pad(middle_hz, hops).astype(np.float32),
            gain_TF=np.pad(gain.T[:, ::2] - _LOG_WINDOW_GAIN, (hops, (0, 0))).astype(np.float16),
            phase_TF=np.pad(np.pi * np.tanh(phase.T[:, ::2]), (hops, (0, 0))).astype(np.float16),
        )


def read_texts(data: Path) -> list[str]:
    """The English texts of the training sets under ``data``, sorted and without repeats."""
    texts: set[str] = set()
    for name in TEXT_SETS:
        with (data / "train" / name / "manifest.jsonl").open(encoding="utf-8") as lines:
            texts.update(json.loads(line)["norm"] for line in lines)
    return sorted(text for text in texts if len(text) > 1)


def sentence(text: str, mark: str = ".") -> str:
    """A text with a capital letter and a mark at its end."""
    return text[:1].upper() + text[1:] + mark


def some_text(texts: Sequence[str], rng: random.Random) -> str:
    """A sentence, a number or a row of numbers, the way the assistant will say them."""
    kind = rng.random()
    if kind < 0.6:
        return sentence(rng.choice(texts), rng.choice((".", ".", "?", "!", ",")))
    if kind < 0.8:
        start = rng.randrange(60)
        return ", ".join(str(start + k) for k in range(rng.randrange(1, 7))) + rng.choice((".", ","))
    if kind < 0.9:
        return str(rng.choice((rng.randrange(100), rng.randrange(1000), rng.randrange(10_000)))) + "."
    return rng.choice(texts).split()[0].capitalize() + "."


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Crops of utterances, shifted so that index t holds what the vocoder works on when frame t comes in."""

    samples_BS: Tensor
    """The sound that mel frames 0 … T-1 cover, their left padding included: (B, 724 + 300 T)."""
    pulses_BTS: Tensor
    """(B, T + 1, 300): the hop before the first, then each step's."""
    target_BTS: Tensor
    """(B, T + 1, 300): the sound under ``pulses_BTS``."""
    pitch_hz_BT: Tensor
    """Pitch at the end of each step's hop."""
    gain_BTF: Tensor
    phase_BTF: Tensor


class Pool:
    """Utterances in memory, ever more of them, the oldest giving way."""

    def __init__(self, teacher: Teacher, texts: Sequence[str], *, max_seconds: float, seed: int) -> None:
        self._teacher = teacher
        self._texts = texts
        self._max_frames = int(max_seconds * OUT_HZ / MEL_HOP_SAMPLES)
        self._random = random.Random(seed)
        self._utterances: list[Utterance] = []
        self.num_frames = 0

    def add(self) -> None:
        """Render one more utterance."""
        rng = self._random
        utterance = self._teacher.say(
            some_text(self._texts, rng),
            speed=rng.uniform(0.8, 1.25),
            before=rng.randrange(2, 40),
            after=rng.randrange(2, 30),
            seed=rng.randrange(2**31),
        )
        if utterance is None:
            return
        self._utterances.append(utterance)
        self.num_frames += len(utterance.pitch_hz)
        while self.num_frames > self._max_frames:
            self.num_frames -= len(self._utterances.pop(0).pitch_hz)

    def batch(self, num_clips: int, num_frames: int, lookahead: int) -> Batch:
        """Random crops, at levels within 3 dB of the voice's own."""
        weights = [len(utterance.pitch_hz) for utterance in self._utterances]
        chosen = self._random.choices(self._utterances, weights=weights, k=num_clips)
        crops = [self._crop(utterance, num_frames, lookahead) for utterance in chosen]
        columns = [torch.from_numpy(np.stack(column)) for column in zip(*crops, strict=True)]
        return Batch(
            samples_BS=columns[0],
            pulses_BTS=columns[1],
            target_BTS=columns[2],
            pitch_hz_BT=columns[3],
            gain_BTF=columns[4],
            phase_BTF=columns[5],
        )

    def _crop(self, utterance: Utterance, num_frames: int, lookahead: int) -> tuple[NDArray[np.float32], ...]:
        level = self._random.uniform(-0.35, 0.35)
        length = len(utterance.pitch_hz)
        first = self._random.randrange(-8, max(1, length - num_frames))
        hop = MEL_HOP_SAMPLES
        start, end = first * hop, (first + num_frames) * hop
        late = lookahead * hop
        samples = np.float32(np.exp(level)) * _slice(utterance.samples, start - LEFT_PAD_SAMPLES, end)
        return (
            samples,
            _slice(utterance.pulses, start - late - hop, end - late).reshape(-1, hop),
            (np.float32(np.exp(level)) * _slice(utterance.samples, start - late - hop, end - late)).reshape(-1, hop),
            _slice(utterance.pitch_hz, first - lookahead + 1, first - lookahead + 1 + num_frames),
            _slice(utterance.gain_TF, first - lookahead, first - lookahead + num_frames).astype(np.float32)
            + np.float32(level),
            _slice(utterance.phase_TF, first - lookahead, first - lookahead + num_frames).astype(np.float32),
        )


def blur(mel_BTM: Tensor, rng: torch.Generator) -> Tensor:
    """Mel as a flow head makes it: noise of up to 0.15 on every value, and at times smeared over its neighbours."""
    num_clips = mel_BTM.shape[0]
    level_B11 = torch.rand(num_clips, 1, 1, generator=rng) * 0.15
    smeared_BTM = (mel_BTM.roll(1, 1) + 2 * mel_BTM + mel_BTM.roll(1, 2) + mel_BTM.roll(-1, 2)) / 5
    share_B11 = (torch.rand(num_clips, 1, 1, generator=rng) - 0.7).clamp_min(0) * 3
    noise_BTM = torch.randn(mel_BTM.shape, generator=rng)
    noisy_BTM = mel_BTM + share_B11 * (smeared_BTM - mel_BTM) + level_B11 * noise_BTM
    return noisy_BTM.clamp_min(float(np.log(MIN_MEL)))


def _between(before_hz: NDArray[np.float32], after_hz: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pitch half-way between two frames; at the edge of a stretch of voice, that of its voiced side."""
    before_hz = np.where(before_hz > _MIN_VOICED_HZ, before_hz, 0)
    after_hz = np.where(after_hz > _MIN_VOICED_HZ, after_hz, 0)
    num_voiced = (before_hz > 0).astype(np.float32) + (after_hz > 0).astype(np.float32)
    return ((before_hz + after_hz) / np.maximum(1, num_voiced)).astype(np.float32)


def _slice(values: NDArray[_Kind], start: int, end: int) -> NDArray[_Kind]:
    """``values[start:end]`` with zeros where it reaches beyond the array."""
    inside = values[max(start, 0) : max(end, 0)]
    before = max(-start, 0)
    after = end - start - before - len(inside)
    return np.pad(inside, ((before, after), *((0, 0),) * (values.ndim - 1)))


assert NUM_BINS == 301, "hibari's bins are taken every second one"
