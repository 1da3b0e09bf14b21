"""festival's voices through one resident interpreter per process; times of words and phones from its relations."""

import functools
import os
import shutil
import subprocess
import tempfile
import wave
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from microturn.data.voices.alphabets import phones_of_segments
from microturn.data.voices.utterance import Span, Utterance, build, from_pcm16
from microturn.errors import MissingDependencyError
from microturn.features.phones import Phone

SPEAKERS = {"slt": "cmu_us_slt_arctic_hts", "kal": "kal_diphone", "ked": "ked_diphone"}
BIAS_MS = {"slt": 0.0, "kal": 0.0, "ked": 0.0}
PHONE, DONE = "==phone==", "==done=="

PRELUDE = f"""
(define (microturn_times token)
  (if token
      (begin
        (format t "%s %s %s\\n" (item.name token)
          (item.feat token "daughter1.word_start") (item.feat token "daughtern.word_end"))
        (microturn_times (item.next token)))))
(define (microturn_phones segment)
  (if segment
      (begin
        (format t "{PHONE} %s %s\\n" (item.name segment) (item.feat segment "end"))
        (microturn_phones (item.next segment)))))
(define (microturn_say words file)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text words)))))
    (microturn_times (utt.relation.first utt 'Token))
    (microturn_phones (utt.relation.first utt 'Segment))
    (utt.save.wave utt file 'riff)
    (format t "{DONE}\\n")
    (fflush nil)))
"""


@dataclass(frozen=True, kw_only=True)
class FestivalVoice:
    """One of festival's speakers, its pitch moved."""

    speaker: str
    f0_scale: float = 1.0
    pace: float = 1.0

    @property
    def name(self) -> str:
        """Speaker and warp."""
        return f"{self.base} f0={self.f0_scale:.2f}"

    @property
    def base(self) -> str:
        """``festival:ked``."""
        return f"festival:{self.speaker}"

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """See ``Voice.say``. festival draws nothing at random: ``seed`` changes nothing."""
        if any(c in text for c in '"\\\n'):
            raise ValueError(f"{text!r} has characters that are not spoken: give lower-case words")
        return _interpreter(os.getpid()).say(self, text, speed * self.pace)


class _Interpreter:
    """A festival process that reads Scheme and answers with word times and a file of samples."""

    def __init__(self) -> None:
        program = shutil.which("festival")
        if program is None:
            raise MissingDependencyError("festival is not installed: microturn data install")
        self._folder = tempfile.TemporaryDirectory(prefix="microturn-festival-")
        self._process = subprocess.Popen(
            [program, "--pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="latin-1",
        )
        weakref.finalize(self, self._process.kill)
        self._write(PRELUDE)

    def say(self, voice: FestivalVoice, text: str, speed: float) -> Utterance:
        path = Path(self._folder.name) / "said.wav"
        self._write(f'(voice_{SPEAKERS[voice.speaker]})\n{_warp(voice, speed)}\n(microturn_say "{text}" "{path}")\n')
        spans, phones = self._read_times()
        samples, sample_rate = _read_wav(path)
        return build(samples, sample_rate, text, spans, voice.name, phones=phones, bias_ms=BIAS_MS[voice.speaker])

    def _write(self, scheme: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(scheme)
        self._process.stdin.flush()

    def _read_times(self) -> tuple[list[Span | None], list[Phone]]:
        """Of the words and of the phones, in ms."""
        assert self._process.stdout is not None
        spans: list[Span | None] = []
        segments: list[tuple[str, float]] = []
        for line in self._process.stdout:
            if line.strip() == DONE:
                return spans, list(phones_of_segments(segments))
            try:
                start, end = line.split()[-2:]
                end_ms = float(end) * 1000
                if line.startswith(PHONE):
                    segments.append((start, end_ms))
                else:
                    start_ms = float(start) * 1000
                    spans.append((start_ms, end_ms) if end_ms > start_ms else None)
            except ValueError:  # a warning, not a time
                continue
        raise RuntimeError("festival ended in mid-sentence: run it by hand with the same text to see why")


def _warp(voice: FestivalVoice, speed: float) -> str:
    """Scheme that sets pace and pitch after a speaker was chosen."""
    if voice.speaker == "slt":
        semitones = 12 * np.log2(voice.f0_scale)
        return f'(set! hts_engine_params (append hts_engine_params \'(("-r" {speed:.3f}) ("-fm" {semitones:.2f}))))'
    mean_hz, deviation_hz = 105 * voice.f0_scale, 14 * voice.f0_scale
    return (
        f"(Parameter.set 'Duration_Stretch {1 / speed:.3f})\n"
        f"(set! int_lr_params '((target_f0_mean {mean_hz:.1f}) (target_f0_std {deviation_hz:.1f})"
        " (model_f0_mean 170) (model_f0_std 34)))"
    )


def _read_wav(path: Path) -> tuple[NDArray[np.float32], int]:
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return from_pcm16(pcm), file.getframerate()


def is_installed() -> bool:
    """Whether the program is on this machine."""
    return shutil.which("festival") is not None


@functools.lru_cache(1)
def _interpreter(pid: int) -> _Interpreter:
    """One interpreter a process."""
    return _Interpreter()
