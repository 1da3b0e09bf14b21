"""When each word and phone of a known text sounds: forced alignment by pocketsphinx, and energy for single words."""

import functools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microturn.data.voices.alphabets import symbols_of_arpabet
from microturn.data.voices.utterance import Span
from microturn.errors import MissingDependencyError
from microturn.features.phones import Phone, sharing
from microturn.turns.timing import IN_HZ

FRAME_MS = 10.0
PADDING_MS = 200
"""Silence put around a recording that is cut close: the aligner needs room for its first and last state."""
HISS = 1e-4
"""Noise added for the aligner, against full scale."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Word times of a recording."""

    spans: tuple[Span, ...]
    """Start and end in ms, one for each word."""
    score: float
    """Mean log-likelihood of a frame over the words: higher is better, and comparable between recordings."""
    phones: tuple[Phone, ...] = ()
    """The words' sounds, where they were asked for."""


def align(samples: NDArray[np.float32], words: Sequence[str], *, with_phones: bool = False) -> Alignment | None:
    """Times of ``words`` in ``samples`` (mono, 16 kHz); None when a word is unknown or the text does not fit.

    ``with_phones`` takes twice as long.
    """
    decoder = _decoder(os.getpid())
    if not words or any(decoder.lookup_word(word) is None for word in words):
        return None
    peak = max(float(np.abs(samples).max(initial=0)), 1e-6)
    padded = np.pad(samples * (0.5 / peak), IN_HZ * PADDING_MS // 1000)
    hiss = np.random.default_rng(0).normal(0, HISS, len(padded))  # the aligner never heard digital silence
    pcm = ((padded + hiss) * 32767).astype(np.int16).tobytes()
    decoder.set_align_text(" ".join(words))
    _listen(decoder, pcm)
    segments = [s for s in decoder.seg() or () if s.word[0] not in "<["]
    if [s.word.split("(")[0] for s in segments] != list(words):
        return None
    num_frames = sum(s.end_frame - s.start_frame + 1 for s in segments)
    return Alignment(
        spans=tuple(
            (s.start_frame * FRAME_MS - PADDING_MS, (s.end_frame + 1) * FRAME_MS - PADDING_MS) for s in segments
        ),
        score=sum(math.log(max(s.ascore, 1e-300)) for s in segments) / num_frames,
        phones=tuple(_phones(decoder, pcm)) if with_phones else (),
    )


def _listen(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    try:
        decoder.process_raw(pcm, full_utt=True)
    finally:
        decoder.end_utt()


def _phones(decoder: Any, pcm: bytes) -> Iterator[Phone]:
    """The phones of the words that were just aligned, by a second pass within them."""
    decoder.set_alignment()
    _listen(decoder, pcm)
    for word in decoder.get_alignment() or ():
        for entry in word:
            name = "AX" if entry.name == "AH" else entry.name  # it has one for both, and most have no stress
            if symbols := symbols_of_arpabet(name):
                start_ms = entry.start * FRAME_MS - PADDING_MS
                yield from sharing(symbols, start_ms, start_ms + entry.duration * FRAME_MS)


def loudest_stretch(
    samples: NDArray[np.float32], *, within_db: float = 30.0, above_floor_db: float = 9.0, bridge_ms: float = 180.0
) -> Span | None:
    """The stretch of sound (ms) around the loudest frame of 16 kHz samples: where a single word lies in its clip.

    A frame is sound if it is within ``within_db`` of the loudest and ``above_floor_db`` over the noise floor; gaps up
    to ``bridge_ms`` (closures of stops) are bridged. None if nothing stands out.
    """
    frame = round(IN_HZ * FRAME_MS / 1000)
    num_frames = len(samples) // frame
    if num_frames < 3:
        return None
    power = np.square(samples[: num_frames * frame].reshape(num_frames, frame), dtype=np.float64).mean(1) + 1e-12
    level_db = 10 * np.log10(np.convolve(power, (0.25, 0.5, 0.25), mode="same"))
    floor_db = min(float(np.percentile(level_db, 10)), level_db.max() - 20)  # a clip cut close has no floor to see
    loud = np.flatnonzero(level_db > max(level_db.max() - within_db, floor_db + above_floor_db))
    if len(loud) == 0:
        return None
    runs = np.split(loud, np.flatnonzero(np.diff(loud) * FRAME_MS > bridge_ms) + 1)
    best = max(runs, key=lambda run: float(power[run].sum()))
    return float(best[0]) * FRAME_MS, float(best[-1] + 1) * FRAME_MS


@functools.lru_cache(1)
def _decoder(pid: int) -> Any:
    """One decoder a process."""
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise MissingDependencyError("pocketsphinx is not installed: pip install 'microturn[data]'") from error
    return Decoder(samprate=IN_HZ, lm=None, loglevel="FATAL")
