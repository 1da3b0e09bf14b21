"""English words to the phonemes of hibari and Kokoro, with the word that owns each phoneme.

Both models read misaki's phoneme alphabet and predict a duration for every phoneme; word times are sums of those. The
durations are an inner tensor, which ``with_durations`` turns into an output.
"""

import functools
import gzip
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microturn.data.voices.german import read_german
from microturn.data.voices.spanish import read_spanish
from microturn.data.voices.utterance import Span
from microturn.errors import MissingDependencyError
from microturn.features.phones import Phone

SAMPLE_RATE = 24_000
LATE_MS = 80.0
"""Both models' durations run late against their sound; measured against forced alignment."""
PHONES_LATE_MS = 55.0
"""The phones' middles run late by less; measured by where hibari's sibilants and vowels differ most in mel."""
RELEASE_MS = 40.0
"""A word sounds on into the space after it, by as much; measured in the same way."""
STRESS, LONG = "ˈˌ", "ː"
"""Marks among the phonemes that are no sounds of their own."""
_TO_AMERICAN = str.maketrans({"Q": "O", "ɒ": "ɑ", "ᵊ": "ə", LONG: ""})
"""British sounds to the nearest that an American voice has said."""
FOREIGN_READERS: dict[str, Callable[[str], str]] = {"es": read_spanish, "de": read_german}
"""Words of other languages to sounds, by language."""


@dataclass(frozen=True)
class Phonemes:
    """Input of the model: ids with the boundary token at both ends, and the word index that owns each (-1: none)."""

    ids: NDArray[np.int64]
    owners: NDArray[np.int64]


def assets() -> Path:
    """The folder of hibari's model, lexicons and vocabulary."""
    spec = importlib.util.find_spec("hibari")
    if spec is None or spec.origin is None:
        raise MissingDependencyError("hibari-tts is not installed: pip install 'microturn[data]'")
    return Path(spec.origin).parent / "assets"


@functools.cache
def dictionary() -> tuple[str, ...]:
    """Plain English words of 3 to 10 letters that hibari knows how to say, sorted; most of them are rare."""
    with gzip.open(assets() / "lexicon_us_gold.json.gz", "rt", encoding="utf-8") as file:
        return tuple(
            sorted(w for w in json.load(file) if w.isascii() and w.isalpha() and w.islower() and 3 <= len(w) <= 10)
        )


@functools.cache
def _vocabulary() -> dict[str, int]:
    return json.loads((assets() / "vocab.json").read_text(encoding="utf-8"))


@functools.cache
def _g2p(is_british: bool) -> Any:
    from hibari.g2p import G2P

    return G2P(british=is_british)


def written(words: Sequence[str]) -> str:
    """The words as a sentence: a synthesiser reads "I" and a full stop better than "i" and nothing."""
    return " ".join("I" + word[1:] if word == "i" or word.startswith("i'") else word for word in words) + "."


@functools.lru_cache(4096)
def phonemes(text: str, is_british: bool = False) -> Phonemes:
    """Phoneme ids of lower-case words. Raises ``ValueError`` for a text without a pronounceable word."""
    return _joined(_read(text, is_british), text)


@functools.lru_cache(4096)
def british_phonemes(text: str) -> Phonemes:
    """Phoneme ids of lower-case words as they are said in Britain, in the sounds that an American voice has.

    hibari garbles the vowels that it has never said. Given the nearest of its own it is understood, and has an accent:
    "past" with the vowel of "father", "car" without its end. Raises as ``phonemes`` does.
    """
    return _joined([sound.translate(_TO_AMERICAN) for sound in _read(text, is_british=True)], text)


@functools.lru_cache(4096)
def foreign_phonemes(text: str, language: str) -> Phonemes:
    """Phoneme ids of lower-case words of another language, in the sounds that English has.

    Raises:
        ValueError: nobody here reads that language, or there is nothing to pronounce.
    """
    if language not in FOREIGN_READERS:
        raise ValueError(f"no reader for {language!r}: choose from {', '.join(FOREIGN_READERS)}")
    return _joined([FOREIGN_READERS[language](word) for word in text.split()], text)


