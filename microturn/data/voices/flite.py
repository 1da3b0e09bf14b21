"""flite's voices through its C library, with times of words and phones from the relations of the utterance."""

import ctypes
import functools
from collections.abc import Iterator
from ctypes import POINTER, RTLD_GLOBAL, Structure, c_char_p, c_float, c_int, c_short, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np

from microturn.data.voices.alphabets import phones_of_segments
from microturn.data.voices.utterance import Span, Utterance, build, from_pcm16
from microturn.errors import MissingDependencyError

SPEAKERS = ("kal16", "awb", "slt", "rms")
WORD_START = b"daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
WORD_END = b"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"
BIAS_MS = {"kal16": 0.0, "awb": 0.0, "slt": 0.0, "rms": 0.0}


class _Wave(Structure):
    _fields_ = (
        ("type", c_char_p),
        ("sample_rate", c_int),
        ("num_samples", c_int),
        ("num_channels", c_int),
        ("samples", POINTER(c_short)),
    )


class _Speaker(Structure):
    _fields_ = (("name", c_char_p), ("features", c_void_p))


@dataclass(frozen=True, kw_only=True)
class FliteVoice:
    """One of flite's speakers, its pitch scaled."""

    speaker: str
    f0_scale: float = 1.0
    pace: float = 1.0

    @property
    def name(self) -> str:
        """Speaker and warp."""
        return f"{self.base} f0={self.f0_scale:.2f}"

    @property
    def base(self) -> str:
        """``flite:rms``."""
        return f"flite:{self.speaker}"

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """See ``Voice.say``."""
        flite, speaker = _flite(), _speaker(self.speaker)
        ctypes.CDLL(None).srand(seed % 2**31)  # the statistical voices draw their noise from the C library
        features = _Speaker.from_address(speaker).features
        flite.feat_set_float(features, b"duration_stretch", 1 / (speed * self.pace))
        if self.speaker == "kal16":
            # Diphones take their pitch from a model with a stated mean; the statistical voices from a factor.
            flite.feat_set_float(features, b"int_f0_target_mean", 105.0 * self.f0_scale)
        else:
            flite.feat_set_float(features, b"f0_shift", self.f0_scale)
        utterance = flite.flite_synth_text(text.encode(), speaker)
        try:
            wave = _Wave.from_address(flite.utt_wave(utterance))
            samples = from_pcm16(np.ctypeslib.as_array(wave.samples, (wave.num_samples,)))
            sample_rate, spans = wave.sample_rate, _token_spans(flite, utterance)
            phones = list(phones_of_segments(_segments(flite, utterance)))
        finally:
            flite.delete_utterance(utterance)
        return build(samples, sample_rate, text, spans, self.name, phones=phones, bias_ms=BIAS_MS[self.speaker])


def _token_spans(flite: Any, utterance: int) -> list[Span | None]:
    spans: list[Span | None] = []
    token = flite.relation_head(flite.utt_relation(utterance, b"Token"))
    while token:
        start = flite.ffeature_float(token, WORD_START) * 1000
        end = flite.ffeature_float(token, WORD_END) * 1000
        spans.append((start, end) if end > start else None)
        token = flite.item_next(token)
    return spans


def _segments(flite: Any, utterance: int) -> Iterator[tuple[str, float]]:
    """Names and ends (ms)."""
    segment = flite.relation_head(flite.utt_relation(utterance, b"Segment"))
    while segment:
        name = flite.ffeature_string(segment, b"name").decode()
        yield name, flite.ffeature_float(segment, b"end") * 1000
        segment = flite.item_next(segment)


def is_installed() -> bool:
    """Whether the library and its voices are on this machine."""
    try:
        for speaker in SPEAKERS:
            _speaker(speaker)
    except MissingDependencyError:
        return False
    return True


def _library(name: str) -> Any:
    try:
        return ctypes.CDLL(name, mode=RTLD_GLOBAL)
    except OSError as error:
        raise MissingDependencyError(f"{name} is not installed: microturn data install") from error


@functools.cache
def _flite() -> Any:
    """The library with the signatures that we call."""
    flite = _library("libflite.so.1")
    for name in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
        _library(name)
    pointer = c_void_p
    for name, result, *arguments in (
        ("flite_synth_text", pointer, c_char_p, pointer),
        ("utt_relation", pointer, pointer, c_char_p),
        ("relation_head", pointer, pointer),
        ("item_next", pointer, pointer),
        ("ffeature_float", c_float, pointer, c_char_p),
        ("ffeature_string", c_char_p, pointer, c_char_p),
        ("utt_wave", pointer, pointer),
        ("delete_utterance", None, pointer),
        ("feat_set_float", None, pointer, c_char_p, c_float),
    ):
        function = getattr(flite, name)
        function.restype, function.argtypes = result, arguments
    flite.flite_init()
    return flite


@functools.cache
def _speaker(speaker: str) -> int:
    _flite()
    register = getattr(_library(f"libflite_cmu_us_{speaker}.so.1"), f"register_cmu_us_{speaker}")
    register.restype, register.argtypes = c_void_p, [c_char_p]
    return register(None)
