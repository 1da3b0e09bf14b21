"""Which tools a session may use: allow, deny, or ask the user, by voice or on the page."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Permission(StrEnum):
    """What stands about a tool."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionPolicy:
    """The permission of each tool, by the first pattern that fits its name.

    Tools of MCP servers are named ``server_tool``; a pattern such as ``files_*`` fits all of one server's.
    """

    rules: Mapping[str, Permission] = field(default_factory=dict[str, Permission])
    default_read: Permission = Permission.ALLOW
    """For a tool of ours that only looks."""
    default_act: Permission = Permission.ASK
    """For a tool that changes something, and for every tool of an MCP server, whose word is not proof."""

    def permission_of(self, tool: str, *, is_acting: bool) -> Permission:
        """What stands about a tool."""
        for pattern, permission in self.rules.items():
            if fnmatch.fnmatchcase(tool, pattern):
                return permission
        return self.default_act if is_acting else self.default_read


def parse_rules(lines: list[str]) -> dict[str, Permission]:
    """Reads ``PATTERN=allow|ask|deny``. Raises ValueError for anything else."""
    rules: dict[str, Permission] = {}
    for line in lines:
        pattern, _, word = line.partition("=")
        if not pattern or word not in set(Permission):
            raise ValueError(f"{line!r} is no rule for tools: write NAME=allow, NAME=ask or NAME=deny; * fits anything")
        rules[pattern.strip()] = Permission(word)
    return rules


MAX_DECISION_CHARS = 60
"""Who says more says more than yes or no."""
_NO = r"no|nope|nah|don'?t|do not|not|not now|never|never ?mind|deny|stop"
_YES = (
    r"yes|yeah|yep|yup|sure|ok|okay|allow|allowed|go ahead|go on|do|do it|do that|of course|certainly|absolutely|"
    r"you may|you can|(?:that's|that is|it's|it is) (?:fine|okay|ok|all right|alright)|fine|all right|alright"
)
_FILLER = r"please|thanks|thank you|it|that|this|now|then|well|oh|uh|um|wait|just|by all means"
_DECISION = re.compile(rf"(?:(?:(?P<no>{_NO})|(?:{_YES})|(?:{_FILLER}))(?: |$))+")
_ONLY_FILLERS = re.compile(rf"(?:(?:{_FILLER})(?: |$))+")


_TAKES_BACK = r"never ?mind|stop|forget (?:it|that)|leave it|cancel (?:it|that)"
_TAKEN_BACK = re.compile(
    rf"(?:(?:(?P<back>{_TAKES_BACK})|no|nope|nah|ok|okay|all right|alright|actually|sorry|{_FILLER})(?: |$))+"
)


def spoken_decision(text: str) -> bool | None:
    """Whether words are a yes or a no and nothing else; None when they say more, or neither.

    A no anywhere outweighs every yes: "okay, never mind" allows nothing.
    """
    words = _bare_words(text)
    match = _DECISION.fullmatch(words) if len(words) <= MAX_DECISION_CHARS else None
    if match is None or _ONLY_FILLERS.fullmatch(words):
        return None
    return match["no"] is None


def is_taken_back(text: str) -> bool:
    """Whether words say that a question is not to be answered any more, and nothing else. A bare no does not."""
    words = _bare_words(text)
    match = _TAKEN_BACK.fullmatch(words) if len(words) <= MAX_DECISION_CHARS else None
    return match is not None and match["back"] is not None


def _bare_words(text: str) -> str:
    """Lower case, one blank between words, no marks."""
    return " ".join(re.sub(r"[^\w']+", " ", text.lower().replace("’", "'")).split())
