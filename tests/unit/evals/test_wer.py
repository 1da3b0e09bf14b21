import pytest

from microturn.evals.wer import WordErrors, normal_words, word_error_rate


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("One, two… THREE!", "one two three"),
        ("1, 2, 3.", "one two three"),
        ("twenty-one", "twenty one"),
        ("1,250 people", "one thousand two hundred fifty people"),
        ("one hundred and five", "one hundred five"),
        ("bread and butter", "bread and butter"),
        ("It's 3.5% off", "its three point five percent off"),
        ("the 3rd, the 21st and the 30th", "the third the twenty first and the thirtieth"),
        ("7:30, then 8:00", "seven thirty then eight"),
        ("$5", "five dollars"),
        ("007", "zero zero seven"),
        ("56 -48 -7", "fifty six forty eight seven"),
        ("-4 + 2", "minus four plus two"),
        ("OK", "okay"),
        ("", ""),
        ("10-20", "ten twenty"),
    ],
)
def test_normal_form(text: str, words: str) -> None:
    assert normal_words(text) == words.split()


def test_other_languages_keep_their_letters_and_figures() -> None:
    assert normal_words("¿Qué tal, 3 niños?", language="es") == ["qué", "tal", "3", "niños"]


def test_kinds_of_errors_are_counted() -> None:
    assert word_error_rate("a b c d", "a b c d").rate == 0
    assert word_error_rate("a b c d", "a x c d e") == WordErrors(
        substitutions=1, deletions=0, insertions=1, num_words=4
    )
    assert word_error_rate("a b c d", "d") == WordErrors(substitutions=0, deletions=3, insertions=0, num_words=4)
    assert word_error_rate("one two three", "1 2 3").rate == 0


def test_empty_references() -> None:
    assert word_error_rate("", "").rate == 0
    assert word_error_rate("", "noise").rate == 1
