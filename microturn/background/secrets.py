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
_AFTER_NAME = re.compile(
    r"""
    (?P<name>
        \b(?:pass(?:word|phrase|code)|passwd|pwd|api[ _-]?key)\b["']?\s*(?:is\s*:?|[:=])\s*["']?(?=\S)
      | \b(?:secret|token)\b["']?\s*[:=]\s*["']?(?=\S{6})
      | \bpin(?:\ code|\ number)?\s*(?:is\s*:?|[:=])\s*(?=\d{3})
      | \bbearer\s+(?=\S{12})
    )
    [^\s"',;]+
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A secret after a word that announces one. Spoken ones are cut at the first word."""


class Redactor:
    """Removes secrets from text.

    Args:
        known: Secrets of this process, removed wherever they stand; very short ones are left out, they would match
            ordinary words.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        exact = sorted({k for k in known if len(k) >= _SHORTEST_KNOWN_CHARS}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, exact))) if exact else None

    def clean(self, text: str) -> str:
        """The text without secrets."""
        if self._known:
            text = self._known.sub(REMOVED, text)
        text = _SHAPES.sub(REMOVED, text)
        return _AFTER_NAME.sub(lambda match: match["name"] + REMOVED, text)
