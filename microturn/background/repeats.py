"""Being asked to say the last result again, which needs nobody who thinks."""

import re

_BEFORE = r"(?:(?:sorry|excuse me|wait|um|uh|oh|please|and|can you|could you|will you|would you)\s+)*"
_THAT = r"(?:that|it|the (?:last |latest )?(?:answer|result))"
_AGAIN = r"(?:again|once more|one more time|once again)"
_AFTER = r"(?:\s+(?:please|for me|now|then|just now|sorry))*"
_ASKS = (
    rf"what (?:was|is|'s) {_THAT} {_AGAIN}",
    rf"(?:say|read|tell me|give me) {_THAT} {_AGAIN}",
    rf"repeat {_THAT}(?: {_AGAIN})?",
    rf"what did you (?:just )?(?:say|find|find out|tell me)(?: {_AGAIN})?",
    r"what did it say(?: again)?",
    r"i (?:did not|didn't) (?:hear|get|catch) (?:that|it|you)",
    r"(?:come|say) again",
    r"pardon(?: me)?",
)
_ASKED = re.compile(rf"{_BEFORE}(?:{'|'.join(_ASKS)}){_AFTER}")
_ASKED_OR_POINTED = re.compile(rf"{_BEFORE}what was {_THAT}{_AFTER}")
MAX_CHARS = 80


def asks_again(question: str, *, can_point: bool = False) -> bool:
    """Whether words ask to hear the last result again, and nothing else.

    Args:
        can_point: A bare "what was that?" may as well be about something that was seen.
    """
    words = " ".join(re.sub(r"[^\w']+", " ", question.lower().replace("’", "'")).split()).replace("what's", "what 's")
    if len(words) > MAX_CHARS:
        return False
    return bool(_ASKED.fullmatch(words) or (not can_point and _ASKED_OR_POINTED.fullmatch(words)))
