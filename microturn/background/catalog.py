"""Which tools there are, for those who are to say what stands about each: names, and a line on what they do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from microturn.background.functions import Function
from microturn.background.secrets import Redactor
from microturn.background.tools.tool import AnyTool
from microturn.background.weaving import first_sentence, plain

MAX_LISTED = 256
"""Of a backend's own tools; more are not listed, and ask or are denied as the rules say."""
MAX_NAME_CHARS = 200
"""A tool with a longer name is not listed: no rule could name it."""
MAX_DESCRIPTION_CHARS = 140


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedTool:
    """A tool that jobs may use."""

    name: str
    description: str
    """On one line; a server's own words, where it is a server's."""
    is_acting: bool
    """It asks first unless a rule says otherwise."""


@runtime_checkable
class ToolLister(Protocol):
    """A backend that brings tools of its own."""

    async def list_tools(self) -> Mapping[str, str]:
        """What each does, by name; those that cannot be reached are left out."""
        ...


class ToolCatalog:
    """Every tool of a coordinator.

    Args:
        tools: The built-in ones.
        redactor: Goes over what servers say about theirs.
    """

    def __init__(self, tools: Iterable[AnyTool], redactor: Redactor) -> None:
        self._redactor = redactor
        self._tools = {tool.name: self._listed(tool.name, tool.description, is_acting=tool.is_acting) for tool in tools}

    def learn(self, found: Mapping[str, str]) -> bool:
        """Take in tools that a backend brings, as ``ToolLister`` tells of them; whether that is news."""
        is_news = False
        for name, description in found.items():
            listed = self._listed(name, description, is_acting=True)
            is_nameable = 0 < len(name) <= MAX_NAME_CHARS and plain(name) == name
            is_full = len(self._tools) >= MAX_LISTED and name not in self._tools
            if is_nameable and not is_full and self._tools.get(name) != listed:
                self._tools[name] = listed
                is_news = True
        return is_news

    def tools(self, functions: Iterable[Function] = ()) -> list[ListedTool]:
        """All of them, and the client's own functions, one of which may stand in a tool's place."""
        own = {each.name: self._listed(each.name, each.description, is_acting=False) for each in functions}
        return [*{**self._tools, **own}.values()]

    def _listed(self, name: str, description: str, *, is_acting: bool) -> ListedTool:
        line = first_sentence(self._redactor.clean(plain(description)), MAX_DESCRIPTION_CHARS)
        return ListedTool(name=name, description=line, is_acting=is_acting)
