"""Numbers as they are spoken, and as they are typed."""

import re

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_TIMES = {2: "twos", 3: "threes", 4: "fours", 5: "fives", 10: "tens", 20: "twenties"}


def spoken(number: int) -> str:
    """``42`` as ``forty two``; -999 to 999, else ValueError."""
    if not -999 <= number <= 999:
        raise ValueError(f"{number} is outside -999 to 999: only these are spoken by the scenarios")
    if number < 0:
        return f"minus {spoken(-number)}"
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    hundreds, rest = divmod(number, 100)
    return f"{_ONES[hundreds]} hundred" + (f" {spoken(rest)}" if rest else "")


_BY_WORDS = {spoken(number): number for number in range(1000)}
_WORDS = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, _BY_WORDS), key=len, reverse=True))})\b")


def in_digits(text: str) -> str:
    """``count from one to twenty three`` as ``count from 1 to 23``."""
    return _WORDS.sub(lambda found: str(_BY_WORDS[found[0]]), text)


def spoken_step(step: int) -> str:
    """A step of counting: ``2`` as ``twos``."""
    return _TIMES[step]


STEPS = tuple(_TIMES)
