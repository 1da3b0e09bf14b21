"""Functions of a client: as the background takes them, and calls that wait for the client's output."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from microturn.background.functions import MAX_FUNCTIONS, MAX_SCHEMA_CHARS, Function
from microturn.background.plain_calls import plain_call
from microturn.errors import ProtocolError


@dataclass(kw_only=True)
class FunctionCall:
    """A function that the client was asked to call."""

    job: int
    words: tuple[str, ...] = ()
    """What was asked, and its corrections."""
    delegation_id: str = ""
    """Of GPT-Live; empty in Realtime, which has none."""
    is_of_background: bool = False
    """A job of the background waits for it; else the interaction model does."""
    output: str | None = None
    """What the client gave, until whoever waits for it has it."""


class FunctionTool(Protocol):
    """A function as either protocol names it."""

    @property
    def name(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def parameters(self) -> object: ...


def functions_of(tools: Sequence[FunctionTool]) -> tuple[Function, ...]:
    """The functions that a client offers; of several of one name, the last."""
    functions: dict[str, Function] = {}
    for tool in tools:
        parameters: Any = tool.parameters if isinstance(tool.parameters, Mapping) else {}
        if tool.name:
            functions[tool.name] = Function(
                name=tool.name, description=tool.description or "", parameters=cast("Mapping[str, Any]", parameters)
            )
    return tuple(functions.values())


def require_few(tools: Sequence[FunctionTool], param: str) -> None:
    """Refuse more functions than a model can read with every question.

    Raises:
        ProtocolError: too many, or their schemas are too long.
    """
    if len(tools) > MAX_FUNCTIONS:
        raise ProtocolError(f"{len(tools)} tools exceed {MAX_FUNCTIONS}: name fewer", code="invalid_value", param=param)
    num_chars = sum(
        len(json.dumps([tool.description, tool.parameters], ensure_ascii=False, default=str)) for tool in tools
    )
    if num_chars > MAX_SCHEMA_CHARS:
        raise ProtocolError(
            f"descriptions and parameters of {num_chars} characters exceed {MAX_SCHEMA_CHARS}: shorten them",
            code="invalid_value",
            param=param,
        )


def call_in_words(functions: Sequence[Function], words: Sequence[str]) -> tuple[str, str] | None:
    """Name and arguments (JSON) of the function that a request in plain words means; None where it means none."""
    call = plain_call(functions, words)
    return None if call is None else (call.function.name, json.dumps(call.arguments, ensure_ascii=False))
