"""A request in plain words as the call of a client's function: for functions that need one string and nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(kw_only=True)
class FunctionCall:
    """A function that the client was asked to call."""

    job: int
    question: str
    delegation_id: str = ""
    """Of GPT-Live; empty in Realtime, which has none."""
    output: str | None = None
    """What the client gave, until the model has it."""


def arguments_of(parameters: object, text: str) -> str | None:
    """The arguments as JSON, or None for a function that cannot be called so.

    Args:
        parameters: JSON Schema of the function's arguments.
        text: What is asked.
    """
    schema: Any = parameters
    if not isinstance(schema, Mapping):
        return None
    properties: Any = schema.get("properties")
    if not isinstance(properties, Mapping):
        return None
    required: Any = schema.get("required") or list(properties)
    if not isinstance(required, list) or len(required) != 1 or not isinstance(required[0], str):
        return None
    described: Any = properties.get(required[0])
    if not isinstance(described, Mapping) or described.get("type") != "string":
        return None
    return json.dumps({required[0]: text}, ensure_ascii=False)
