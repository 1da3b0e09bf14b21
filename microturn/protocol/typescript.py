"""Writes the wire's types for the browser client from the event types themselves.

python -m microturn.protocol.typescript > web/src/protocol.ts          writes them
python -m microturn.protocol.typescript --check web/src/protocol.ts    fails when they have drifted

Fields that may be absent are optional; since neither side sends ``null`` in their place, ``null`` remains only where a
field is required and may hold nothing. What the page never touches (OpenAI's own backends) stays an opaque object.
"""

import inspect
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from microturn.protocol.live import ClientEvent, ServerEvent

_HEAD = """// Generated from microturn/protocol by `python -m microturn.protocol.typescript`. Do not edit: the check compares.

export type JsonObject = Record<string, unknown>;
"""
_OPAQUE_PREFIXES = ("Decision", "Responses", "Delegation")
_RENAMED = {"Error": "LiveError"}
"""Names that would hide one of the language's own."""
_PRIMITIVES: dict[object, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    object: "unknown",
    Any: "unknown",
}


def typescript() -> str:
    """The whole file."""
    interfaces: dict[type[BaseModel], str] = {}
    unions: list[str] = []
    for name, union in (("ClientEvent", ClientEvent), ("ServerEvent", ServerEvent)):
        members = [_reference(model, interfaces) for model in get_args(union)]
        unions.append(f"export type {name} =\n" + "".join(f"  | {member}\n" for member in members).rstrip() + ";\n")
    ordered = sorted(interfaces.items(), key=lambda item: _name(item[0]))
    return "\n".join([_HEAD, *(text for _, text in ordered), *unions])


def _reference(model: type[BaseModel], interfaces: dict[type[BaseModel], str]) -> str:
    """The model's name in TypeScript; its definition is added when it is met for the first time."""
    if model.__name__.startswith(_OPAQUE_PREFIXES):
        return "JsonObject"
    if model not in interfaces:
        interfaces[model] = ""  # a type may refer to itself
        fields = "".join(_field(name, field, interfaces) for name, field in model.model_fields.items())
        interfaces[model] = f"{_comment(model.__doc__, '')}export interface {_name(model)} {{\n{fields}}}\n"
    return _name(model)


def _name(model: type[BaseModel]) -> str:
    """The class's name, and its file's before it where official names recur from file to file."""
    if model.__module__.startswith("openai.") and not model.__name__.endswith("Event"):
        owner = "".join(part.title() for part in model.__module__.rpartition(".")[2].split("_"))
        name = _RENAMED.get(model.__name__, model.__name__)
        return name if model.__name__.startswith(owner) else f"{owner}{name}"
    return model.__name__


def _field(name: str, field: FieldInfo, interfaces: dict[type[BaseModel], str]) -> str:
    # Our own events give their name as the default; it is on the wire all the same.
    is_optional = not field.is_required() and (name != "type" or field.default is None)
    kinds = _kinds(field.annotation, interfaces)
    shown = [kind for kind in kinds if kind != "null"] if is_optional else kinds
    comment = _comment(field.description, "  ") if name != "type" else ""
    return f"{comment}  {name}{'?' if is_optional else ''}: {' | '.join(shown)};\n"


def _kinds(annotation: object, interfaces: dict[type[BaseModel], str]) -> list[str]:
    """The alternatives of a type, in order and once each."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kinds(arguments[0], interfaces)
    if origin in (Union, types.UnionType):
        return list(dict.fromkeys(kind for each in arguments for kind in _kinds(each, interfaces)))
    if origin is Literal:
        return [f'"{value}"' if isinstance(value, str) else str(value).lower() for value in arguments]
    if origin is list:
        kinds = _kinds(arguments[0], interfaces)
        return [f"{kinds[0]}[]" if len(kinds) == 1 else f"({' | '.join(kinds)})[]"]
    if origin is dict:
        return [f"Record<string, {' | '.join(_kinds(arguments[1], interfaces))}>"]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [_reference(annotation, interfaces)]
    assert annotation in _PRIMITIVES, f"no TypeScript for {annotation}: add it to _PRIMITIVES"
    return [_PRIMITIVES[annotation]]


def _comment(text: str | None, indent: str) -> str:
    lines = inspect.cleandoc(text or "").replace("``", "`").splitlines()
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"


def main(arguments: list[str]) -> int:
    """Write the file to stdout, or compare it with the one named after ``--check``."""
    if not arguments:
        sys.stdout.write(typescript())
        return 0
    path = Path(arguments[-1])
    if arguments[0] == "--check" and path.is_file() and path.read_text(encoding="utf-8") == typescript():
        return 0
    sys.stderr.write(f"{path} has drifted: run python -m microturn.protocol.typescript > {path}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
