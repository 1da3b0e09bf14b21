"""A spoken request to count, and what an answer to it is: for tests in which nano itself answers."""

from pathlib import Path

REQUEST = Path(__file__).parents[1] / "web" / "public" / "clips" / "count-to-ten.mp3"
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven")
COUNTED = " ".join(NUMBERS)


def check_heard(words: list[str]) -> None:
    """What the recogniser understood is most of the numbers, in order; the request may have come more than once."""
    heard = [word for word in words if word in NUMBERS]
    assert len(set(heard[: len(NUMBERS)])) >= 4, words
    first = list(dict.fromkeys(heard))
    assert first == sorted(first, key=NUMBERS.index), words
