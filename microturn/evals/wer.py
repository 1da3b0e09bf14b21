"""Word error rate, and the normal form of text in which it is counted."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# fmt: off
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}
# fmt: on
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_NUMBER_WORDS = frozenset((*_ONES, *_TENS, *(name for _, name in _SCALES)))
_SAME_WORD = {"ok": "okay", "mr": "mister", "mrs": "missus", "dr": "doctor", "alright": "all right"}
_SYMBOLS = {"%": " percent ", "&": " and ", "+": " plus ", "=": " equals ", "@": " at "}

_CLOCK = re.compile(r"\b(\d{1,2}):(\d\d)\b")
_MONEY = re.compile(r"\$(\d[\d,]*)(?:\.(\d\d))?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:st|nd|rd|th)?\b|\d+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
# After a figure, a dash is how recognisers write a pause: "56 -48" is a row of numbers.
_MINUS = re.compile(r"(?<![\w.])(?<!\d )-(?=\d)")


@dataclass(frozen=True, kw_only=True, slots=True)
class WordErrors:
    """Edits between what was said and what was heard."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    num_words: int = 0
    """Words of the references."""

    @property
    def rate(self) -> float:
        """Edits per word of the reference; for an empty reference 0 if nothing was heard, else 1."""
        edits = self.substitutions + self.deletions + self.insertions
        return edits / self.num_words if self.num_words else float(edits > 0)


def word_error_rate(reference: str, heard: str, *, language: str = "en") -> WordErrors:
    """The fewest edits that turn the reference's words into those heard, both in normal form."""
    return count_edits(normal_words(reference, language=language), normal_words(heard, language=language))


def count_edits(reference: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Levenshtein's alignment of two lists of words."""
    # A cell is (edits, substitutions, deletions, insertions): the minimum by edits, ties by fewer substitutions.
    row = [(k, 0, 0, k) for k in range(len(heard) + 1)]
    for i, word in enumerate(reference, start=1):
        above, row = row, [(i, 0, i, 0)]
        for j, other in enumerate(heard, start=1):
            edits, s, d, n = above[j - 1]
            matched = (edits, s, d, n) if word == other else (edits + 1, s + 1, d, n)
            edits, s, d, n = above[j]
            dropped = (edits + 1, s, d + 1, n)
            edits, s, d, n = row[j - 1]
            row.append(min(matched, dropped, (edits + 1, s, d, n + 1)))
    _, substitutions, deletions, insertions = row[-1]
    return WordErrors(substitutions=substitutions, deletions=deletions, insertions=insertions, num_words=len(reference))


def normal_words(text: str, *, language: str = "en") -> list[str]:
    """Lower-case words without punctuation; in English, figures become words."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    if language != "en":
        return re.findall(r"\w+", text.replace("'", ""))
    text = _THOUSANDS.sub("", text)
    text = _CLOCK.sub(lambda match: f"{match[1]} {match[2] if match[2] != '00' else ''}", text)
    text = _MONEY.sub(lambda match: f"{match[1]} dollars {match[2] or ''}", text)
    text = _MINUS.sub("minus ", text)
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, word)
    text = _NUMBER.sub(lambda match: f" {_figure_in_words(match[0])} ", text)
    words: list[str] = re.findall(r"[^\W_]+", text.replace("'", ""))
    words = " ".join(_SAME_WORD.get(word, word) for word in words).split()
    return _without_number_and(words)


def number_in_words(number: int) -> str:
    """English words for a number, without "and": 101 is "one hundred one"."""
    if number < 0:
        return f"minus {number_in_words(-number)}"
    if number < 20:
        return _ONES[number]
    if number < 100:
        ones = number % 10
        return _TENS[number // 10 - 2] + (f" {_ONES[ones]}" if ones else "")
    for scale, name in _SCALES:
        if number >= scale:
            rest = number % scale
            return f"{number_in_words(number // scale)} {name}" + (f" {number_in_words(rest)}" if rest else "")
    raise AssertionError(f"no scale for {number}")


def _figure_in_words(figure: str) -> str:
    digits = figure.rstrip("stndrh")
    whole, _, fraction = digits.partition(".")
    if len(whole) > 12 or (len(whole) > 1 and whole[0] == "0"):
        words = " ".join(_ONES[int(digit)] for digit in whole)
    else:
        words = number_in_words(int(whole))
    if fraction:
        return f"{words} point {' '.join(_ONES[int(digit)] for digit in fraction)}"
    return words if digits == figure else _ordinal(words)


def _ordinal(words: str) -> str:
    *first, last = words.split()
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return " ".join((*first, _ORDINALS.get(last, regular)))


def _without_number_and(words: list[str]) -> list[str]:
    """British "one hundred and one" and American "one hundred one" are the same number."""
    return [
        word
        for k, word in enumerate(words)
        if not (
            word == "and"
            and 0 < k < len(words) - 1
            and words[k - 1] in {"hundred", "thousand"}
            and words[k + 1] in _NUMBER_WORDS
        )
    ]
