"""Notes that the user has taken down, kept with the session."""

import asyncio
import re
from typing import Annotated

from pydantic import Field

from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope

_WRITE = re.compile(
    r"(?:please )?(?:take|make|write|write down|add|save|leave)(?: down)? (?:a |me a )?note"
    r"(?: that says| saying| that| to| of)?:? (?P<text>.+)"
    r"|(?:please )?note(?: down)? that (?P<that>.+)|(?:please )?write down:? (?P<down>.+)",
    re.IGNORECASE,
)
_READ = re.compile(r"(?:read|show|list|tell|what (?:are|is|were)|what's in)\b.*\bnotes?\b.*", re.IGNORECASE)
_FORGET = re.compile(r"(?:please )?(?:forget|delete|clear|remove)\b.*\bnotes?\b.*", re.IGNORECASE)


class Note(Arguments):
    """A note."""

    text: Annotated[str, Field(min_length=1, max_length=2_000)]
    """What to keep, in the user's words."""


class Nothing(Arguments):
    """No arguments."""


async def _write(arguments: Note, scope: ToolScope) -> str:
    try:
        await asyncio.to_thread(scope.ledger.add_note, scope.session_id, arguments.text)
    except ValueError as error:
        raise ToolError(str(error)) from None
    return f"Noted: {arguments.text}"


async def _read(arguments: Nothing, scope: ToolScope) -> str:
    notes = await asyncio.to_thread(scope.ledger.notes, scope.session_id)
    return "\n".join(f"- {note}" for note in notes) or "There are no notes."


async def _forget(arguments: Nothing, scope: ToolScope) -> str:
    count = await asyncio.to_thread(scope.ledger.clear_notes, scope.session_id)
    return f"{count} notes forgotten." if count != 1 else "One note forgotten."


def _understand_write(question: str) -> Note | None:
    match = _WRITE.fullmatch(question.strip())
    text = next((group for group in match.groups() if group), "") if match else ""
    return Note(text=text[:2_000]) if text else None


WRITE_NOTE = Tool(
    name="write_note",
    description="Keep a note for the user, in the user's words.",
    ability="take notes",
    arguments=Note,
    run=_write,
    understand=_understand_write,
    changes_something=True,
)
READ_NOTES = Tool(
    name="read_notes",
    description="The notes that the user has taken.",
    ability="read them back",
    arguments=Nothing,
    run=_read,
    understand=lambda question: Nothing() if _READ.fullmatch(question.strip()) else None,
)
FORGET_NOTES = Tool(
    name="forget_notes",
    description="Delete all of the user's notes.",
    ability="forget them",
    arguments=Nothing,
    run=_forget,
    understand=lambda question: Nothing() if _FORGET.fullmatch(question.strip()) else None,
    is_acting=True,
    changes_something=True,
)
