"""Numbers as people say them: "twenty two point five" to 22.5 and back. English."""

import re

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_VALUES = {word: value for value, word in enumerate(_SMALL)} | {word: 10 * (i + 2) for i, word in enumerate(_TENS)}
_DIGITS = {**{word: str(value) for value, word in enumerate(_SMALL[:10])}, "oh": "0"}
_MOST_DIGITS = 15
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?!\w|,\d)")
_NUMBER = re.compile(r"(?<![\w.,])([-−]?)(\d[\d,]*)(?:\.(\d+))?(?![\w]|[.,]\d)")
_CLOCK = re.compile(r"(?<![\w:.])(\d{1,2}):([0-5]\d)(?![\w:])")
_WORD = re.compile(r"[a-z]+|\d+(?:,\d+)*(?:\.\d+)?|[^\sa-z\d]", re.IGNORECASE)


def digits_of(text: str) -> str:
    """The text in lower case with every spoken number as digits: "half of twenty two" to "half of 22".

    Commas between thousands are left out; others stay.
    """
    text = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text.lower())
    words = _WORD.findall(re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text))
    out: list[str] = []
    at = 0
    while at < len(words):
        number, used = _read_number(words[at:])
        out.append(number if used else words[at])
        at += used or 1
    return " ".join(out)


def words_of(text: str) -> str:
    """The text with every number in digits spelled out: "22.5 degrees" to "twenty two point five degrees"."""
    return _NUMBER.sub(_spell, _CLOCK.sub(_spell_clock, text))


def spell(value: int) -> str:
    """A whole number in words, for magnitudes below 10**15."""
    if value < 0:
        return f"minus {spell(-value)}"
    if value < 20:
        return _SMALL[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens - 2] + (f" {_SMALL[ones]}" if ones else "")
    if value < 1000:
        hundreds, rest = divmod(value, 100)
        return f"{_SMALL[hundreds]} hundred" + (f" {spell(rest)}" if rest else "")
    name, scale = next((n, s) for n, s in reversed(_SCALES.items()) if value >= s)
    count, rest = divmod(value, scale)
    return f"{spell(count)} {name}" + (f" {spell(rest)}" if rest else "")


def _spell_clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if not minute:
        return f"{spell(hour)} o'clock" if 0 < hour <= 12 else f"{spell(hour)} hundred hours"
    return f"{spell(hour)} {'oh ' if minute < 10 else ''}{spell(minute)}"


def _spell(match: re.Match[str]) -> str:
    sign, whole, fraction = match.groups()
    digits = whole.replace(",", "")
    leads_with_zero = len(whole) > 1 and whole.startswith("0")
    if len(digits) > _MOST_DIGITS or leads_with_zero:  # a code or an identifier: digit by digit
        words = " ".join(_SMALL[int(digit)] for digit in digits)
    else:
        words = spell(int(digits))
    if fraction:
        words += " point " + " ".join(_SMALL[int(digit)] for digit in fraction)
    return ("minus " if sign else "") + words


def _read_number(words: list[str]) -> tuple[str, int]:
    """The number with which the words begin, as digits, and how many of them it took; 0 if there is none."""
    if not words or (words[0] not in _VALUES and not (words[0] == "a" and words[1:2] in (["hundred"], ["thousand"]))):
        return "", 0
    total = group = 0
    used = 0
    last = ""
    for word in words:
        if word in _VALUES:
            value = _VALUES[word]
            # "twenty two" is one number, "two twenty" and "five six" are two.
            fits = not last or last in ("hundred", "and", *_SCALES) or (last in _TENS and 0 < value < 10)
            if not fits:
                break
            group += value
        elif word == "a" and not used:
            group = 1
        elif word == "hundred" and used and 0 < group < 100:
            group *= 100
        elif word in _SCALES and used and group:
            total, group = total + group * _SCALES[word], 0
        elif (
            word == "and"
            and last in ("hundred", *_SCALES)
            and words[used + 1 : used + 2]
            and (words[used + 1] in _VALUES)
        ):
            pass
        else:
            break
        last = word
        used += 1
    digits = str(total + group)
    if words[used : used + 1] == ["point"]:
        decimals = ""
        while (word := (words[used + 1 + len(decimals) :] or [""])[0]) in _DIGITS:
            decimals += _DIGITS[word]
        if decimals:
            return f"{digits}.{decimals}", used + 1 + len(decimals)
    return digits, used
