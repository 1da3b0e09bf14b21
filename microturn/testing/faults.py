"""Ways in which a language model's endpoint fails, each as a script for ``testing.endpoint``.

What it answers is drawn from texts given to it, by the words of the question, so that the same question has the same
answer whoever asks it when.
"""

import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from microturn.testing.endpoint import EndpointReply

SLOW_CHUNK_MS = 300
"""A slow answer takes this long for every word."""
HUGE_CHARS = 60_000
ERRORS = (500, 503, 429, 401)
"""The last is not tried again."""
NONSENSE = (b"data: {nonsense\n\n", b'data: {"choices": 7}\n\n', b"<html><body>Bad gateway</body></html>")

_QUESTION = re.compile(r"## Question\\n(.*?)\\n\\n")


@dataclass
class FaultyScript:
    """Answers every request in the manner of one fault.

    Args:
        fault: One of ``FAULTS``.
        answers: Texts of right answers.
    """

    fault: str
    answers: Sequence[str]
    _num_asked: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"{self.fault!r} is no fault: choose from {', '.join(FAULTS)}")

    def __call__(self, request: dict[str, Any]) -> EndpointReply:
        found = _QUESTION.search(json.dumps(request))
        question = found[1] if found else ""
        draw = zlib.crc32(question.encode())
        self._num_asked[question] = self._num_asked.get(question, 0) + 1
        answer = self.answers[draw % len(self.answers)]
        return FAULTS[self.fault](answer, draw // len(self.answers), self._num_asked[question])


def _huge(answer: str) -> str:
    """The answer, and then the same sentence over and over."""
    more = " There is more to say about it than anybody wants to hear."
    return f"{answer}.{more * (HUGE_CHARS // len(more))}"


FAULTS: dict[str, Callable[[str, int, int], EndpointReply]] = {
    "steady": lambda answer, draw, asked: EndpointReply(text=answer),
    "slow": lambda answer, draw, asked: EndpointReply(text=answer, pause_ms=SLOW_CHUNK_MS * (1 + draw % 4)),
    "stalling": lambda answer, draw, asked: EndpointReply(text=answer, stalls_after=2),
    "erroring": lambda answer, draw, asked: EndpointReply(status=ERRORS[draw % len(ERRORS)]),
    "malformed": lambda answer, draw, asked: EndpointReply(raw=NONSENSE[draw % len(NONSENSE)]),
    "huge": lambda answer, draw, asked: EndpointReply(text=_huge(answer), words_per_chunk=50),
    "cut-off": lambda answer, draw, asked: EndpointReply(text=answer, cut_after=2),
    "recovering": lambda answer, draw, asked: EndpointReply(text=answer, cut_after=2 if asked % 2 else None),
}
"""By name: from a right answer, a number drawn by the question, and how often it was asked, to a reply. ``steady`` has
no fault; ``recovering`` is cut off at every first attempt."""