def _joined(read: Sequence[str], text: str) -> Phonemes:
    """The sounds of words, with their owners and what stands between and around them."""
    vocabulary = _vocabulary()
    ids, owners = [0], [-1]
    for index, sound in enumerate(read):
        if index:
            ids.append(vocabulary[" "])
            owners.append(-1)
        known = [vocabulary[c] for c in sound if c in vocabulary and (c.isalpha() or c == " ")]
        ids += known
        owners += [index] * len(known)
    if max(owners) < 0:
        raise ValueError(f"nothing to pronounce in {text!r}: give lower-case words")
    ids += [vocabulary["."], 0]
    owners += [-1, -1]
    return Phonemes(np.array(ids, np.int64), np.array(owners, np.int64))


def _read(text: str, is_british: bool) -> list[str]:
    """Phonemes by word."""
    words = text.split()
    read = _read_together(words, is_british)
    return read if read is not None else [_read_alone(word, is_british) for word in words]


def _read_together(words: Sequence[str], is_british: bool) -> list[str] | None:
    """Phonemes by word, read in context; None if the reader's tokens do not line up with the words."""
    g2p = _g2p(is_british)
    read, current = list[str](), ""
    for token in g2p.phonemize_tokens(g2p.tokenize(written(words))):
        current += token.phonemes or ""
        if token.whitespace:
            read.append(current)
            current = ""
    read.append(current)
    return [sound.strip(" .") for sound in read] if len(read) == len(words) else None


def _read_alone(word: str, is_british: bool) -> str:
    return _g2p(is_british)(written([word])).strip(" .")


def spans_ms(
    owners: NDArray[np.int64], durations: NDArray[np.float64], num_words: int, total_ms: float
) -> list[Span | None]:
    """Word times from phoneme durations in any unit; None for a word without a phoneme."""
    ends = np.cumsum(durations) * (total_ms / durations.sum())
    starts = np.concatenate([[0.0], ends[:-1]])
    own = [np.flatnonzero(owners == index) for index in range(num_words)]
    begins = [float(starts[k[0]]) for k in own if len(k)] + [total_ms]
    spans: list[Span | None] = []
    for k in own:
        if not len(k):
            spans.append(None)
            continue
        begin, following = begins[0], begins[1]
        begins = begins[1:]
        spans.append((begin, min(float(ends[k[-1]]) + RELEASE_MS, following)))
    return spans


def phones_ms(read: Phonemes, durations: NDArray[np.float64], total_ms: float) -> list[Phone]:
    """Times of the phones from phoneme durations in any unit.

    They are late by ``LATE_MS``, as words are. A mark of stress belongs to the sound that follows it, one of length to
    that before it, and the first ``RELEASE_MS`` after a word to its last sound.
    """
    symbols = {number: symbol for symbol, number in _vocabulary().items()}
    lag_ms = LATE_MS - PHONES_LATE_MS
    ends = np.cumsum(durations) * (total_ms / durations.sum()) + lag_ms
    phones: list[Phone] = []
    begin = lag_ms
    for number, owner, end in zip(read.ids, read.owners, ends, strict=True):
        symbol = symbols.get(int(number), "")
        if owner < 0 and phones:
            phones[-1] = replace(phones[-1], end_ms=min(phones[-1].end_ms + RELEASE_MS, float(end)))
        elif owner >= 0 and symbol in STRESS:
            continue
        elif symbol == LONG and phones:
            phones[-1] = replace(phones[-1], end_ms=float(end))
        elif owner >= 0:
            phones.append(Phone(symbol=symbol, start_ms=begin, end_ms=float(end)))
        begin = float(end)
    return phones


def with_durations(model: bytes, tensor: str) -> bytes:
    """The ONNX model with an inner tensor as one more output."""
    import onnx

    graph = onnx.load_from_string(model)
    graph.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    return graph.SerializeToString()


def single_threaded(model: bytes) -> Any:
    """An onnxruntime session that stays on one core: many workers render side by side."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
