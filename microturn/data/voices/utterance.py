"""What a voice returns: samples and, for every word of the text, when it sounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from microturn.features.phones import Phone

PAD_MS = 30.0
"""Silence that stays at both ends of an utterance."""
FRAME_MS = 5.0
SILENCE_DB = -42.0
"""A frame this far below the loudest frame is silence: under speech, above the noise branch of the synthesisers."""
MIN_WORD_MS = 20.0
PEAK = 0.99
"""Louder than this, an utterance is scaled down: warps add energy."""

Span = tuple[float, float]
"""Start and end in ms."""


@dataclass(frozen=True, kw_only=True)
class SpokenWord:
    """One word of the text as it was given, and when it sounds."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """Speech with word times, silence at the ends trimmed to ``PAD_MS``."""

    samples: NDArray[np.float32]
    """(num_samples,) in [-1, 1]."""
    sample_rate: int
    words: tuple[SpokenWord, ...]
    """One for each of ``text.split()``, in order, without overlap."""
    text: str
    voice: str
    phones: tuple[Phone, ...] = ()
    """Its sounds, in order without overlap, where the synthesiser tells them."""

    @property
    def duration_ms(self) -> float:
        """Length of the sound."""
        return len(self.samples) * 1000 / self.sample_rate

    @property
    def sounds(self) -> Sequence[Phone]:
        """``phones``; without them, for every word one that is in no list."""
        unknown = (Phone(symbol="", start_ms=word.start_ms, end_ms=word.end_ms) for word in self.words)
        return self.phones or tuple(unknown)


def from_pcm16(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """16-bit samples in [-1, 1)."""
    return np.divide(pcm, 32768, dtype=np.float32)


class Voice(Protocol):
    """Somebody who can say a text."""

    @property
    def name(self) -> str:
        """What distinguishes this voice, its warps included."""
        ...

    @property
    def base(self) -> str:
        """The synthesiser's own voice: all its warps stay on one side of the split."""
        ...

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """Speak lower-case words without punctuation ("count from three to ten"). The same arguments give the same
        samples. ``speed`` 1.25 is a quarter faster."""
        ...


def voiced_span_samples(
    samples: NDArray[np.float32], sample_rate: int, silence_db: float = SILENCE_DB
) -> tuple[int, int]:
    """First and one past the last sample of sound louder than ``silence_db`` below the loudest frame."""
    frame_samples = max(1, round(sample_rate * FRAME_MS / 1000))
    num_frames = len(samples) // frame_samples
    if num_frames == 0:
        return 0, len(samples)
    power = np.square(samples[: num_frames * frame_samples].reshape(num_frames, frame_samples), dtype=np.float64).mean(
        1
    )
    power = np.convolve(power, (0.25, 0.5, 0.25), mode="same")
    loud = np.flatnonzero(power > power.max() * 10 ** (silence_db / 10))
    if len(loud) == 0:
        return 0, len(samples)
    return int(loud[0]) * frame_samples, (int(loud[-1]) + 1) * frame_samples


def share(words: Sequence[str], spans: Sequence[Span | None]) -> list[Span]:
    """Give words without a span of their own a part of their neighbour's.

    Synthesisers run words together ("of the" is one event in espeak-ng): the first carries the span, the others None;
    a leading None joins the first span. Each run is divided in proportion to the words' letters.
    """
    first = next((i for i, span in enumerate(spans) if span is not None), None)
    if first is None:
        raise ValueError(f"none of the {len(words)} words has a time: the synthesiser said nothing")
    starts = [0] + [i for i, span in enumerate(spans) if span is not None and i > first] + [len(words)]
    shared: list[Span] = []
    for begin, end in pairwise(starts):
        span = spans[first if begin == 0 else begin]
        assert span is not None
        letters = np.cumsum([0] + [len(word) + 1 for word in words[begin:end]])
        edges = span[0] + (span[1] - span[0]) * letters / letters[-1]
        shared += [(float(a), float(b)) for a, b in pairwise(edges)]
    return shared


def build(
    samples: NDArray[np.float32],
    sample_rate: int,
    text: str,
    spans: Sequence[Span | None],
    voice: str,
    *,
    phones: Sequence[Phone] = (),
    bias_ms: float = 0.0,
) -> Utterance:
    """Trim the silence and bring the words' times into the order and bounds that ``Utterance`` promises.

    ``spans`` has one entry for each of ``text.split()``. ``bias_ms`` is what the synthesiser's own times, those of
    ``phones`` included, run late against the sound; it is taken off. The first word starts and the last word ends with
    the sound.
    """
    words = text.split()
    if len(spans) != len(words):
        raise ValueError(f"{voice} gave {len(spans)} times for the {len(words)} words of {text!r}")
    first, last = voiced_span_samples(samples, sample_rate)
    pad = round(PAD_MS * sample_rate / 1000)
    silence = np.zeros(pad, np.float32)
    body = np.concatenate([silence, samples, silence])[first : last + 2 * pad].astype(np.float32)
    body *= np.float32(min(1.0, PEAK / max(float(np.abs(body).max()), 1e-6)))
    offset_ms = PAD_MS - first * 1000 / sample_rate - bias_ms
    sound = PAD_MS, PAD_MS + (last - first) * 1000 / sample_rate
    timed = _in_order([(a + offset_ms, b + offset_ms) for a, b in share(words, spans)], sound)
    return Utterance(
        samples=body,
        sample_rate=sample_rate,
        words=tuple(SpokenWord(text=w, start_ms=a, end_ms=b) for w, (a, b) in zip(words, timed, strict=True)),
        text=text,
        voice=voice,
        phones=tuple(shifted(phones, offset_ms)),
    )


def shifted(phones: Sequence[Phone], by_ms: float) -> list[Phone]:
    """The same phones, so much later."""
    return [replace(phone, start_ms=phone.start_ms + by_ms, end_ms=phone.end_ms + by_ms) for phone in phones]


def _in_order(spans: Sequence[Span], sound: Span) -> list[Span]:
    """Clip to the sound, remove overlap, keep every word at least ``MIN_WORD_MS`` long where there is room."""
    count = len(spans)
    room = min(MIN_WORD_MS, (sound[1] - sound[0]) / count)
    ordered: list[Span] = []
    end = sound[0]
    for i, (a, b) in enumerate(spans):
        latest_end = sound[1] - room * (count - 1 - i)
        start = sound[0] if i == 0 else min(max(a, end), latest_end - room)
        end = sound[1] if i == count - 1 else min(max(b, start + room), latest_end)
        ordered.append((start, end))
    return ordered
