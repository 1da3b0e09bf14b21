"""The sounds of speech: each patch of the model's own is told by the phone that it ends on, and what is heard has them.

A patch of 50 ms goes from the phone of the patch before it to its own. Both are discrete: what is chosen stands, where
a patch that is a little of two sounds would be read as either, and an utterance knows where in its words it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microturn.turns.timing import PATCH_MS

UNKNOWN_PHONE = 0
"""Nobody said which: a recording without phone times, a journal from before there were phones."""
PAUSE = 1
SYMBOLS = "AIOQTWYabdefhijklmnopstuvwxyzæðŋɐɑɒɔəɛɜɡɪɹɾʃʊʌʒʔʤʧθᵊᵻ"
"""English phones in the alphabet of misaki, whose capitals are diphthongs (A I O Q W Y: the vowels of day, my, go,
British go, now, boy) but for T, a flap."""
NUM_PHONES = 2 + len(SYMBOLS)
PHONE_AT_MS = 29.0
"""Where in a patch its phone is read: at the middle of the window of its last mel frame."""

_IDS = {symbol: 2 + index for index, symbol in enumerate(SYMBOLS)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """One sound, and when it is heard."""

    symbol: str
    start_ms: float
    end_ms: float


def phone_symbol(phone: int) -> str:
    """The symbol of a phone's id; ``?`` for an unknown one, ``_`` for a pause."""
    return ("?", "_", *SYMBOLS)[phone]


def phones_by_patch(phones: Sequence[Phone], num_patches: int) -> NDArray[np.uint8]:
    """The phone that each patch ends on, (num_patches,); a pause where none sounds, unknown if ``phones`` is empty.

    ``phones`` do not overlap. A symbol that is not in ``SYMBOLS`` is unknown.
    """
    if not phones:
        return np.full(num_patches, UNKNOWN_PHONE, np.uint8)
    return phones_at(phones, np.arange(num_patches) * PATCH_MS + PHONE_AT_MS)


def phones_at(phones: Sequence[Phone], at_ms_N: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """The phone that sounds at each of some times, which ascend: (N,). Where several do it is the last of them."""
    ids_N = np.full(len(at_ms_N), PAUSE, np.uint8)
    for phone in phones:
        first, end = np.searchsorted(at_ms_N, (phone.start_ms, phone.end_ms))
        ids_N[first:end] = _IDS.get(phone.symbol, UNKNOWN_PHONE)
    return ids_N


def sharing(symbols: str, start_ms: float, end_ms: float) -> Iterator[Phone]:
    """Phones that share a span of time evenly; one that is in no list, if there are none."""
    length_ms = (end_ms - start_ms) / max(1, len(symbols))
    for place, symbol in enumerate(symbols or ("",)):
        begin_ms = start_ms + place * length_ms
        yield Phone(symbol=symbol, start_ms=begin_ms, end_ms=begin_ms + length_ms)
