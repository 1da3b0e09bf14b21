"""Calls of the client's functions from plain words, for the time without a language model.

The schema says what can be filled in: a choice whose words are in the question, the one number in it, "on" or "off" for
what is true or false, and at most one free text, which is the whole question. What cannot be filled in plainly is not
called. Of several functions the one that shares most words with the question is meant.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microturn.background.functions import Function, fault_in
from microturn.background.numerals import digits_of

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_EMPTY_WORDS = frozenset(
    (
        *("a", "an", "and", "any", "are", "at", "be", "by", "can", "do", "does", "for", "from", "get", "given", "has"),
        *("have", "how", "i", "in", "is", "it", "me", "my", "of", "on", "or", "please", "set", "that", "the", "then"),
        *("this", "to", "user", "users", "want", "was", "what", "when", "where", "which", "who", "will", "with", "you"),
        *("your",),
    )
)
"""Shared by any two sentences."""
_TRUE, _FALSE = frozenset({"on", "true", "enable", "enabled"}), frozenset({"off", "false", "disable", "disabled"})
_NOTHING: Any = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainCall:
    """A function with its arguments, and how sure it is that this one is meant."""

    function: Function
    arguments: dict[str, Any]
    is_named: bool
    """The question has a word of the function's name, or names one of its choices."""


def plain_call(functions: Sequence[Function], parts: Sequence[str]) -> PlainCall | None:
    """The call that a question means; None where none can be made of it.

    Args:
        parts: What was asked, and each correction of it. Where they differ, the later one counts.
    """
    found: list[tuple[int, PlainCall]] = []
    for function in functions:
        filled = _filled(function, parts)
        if filled is None:
            continue
        arguments, chosen, is_free = filled
        asked = {word for part in parts for word in _words(part)}
        of_name = _words(_CAMEL.sub(" ", function.name))
        named = len(_content(of_name) & _content(asked)) + chosen
        if not is_free and not (named if function.required else of_name <= asked):
            continue
        score = 2 * named + len(_content(_words(function.description)) & _content(asked))
        found.append((score, PlainCall(function=function, arguments=arguments, is_named=bool(named))))
    return max(found, key=lambda each: each[0])[1] if found else None


def _filled(function: Function, parts: Sequence[str]) -> tuple[dict[str, Any], int, bool] | None:
    """Arguments, how many of them were chosen by their own words, and whether one is free text."""
    properties, required = function.properties, function.required
    kinds = [_kind(properties.get(name, {})) for name in required]
    if any(kinds.count(kind) > 1 for kind in ("text", "number", "switch")):
        return None  # Nothing says which is which.
    arguments: dict[str, Any] = {}
    num_chosen = 0
    for name, kind in zip(required, kinds, strict=True):
        schema = properties.get(name, {})
        value = "; ".join(parts) if kind == "text" else _read(kind, schema, parts)
        if value is _NOTHING:
            value = schema.get("default", _NOTHING)
        elif kind == "choice":
            num_chosen += 1
        if value is _NOTHING or fault_in(schema, value, name):
            return None
        arguments[name] = value
    for name, schema in properties.items():
        if name not in required and _kind(schema) == "choice":
            value = _read("choice", schema, parts)
            if value is not _NOTHING:
                arguments[name], num_chosen = value, num_chosen + 1
    return arguments, num_chosen, "text" in kinds


def _kind(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return "const"
    choices: Any = schema.get("enum")
    if isinstance(choices, list) and choices and all(isinstance(each, str) for each in choices):  # pyright: ignore[reportUnknownVariableType]
        return "choice"
    if choices is not None:
        return "other"
    return {"string": "text", "integer": "number", "number": "number", "boolean": "switch"}.get(
        str(schema.get("type")), "other"
    )


def _read(kind: str, schema: Mapping[str, Any], parts: Sequence[str]) -> Any:
    """The value that the latest part names which names any; nothing where one names several."""
    if kind == "const":
        return schema["const"]
    for part in reversed(parts):
        values = _values(kind, schema, part)
        if values:
            return values[0] if len(values) == 1 else _NOTHING
    return _NOTHING


def _values(kind: str, schema: Mapping[str, Any], text: str) -> list[Any]:
    words = _words(text)
    match kind:
        case "choice":
            return _choices(schema["enum"], text)
        case "switch":
            return [value for value, names in ((True, _TRUE), (False, _FALSE)) if names & words]
        case "number":
            numbers = {float(each) for each in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\w)", digits_of(text))}
            sign = -1 if re.search(r"\bminus\b|(?<!\w)-\s?\d", text) else 1
            return [sign * (int(each) if each.is_integer() else each) for each in numbers]
        case _:
            return []


def _choices(choices: Sequence[str], text: str) -> list[str]:
    """The choices that stand in a text, without those that are a part of another: "living room" hides "room"."""
    spoken = f" {_spoken(text)} "
    found = [each for each in choices if (words := _spoken(_CAMEL.sub(" ", each))) and f" {words} " in spoken]
    longer = {each: [other for other in found if other != each and _spoken(each) in _spoken(other)] for each in found}
    return [each for each in found if not longer[each]]


def _spoken(text: str) -> str:
    """Words in lower case, numbers as digits, one blank between."""
    return " ".join(_WORD.findall(digits_of(text.replace("_", " ").replace("-", " "))))


def _words(text: str) -> set[str]:
    return set(_spoken(text).split())


def _content(words: set[str]) -> set[str]:
    """Words that mean something by themselves, in the singular."""
    return {word.removesuffix("s") if len(word) > 3 else word for word in words - _EMPTY_WORDS}
