"""Keeps secrets out of what a backend is given, and out of what tools bring back.

Known secrets (keys that this process was given) are matched exactly; others by the shapes that issuers publish, and by
what stands after words such as "password". A shape cannot catch everything: do not read secrets to a model.
"""

import re
from collections.abc import Iterable

REMOVED = "[secret removed]"
_SHORTEST_KNOWN_CHARS = 6
_SHAPES = re.compile(
    r"""
    -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | \b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}            # OpenAI, Anthropic, Stripe
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,}
    | \bxox[abprs]-[A-Za-z0-9-]{10,}                  # Slack
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                   # AWS
    | \bAIza[\w-]{30,}                                # Google
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*               # JSON web tokens
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                 # credentials in an address
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTE = r"""["']?"""
_IS = r"(?:is\s*:?|[:=])"
_NAMES: tuple[tuple[str, str], ...] = (
    (rf"\b(?:pass(?:word|phrase|code)|passwd|pwd|api[ _-]?key)\b{_QUOTE}\s*{_IS}\s*{_QUOTE}", r"\S"),
    (rf"\b(?:secret|token)\b{_QUOTE}\s*[:=]\s*{_QUOTE}", r"\S{6}"),
    (rf"\bpin(?: code| number)?\s*{_IS}\s*", r"\d{3}"),
    (r"\bbearer\s+", r"\S{12}"),
)
"""Words that announce a secret, and what it begins with."""
_MAX_UNDECIDED_CHARS = 11
"""After such words, one character less than the longest beginning."""
_AFTER_NAME = re.compile(
    rf"""(?P<name>{"|".join(f"{name}(?={secret})" for name, secret in _NAMES)})[^\s"',;]+""", re.IGNORECASE
)
"""A secret after a word that announces one. Spoken ones are cut at the first word."""
_ANNOUNCED = re.compile(rf"(?:{'|'.join(name for name, _ in _NAMES)})\S{{0,{_MAX_UNDECIDED_CHARS}}}\Z", re.IGNORECASE)
"""A text that ends where a secret may be about to come."""
_CREDENTIALS_END = re.compile(r"[/\s]")
_SETTLED_AFTER_CHARS = 256
_GOES_ON = re.compile(r"""[\s"':=]|is|code|number|key""", re.IGNORECASE)
"""A line that may go on with what announces a secret on the line before."""
_Span = tuple[int, int]


class Redactor:
    """Removes secrets from text.

    Args:
        known: Secrets of this process, removed wherever they stand; very short ones are left out, they would match
            ordinary words.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        exact = sorted({k for k in known if len(k) >= _SHORTEST_KNOWN_CHARS}, key=len, reverse=True)
        self._exact = exact
        self._known = re.compile("|".join(map(re.escape, exact))) if exact else None

    def clean(self, text: str) -> str:
        """The text without secrets."""
        if self._known:
            text = self._known.sub(REMOVED, text)
        text = _SHAPES.sub(REMOVED, text)
        return _AFTER_NAME.sub(lambda match: match["name"] + REMOVED, text)

    def undecided_from(self, text: str) -> tuple[int, list[_Span]]:
        """Where the end of a text that goes on begins that may become part of a secret; and where secrets stand now."""
        place = min(_unfinished_word(text), _unfinished_address(text), self._unfinished_known(text))
        if announced := _ANNOUNCED.search(text):
            place = min(place, announced.start())
        patterns = [_SHAPES, _AFTER_NAME, *([self._known] if self._known else [])]
        secrets = [match.span() for pattern in patterns for match in pattern.finditer(text)]
        while cut := [start for start, end in secrets if start < place < end]:
            place = min(cut)  # half a secret would not be known as one
        return place, secrets

    @property
    def longest_known_chars(self) -> int:
        """Length of the longest known secret."""
        return len(self._exact[0]) if self._exact else 0

    def _unfinished_known(self, text: str) -> int:
        """Where the text ends with the beginning of a known secret; else its length."""
        ends = [len(text)]
        for secret in self._exact:
            place = text.find(secret[0], max(0, len(text) - len(secret) + 1))
            while place >= 0 and not secret.startswith(text[place:]):
                place = text.find(secret[0], place + 1)
            if place >= 0:
                ends.append(place)
        return min(ends)


class GrowingText:
    """Cleans a text again and again while it grows, as ``Redactor.clean`` does, at the cost of its latest lines.

    Nothing of a secret is shown that is not whole yet: an end that may become part of one is held back.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._settled = ""
        """Whole lines that no secret can begin in any more."""
        self._cleaned = ""
        """The same without secrets."""

    def clean(self, text: str) -> str:
        """The text so far without secrets, and without an end that is undecided."""
        if not text.startswith(self._settled):
            self._settled = self._cleaned = ""
        latest = text[len(self._settled) :]
        end, secrets = self._redactor.undecided_from(latest)
        shown = self._cleaned + self._redactor.clean(latest[:end])
        if settled := self._settled_in(latest, end, secrets):
            self._settled += latest[:settled]
            self._cleaned += self._redactor.clean(latest[:settled])
        return shown

    def _settled_in(self, text: str, end: int, secrets: list[_Span]) -> int:
        """The latest line's start that no secret can stand across: what announces one does not end before it, and
        what is longer than any beginning of one stands behind it."""
        last = end - max(_SETTLED_AFTER_CHARS, self._redactor.longest_known_chars)
        place = text.rfind("\n", 0, max(0, last)) + 1
        while place:
            is_within = any(start < place < stop for start, stop in secrets)
            if not is_within and not _GOES_ON.match(text, place):
                return place
            place = text.rfind("\n", 0, place - 1) + 1
        return 0


def _unfinished_word(text: str) -> int:
    """Where the last run of characters begins of which published keys consist; its length where it ends in another."""
    place = len(text)
    while place and (text[place - 1].isalnum() or text[place - 1] in "_-."):
        place -= 1
    return place


def _unfinished_address(text: str) -> int:
    """Where a name and a password may stand in an address that the text ends in; else its length."""
    _, slashes, rest = text.rpartition("://")
    return len(text) - len(rest) if slashes and not _CREDENTIALS_END.search(rest) else len(text)
