"""What the interaction model is told: short, speakable, one line; and nothing that could pass for more than it is."""

import re

from microturn.background.numerals import words_of
from microturn.turns.background import Report, ReportKind

MAX_SPOKEN_CHARS = 320
"""About twenty seconds of speech."""
MORE = "The rest is on the page."
MORE_WITHOUT_PAGE = "There is more."
_ONLY_FOR_EYES = "I have an answer, but it cannot be said aloud."
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TABLE = re.compile(r"(?m)(?:^[ \t]*\|.*\|[ \t]*$\n?)+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_URL = re.compile(r"\bhttps?://\S+")
_MARKS = re.compile(r"(?m)^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+|\d{1,3}[.)]\s+)|\*{1,3}|(?<!\w)_{1,2}|_{1,2}(?!\w)|`|~~")
_CONTROL = re.compile(r"<\|[^|<>]*\|>|[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def plain(text: str) -> str:
    """Text on one line, without control characters and without anything that looks like a token of the model's."""
    return " ".join(_CONTROL.sub(" ", text).split())


def spoken(text: str, *, max_chars: int = MAX_SPOKEN_CHARS, has_page: bool = True) -> str:
    """An answer as it can be said: no Markdown, tables, code or addresses; numbers in words; cut at a sentence.

    Args:
        has_page: The user sees the whole of it on a page.
    """
    more = MORE if has_page else MORE_WITHOUT_PAGE
    short = _TABLE.sub("\n", _FENCE.sub(" ", text))
    has_lost = short != text
    short = _LINK.sub(r"\1", short)
    short = _URL.sub("", short)
    lines = [line.strip() for line in _MARKS.sub("", short).splitlines()]
    # A list item or a heading without a stop becomes a sentence of its own.
    short = plain(" ".join(line if line[-1] in ".!?:;," else f"{line}." for line in lines if line))
    if "\n" not in text.strip() and not text.strip().endswith((".", "!", "?")):
        short = short.removesuffix(".")
    short = words_of(short)
    kept = _cut(short, max_chars - len(more) - 1 if has_lost or len(short) > max_chars else max_chars)
    if has_lost and not kept and not has_page:
        return _ONLY_FOR_EYES
    if has_lost or kept != short:
        return f"{kept} {more}".strip()
    return kept


def result(job: int, text: str, *, has_page: bool = True) -> Report:
    """The answer, ready to be read aloud."""
    return Report(
        kind=ReportKind.DONE, job=job, text=spoken(text, has_page=has_page) or "Done. There is nothing to tell."
    )


def failure(job: int, why: str, *, has_page: bool = True) -> Report:
    """Says plainly that it failed, and why."""
    return Report(kind=ReportKind.ERROR, job=job, text=spoken(why, has_page=has_page) or "I could not do that.")


def note(job: int, text: str) -> Report:
    """For the model to know; it need not say it."""
    return Report(kind=ReportKind.NOTE, job=job, text=spoken(text, max_chars=120))


def say(job: int, text: str) -> Report:
    """Worth saying at the next fitting moment: a timer that ended, a question to the user, that it takes long."""
    return Report(kind=ReportKind.SAY, job=job, text=spoken(text))


def permission(job: int, tool: str) -> Report:
    """Asks the user whether a tool may be used."""
    return say(job, f"May I use {tool.replace('_', ' ')}?")


def first_sentence(text: str, max_chars: int) -> str:
    """What stands before the first stop, cut at a word where that is long."""
    return _cut(_SENTENCE_END.split(text, 1)[0], max_chars)


def _cut(text: str, max_chars: int) -> str:
    """As many whole sentences as fit; at least a piece of the first."""
    if len(text) <= max_chars:
        return text
    kept = ""
    for sentence in _SENTENCE_END.split(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > max_chars:
            break
        kept = longer
    if kept:
        return kept
    words = text[: max_chars - 1].rsplit(" ", 1)[0]
    return words.rstrip(",;:- ") + "…"
