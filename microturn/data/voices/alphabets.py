"""Other alphabets of phones, in the symbols of ``features.phones``."""

from collections.abc import Iterable, Iterator

from microturn.features.phones import Phone, sharing

_ARPABET = """
    AA:ɑ AE:æ AH:ʌ AO:ɔ AW:W AX:ə AXR:əɹ AY:I B:b CH:ʧ D:d DH:ð DX:ɾ EH:ɛ EL:əl EM:əm EN:ən ER:ɜɹ EY:A F:f G:ɡ HH:h
    HV:h IH:ɪ IY:i JH:ʤ K:k L:l M:m N:n NG:ŋ NX:n OW:O OY:Y P:p R:ɹ S:s SH:ʃ T:t TH:θ UH:ʊ UW:u V:v W:w Y:j Z:z ZH:ʒ
"""
_SYMBOLS_OF_ARPABET = {name: symbols for name, _, symbols in (pair.partition(":") for pair in _ARPABET.split())}
_SYMBOLS_OF_IPA = {
    "eɪ": "A", "e": "A", "aɪ": "I", "oʊ": "O", "əʊ": "O", "o": "O", "aʊ": "W", "ɔɪ": "Y", "tʃ": "ʧ", "dʒ": "ʤ",
    "ɚ": "əɹ", "ɝ": "ɜɹ", "r": "ɹ", "g": "ɡ", "a": "æ", "ʉ": "u", "ɫ": "l", "ʍ": "w", "ɨ": "ᵻ", "x": "k", "ç": "h",
}  # fmt: skip
"""Where the international alphabet writes other characters, or several; accents' vowels are the nearest of ours."""
_MARKS = str.maketrans("", "", "ˈˌː̩̃ʰʲ")
"""Stress, length and manner."""


def symbols_of_arpabet(name: str) -> str:
    """The symbols of a phone of the ARPABET, in any case and with any stress ("ey1": "A"); none for a pause."""
    return _SYMBOLS_OF_ARPABET.get(name.upper().rstrip("012"), "")


def symbols_of_ipa(name: str) -> str:
    """The symbols of a phone in the international alphabet ("uː": "u", "eɪ": "A", "ɛɹ": "ɛɹ"); none for a pause."""
    plain, symbols = name.translate(_MARKS), ""
    while plain:
        length = 2 if plain[:2] in _SYMBOLS_OF_IPA else 1
        symbols += _SYMBOLS_OF_IPA.get(plain[:length], plain[:length])
        plain = plain[length:]
    return symbols


def phones_of_segments(segments: Iterable[tuple[str, float]]) -> Iterator[Phone]:
    """Phones of consecutive segments, each by its name in the ARPABET and its end in ms; pauses are segments too."""
    start_ms = 0.0
    for name, end_ms in segments:
        if symbols := symbols_of_arpabet(name):
            yield from sharing(symbols, start_ms, end_ms)
        start_ms = end_ms
