"""Writes docs/commands.md from the command line itself and docs/scenarios.md from the scenarios.

python docs/commands.py          writes both
python docs/commands.py --check  fails if one of them is not what would be written
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from microturn.cli import app
from microturn.data.scenarios import SCENARIOS, mix

HERE = Path(__file__).parent


def commands_document() -> str:
    """Every command, its arguments and options."""
    parts = ["# Commands\n\nIn a clone they are in `.venv/bin`. Written by `docs/commands.py`.\n"]
    for path, command in walk(get_command(app), ("microturn",)):
        usage = [*path, *(argument(of) for of in command.params if is_argument(of))]
        parts.append(f"## `{' '.join(path)}`\n\n{paragraphs(command.help)}\n\n    {' '.join(usage)} [OPTIONS]\n")
        if rows := [row(of) for of in command.params if not getattr(of, "hidden", False) and "--help" not in of.opts]:
            parts.append("| | meaning | unless given |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands of a tree, without those that only hold others. Typer's own classes are not public."""
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from walk(child, (*path, name))
    elif not command.hidden:
        yield path, command


def is_argument(parameter: Any) -> bool:
    """Given by its place, not by a name."""
    return parameter.param_type_name == "argument"


def argument(parameter: Any) -> str:
    """As it stands in a usage line."""
    name = (parameter.name or "").upper() + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def row(parameter: Any) -> str:
    """An argument or option as a line of a table."""
    name = (parameter.name or "").upper() if is_argument(parameter) else ", ".join(parameter.opts)
    environment = f" (`{parameter.envvar}`)" if parameter.envvar else ""
    default = parameter.default
    is_said = default not in (None, False, "", ()) and not callable(default)
    shown = f"`{default}`" if is_said else "required" if parameter.required else ""
    if parameter.name == "workers":
        shown = "one for each core"
    meaning = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| `{name}`{environment} | {meaning} | {shown} |"


def paragraphs(text: str | None) -> str:
    """Help as it is written, without what typer marks for itself."""
    return (text or "").replace("\f", "").strip()


def scenarios_document() -> str:
    """Every scenario, and its share of a default mix."""
    head = (
        "# Scenarios\n\nOne file each in `microturn/data/scenarios`, for `data make --only NAME` and "
        "`data inspect NAME`. The share is that of the default mix, without sight and with it. "
        "Written by `docs/commands.py`.\n\n"
        "| scenario | what the model does | share | with sight |\n|---|---|---|---|\n"
    )
    shares = [{each.name: each.weight for each in mix(can_see=can_see)} for can_see in (False, True)]
    rows = [
        f"| `{name}` | {scenario.summary} | "
        + " | ".join(f"{of.get(name, 0) / sum(of.values()):.0%}" for of in shares)
        + " |\n"
        for name, scenario in SCENARIOS.items()
    ]
    return head + "".join(rows)


DOCUMENTS = {"commands.md": commands_document, "scenarios.md": scenarios_document}


def main() -> None:
    """Write, or with ``--check`` compare."""
    stale = []
    for name, write in DOCUMENTS.items():
        file, text = HERE / name, write()
        if "--check" not in sys.argv:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"docs/{' and docs/'.join(stale)} is not what the code says: run python docs/commands.py")


if __name__ == "__main__":
    main()
