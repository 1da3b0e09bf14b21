"""Cards in an answer: fenced blocks of the language ``card``, each holding the JSON of one (``turns/cards.py``).

    ```card
    {"type": "timer", "title": "tea", "seconds": 240}
    ```

What is no card stays in the answer as the code that it is.
"""

import re
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from microturn.turns.cards import Card

MAX_CARDS = 4
"""Of one answer; what comes after stays code."""
_FENCE = re.compile(r"(?m)^[ \t]*```[ \t]*card[ \t]*\n(?P<json>.*?)\n[ \t]*```[ \t]*$\n?", re.DOTALL)
_FENCE_BEGIN = re.compile(r"(?m)^[ \t]*```[ \t]*card[ \t]*$")
_FENCE_END = re.compile(r"(?m)^[ \t]*```[ \t]*$")
_CARD: TypeAdapter[Card] = TypeAdapter(Annotated[Card, Field(discriminator="type")])

INSTRUCTIONS = """\
Where it helps, the answer may end with up to four cards for the screen: fenced blocks of the language `card` with one
JSON object, {"type": "checklist", "title": "…", "items": [{"text": "…"}]}, {"type": "chart", "title": "…",
"style": "bar", "unit": "…", "labels": ["…"], "values": [1]} or {"type": "timer", "title": "…", "seconds": 60}. A timer
that is to remind the user is set with a tool instead, and shows itself."""
"""For a language model that answers."""


def take_cards(text: str) -> tuple[str, list[Card]]:
    """An answer without its cards, and the cards."""
    cards: list[Card] = []

    def take(block: re.Match[str]) -> str:
        if len(cards) < MAX_CARDS:
            try:
                cards.append(_CARD.validate_json(block["json"]))
                return ""
            except ValidationError:
                pass  # shown as it was written
        return block[0]

    rest = _FENCE.sub(take, text)
    return (rest.strip() if cards else text), cards


def without_cards(text: str) -> str:
    """The beginning of an answer that is still being written, without cards: they are shown once it is whole."""
    rest, _ = take_cards(text)
    begun = list(_FENCE_BEGIN.finditer(rest))
    if begun and not _FENCE_END.search(rest, begun[-1].end()):
        rest = rest[: begun[-1].start()].rstrip()
    return rest
