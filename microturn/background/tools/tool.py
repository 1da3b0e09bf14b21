"""What a tool is: a name, what it takes, what it does, and how a plain question is understood without a model."""

import datetime
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from microturn.background.ledger import Ledger, StoredTimer
from microturn.background.package import Surroundings
from microturn.background.timers import Timers


class Arguments(BaseModel):
    """What a tool takes. Unknown arguments are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


A = TypeVar("A", bound=Arguments)


class ToolError(Exception):
    """A tool could not do what was asked. The message is for the backend, and may be said to the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolScope:
    """Whose job a tool works for."""

    session_id: str
    job: int
    surroundings: Surroundings
    timers: Timers
    ledger: Ledger
    show_timer: Callable[[StoredTimer, float], None] = lambda timer, seconds: None
    """Lets the page count a timer down from so many seconds."""
    timers_before: Collection[int] = ()
    """Ids of the timers that were set for the job's question before it was corrected."""

    @property
    def now(self) -> datetime.datetime:
        """The user's time."""
        return self.surroundings.now


@dataclass(frozen=True, kw_only=True)
class Tool(Generic[A]):
    """One built-in tool."""

    name: str
    description: str
    """For a language model: when to use it."""
    ability: str
    """For people, after "I can": "do sums"."""
    arguments: type[A]
    run: Callable[[A, ToolScope], Awaitable[str]]
    """Raises ToolError."""
    understand: Callable[[str], A | None] = lambda question: None
    """The arguments of a plain question, if it is one for this tool. For the time without a language model."""
    amend: Callable[[A, str], A | None] = lambda arguments, correction: None
    """The arguments after a correction in plain words, if it changes just them. What was done with the first ones is to
    be replaced."""
    is_acting: bool = False
    """It needs permission by default: it changes something that may be missed."""
    changes_something: bool = False
    """Running it twice is not running it once, whether or not it needs permission: its job is not tried again."""

    @property
    def is_repeatable(self) -> bool:
        """Whether it only looks, so that a second run does no harm."""
        return not (self.is_acting or self.changes_something)

    @property
    def schema(self) -> dict[str, Any]:
        """The arguments as JSON schema."""
        return self.arguments.model_json_schema()

    async def call(self, arguments: dict[str, Any], scope: ToolScope) -> str:
        """Check the arguments and run.

        Raises:
            ToolError: the arguments do not fit, or the tool could not do it.
        """
        try:
            checked = self.arguments.model_validate(arguments)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in problem["loc"]) or "the arguments"
            raise ToolError(f"{self.name}: {where}: {problem['msg']}") from None
        return await self.run(checked, scope)


AnyTool = Tool[Any]
