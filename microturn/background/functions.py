"""What the client's application brings to the background of its session: functions of its own, and instructions.

A function runs where the application runs. The background fills in its arguments; the call goes out over the session's
protocol, and its output comes back in while the job waits.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

MAX_FUNCTIONS = 64
MAX_SCHEMA_CHARS = 32_000
"""Of all functions of a session together, as JSON: a language model reads them with every question."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_DEPTH = 16
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function of the client's."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON Schema of its arguments, an object."""

    @property
    def properties(self) -> dict[str, Mapping[str, Any]]:
        """The schema of each argument, as far as it is one."""
        described: Any = self.parameters.get("properties")
        if not isinstance(described, Mapping):
            return {}
        return {name: schema for name, schema in described.items() if isinstance(schema, Mapping)}  # pyright: ignore[reportUnknownVariableType]

    @property
    def required(self) -> list[str]:
        """Names of the arguments that it cannot do without; where the schema names none, all of them."""
        wanted: Any = self.parameters.get("required")
        names: list[Any] = wanted if isinstance(wanted, list) else []  # pyright: ignore[reportUnknownVariableType]
        return [name for name in names if isinstance(name, str)] or list(self.properties)

    @property
    def is_callable_by_name(self) -> bool:
        """Whether language models can be told of it: their endpoints refuse other names."""
        return _NAME.fullmatch(self.name) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """What the client's application brings."""

    functions: tuple[Function, ...] = ()
    instructions: str = ""
    """For the background model, not for the interaction model."""


@dataclass(eq=False, kw_only=True, slots=True)
class PendingCall:
    """A call that the client has to carry out."""

    call_id: str
    name: str
    arguments: str
    """As JSON."""
    output: "asyncio.Future[str]"
    is_told: bool = False
    """The client knows of it: over all its connections it is told once."""


def fault_in(schema: Any, value: Any, name: str = "", *, depth: int = 0) -> str:
    """Why a value does not fit a schema, for a language model to try again; empty where nothing speaks against it.

    Types, choices, required and listed members, and bounds of numbers are checked; what else a schema may say is left
    to the application. References are not followed.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return ""
    rules, where = cast("Mapping[str, Any]", schema), name or "the arguments"
    choices: Any = rules.get("enum")
    if isinstance(choices, list) and value not in cast("list[Any]", choices):
        return f"{where} must be one of {', '.join(map(str, cast('list[Any]', choices)))[:400]}"
    if not _has_kind(rules.get("type"), value):
        return f"{where} must be of type {rules['type']}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _out_of_bounds(rules, value, where)
    if isinstance(value, list):
        items = enumerate(cast("list[Any]", value))
        faults = (fault_in(rules.get("items"), each, f"{where}[{place}]", depth=depth + 1) for place, each in items)
        return next(filter(None, faults), "")
    if isinstance(value, dict):
        return _fault_in_members(rules, cast("dict[str, Any]", value), name, depth)
    return ""


def _fault_in_members(rules: Mapping[str, Any], members: dict[str, Any], name: str, depth: int) -> str:
    described: Any = rules.get("properties")
    properties = cast("Mapping[str, Any]", described) if isinstance(described, Mapping) else {}
    required: Any = rules.get("required")
    for each in required if isinstance(required, list) else ():  # pyright: ignore[reportUnknownVariableType]
        if each not in members:
            return f"{f'{name}.' if name else ''}{each} is required"
    for key, value in members.items():
        path = f"{name}.{key}" if name else key
        if key not in properties and rules.get("additionalProperties") is False:
            return f"{path} is not an argument: use {', '.join(properties) or 'none'}"
        if fault := fault_in(properties.get(key), value, path, depth=depth + 1):
            return fault
    return ""


def _has_kind(kind: Any, value: Any) -> bool:
    kinds: list[Any] = [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else []  # pyright: ignore[reportUnknownVariableType]
    known = [_KINDS[each] for each in kinds if isinstance(each, str) and each in _KINDS]
    if not kinds or len(known) < len(kinds):
        return True
    if isinstance(value, bool):
        return (bool,) in known
    is_whole = isinstance(value, float) and value.is_integer()
    return any(isinstance(value, each) or (is_whole and each == (int,)) for each in known)


def _out_of_bounds(rules: Mapping[str, Any], value: float, where: str) -> str:
    least, most = rules.get("minimum"), rules.get("maximum")
    if isinstance(least, int | float) and value < least:
        return f"{where} must be at least {least}"
    if isinstance(most, int | float) and value > most:
        return f"{where} must be at most {most}"
    return ""
