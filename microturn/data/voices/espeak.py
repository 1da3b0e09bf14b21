"""espeak-ng's variants in English accents; word starts from its events, word ends from the next start or pause."""

import ctypes.util
import functools
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from microturn.data.voices import espeak_child
from microturn.data.voices.alphabets import symbols_of_ipa
from microturn.data.voices.espeak_child import PHONEME, WORD
from microturn.data.voices.phonemes import written
from microturn.data.voices.utterance import Span, Utterance, build, from_pcm16
from microturn.errors import MissingDependencyError
from microturn.features.phones import Phone, sharing

ACCENTS = (
    "en-us",
    "en",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-us-nyc",
    "en-029",
)
WORDS_PER_MINUTE = 165
BIAS_MS = 0.0

Event = tuple[int, int, int, str]
"""What happens, at which character of the text, at which sample, and a phone's name."""


@dataclass(frozen=True, kw_only=True)
class EspeakVoice:
    """A variant (the speaker) in an accent, with its pitch and melody set."""

    variant: str
    accent: str = "en-us"
    pitch: int = 50
    """0 to 100."""
    range: int = 50
    """Liveliness, 0 to 100."""
    pace: float = 1.0

    @property
    def name(self) -> str:
        """Variant, accent and warp."""
        return f"{self.base} {self.accent} pitch={self.pitch} range={self.range}"

    @property
    def base(self) -> str:
        """``espeak:f2``; accents share a variant's side of the split."""
        return f"espeak:{self.variant}"

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """See ``Voice.say``."""
        words = text.split()
        sentence = written(words)
        request: dict[str, object] = {
            "text": sentence,
            "voice": f"{self.accent}+{self.variant}",
            "words_per_minute": round(WORDS_PER_MINUTE * speed * self.pace),
            "pitch": self.pitch,
            "range": self.range,
            "seed": seed % 2**31,
        }
        head, pcm = _child(os.getpid()).ask(request)
        sample_rate = int(head["sample_rate"])
        samples = from_pcm16(np.frombuffer(pcm, np.int16))
        spans = _spans(words, head["events"], sample_rate)
        phones = _phones(head["events"], sample_rate)
        return build(samples, sample_rate, text, spans, self.name, phones=phones, bias_ms=BIAS_MS)


def _spans(words: Sequence[str], events: Sequence[Event], sample_rate: int) -> list[Span | None]:
    """Times by word. Events count characters from 1; a word that espeak-ng joined to the one before has no event."""
    at = np.cumsum([1] + [len(word) + 1 for word in words])
    spans: list[Span | None] = [None] * len(words)
    for i, (kind, position, sample, _) in enumerate(events):
        if kind != WORD:
            continue
        index = int(np.searchsorted(at, position, side="right")) - 1
        if not 0 <= index < len(words) or spans[index] is not None:
            continue
        later = [s for k, _, s, _ in events[i + 1 :] if k != PHONEME and s > sample]
        end = later[0] if later else sample
        spans[index] = (sample * 1000 / sample_rate, end * 1000 / sample_rate)
    return spans


def _phones(events: Sequence[Event], sample_rate: int) -> list[Phone]:
    """Each lasts until the next, or a pause."""
    ms_of_sample = 1000 / sample_rate
    sounds = [event for event in events if event[0] != WORD]
    return [
        phone
        for (kind, _, start, name), (_, _, end, _) in pairwise(sounds)
        if kind == PHONEME and end > start
        for phone in sharing(symbols_of_ipa(name), start * ms_of_sample, end * ms_of_sample)
    ]


class _Child:
    """The resident process that holds the library."""

    def __init__(self) -> None:
        if not is_installed():
            raise MissingDependencyError("libespeak-ng is not installed: microturn data install")
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(Path(espeak_child.__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        weakref.finalize(self, self._process.kill)

    def ask(self, request: dict[str, object]) -> tuple[dict[str, Any], bytes]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"espeak-ng ended while saying {request['text']!r} as {request['voice']}")
        head = json.loads(line)
        return head, self._process.stdout.read(head["num_bytes"])


def is_installed() -> bool:
    """Whether the library is on this machine."""
    return ctypes.util.find_library("espeak-ng") is not None


@functools.lru_cache(1)
def _child(pid: int) -> _Child:
    """One resident process for each of ours."""
    return _Child()
