"""Search and read the text files of one folder that was given. Nothing outside of it, links included, is reached."""

import asyncio
import os
import re
import stat
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from microturn.background.tools.tool import AnyTool, Arguments, Tool, ToolError, ToolScope

MAX_FILES = 5_000
MAX_FILE_BYTES = 1_000_000
MAX_HITS = 8
MAX_READ_CHARS = 6_000
_CONTEXT_CHARS = 120
_SEARCH = re.compile(
    r"(?:please )?(?:search|look|find)(?: in| through)?(?: my| the)?(?: files?| documents?| folder)?(?: for)? "
    r"(?P<query>.+?)(?: in (?:my|the) (?:files?|documents?|folder))?[?.]*",
    re.IGNORECASE,
)
_STOP_WORDS = frozenset(
    {"the", "a", "an", "of", "in", "on", "for", "to", "and", "or", "is", "are", "my", "what", "which", "about"}
)


class Query(Arguments):
    """What to look for."""

    query: Annotated[str, Field(min_length=1, max_length=200)]
    """Words; files that hold more of them come first."""


class FileName(Arguments):
    """Which file to read."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    """As the search gave it."""


def file_tools(folder: Path) -> tuple[AnyTool, ...]:
    """The two tools over a folder. Raises ValueError when there is none."""
    root = folder.resolve()
    if not root.is_dir():
        raise ValueError(f"{folder} is no folder: name one that exists for the search of files")
    return (
        Tool(
            name="search_files",
            description="Find words in the names and texts of the user's files.",
            ability="search your files",
            arguments=Query,
            run=partial(_search, root),
            understand=_understand,
        ),
        Tool(
            name="read_file",
            description="Read one of the user's text files, by the name that search_files gave.",
            ability="read one of them",
            arguments=FileName,
            run=partial(_read, root),
        ),
    )


async def _search(root: Path, arguments: Query, scope: ToolScope) -> str:
    words = [w for w in re.findall(r"\w+", arguments.query.lower()) if w not in _STOP_WORDS]
    if not words:
        raise ToolError("there is no word to search for: name what the file is about")
    stop = threading.Event()
    try:
        hits = await asyncio.to_thread(lambda: sorted(_hits(root, words, stop), reverse=True)[:MAX_HITS])
    finally:
        stop.set()  # a thread is not cancelled with the one who waits for it
    return "\n".join(f"{name}: {extract}" for _, name, extract in hits) or f"No file holds {arguments.query}."


async def _read(root: Path, arguments: FileName, scope: ToolScope) -> str:
    path = _path_of(root, arguments.name)
    if path is None:
        raise ToolError(f"there is no file {arguments.name[:80]!r} in the folder: search for its name first")
    text = await asyncio.to_thread(_text_of, path)
    if text is None:
        raise ToolError(f"{arguments.name[:80]!r} is no text, or too large to read")
    return text if len(text) <= MAX_READ_CHARS else f"{text[:MAX_READ_CHARS]}\n[{len(text) - MAX_READ_CHARS} more]"


def _path_of(root: Path, name: str) -> Path | None:
    """A file that the search would show; None for one that is absent, outside of the folder, or hidden."""
    try:
        path = (root / name).resolve()
        is_shown = path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    except (OSError, ValueError, RuntimeError):  # no path at all, one outside, links in a ring
        return None
    return path if is_shown else None


def _hits(root: Path, words: list[str], stop: threading.Event) -> Iterator[tuple[int, str, str]]:
    """Files that hold any of the words: how many of them, the name, an extract."""
    for path in _files(root, stop):
        text = _text_of(path)
        if text is None:
            continue
        name = str(path.relative_to(root))
        lower = text.lower()
        found = [word for word in words if word in lower or word in name.lower()]
        if found:
            at = max(0, min((lower.find(w) for w in found if w in lower), default=0) - _CONTEXT_CHARS // 2)
            yield len(found), name, " ".join(text[at : at + _CONTEXT_CHARS].split())


def _files(root: Path, stop: threading.Event) -> Iterator[Path]:
    """Every file that is neither hidden nor a link, until it is told to stop."""
    count = 0
    for folder, folders, names in os.walk(root):
        if stop.is_set():
            return
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            if stop.is_set():
                return
            path = Path(folder) / name
            if name.startswith(".") or path.is_symlink():
                continue
            count += 1
            if count > MAX_FILES:
                return
            yield path


def _text_of(path: Path) -> str | None:
    """The text of a file; None for one that is none, or too large, or cannot be read.

    Pipes and devices are not opened: they may keep a reader waiting for ever.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            return None
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    return None if "\0" in text else text


def _understand(question: str) -> Query | None:
    match = _SEARCH.fullmatch(question.strip())
    is_about_files = re.search(r"\b(?:files?|documents?|folder)\b", question, re.IGNORECASE)
    return Query(query=match["query"][:200]) if match and is_about_files else None
