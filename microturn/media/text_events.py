"""Text that reaches the model while a recording runs: ``--text EVENTS.jsonl``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from microturn.errors import MediaError
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.slicer import SlicerLimits

_EXAMPLE = '{"at_ms": 1200, "role": "user", "text": "hello"}'

_MAX_AT_MS = 86_400_000
"""A day: the run goes on until its last event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedText:
    """A text event and the media time at which it comes."""

    at_ms: float
    event: TextEvent


def read_text_events(path: Path, *, limits: SlicerLimits | None = None) -> list[TimedText]:
    """Events in order of time; events of one time keep the file's order. Blank lines are skipped.

    Raises:
        MediaError: the file or one of its lines cannot be used; the message names the line and the remedy.
    """
    max_chars = (limits or SlicerLimits()).max_event_chars
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}): check the name of --text") from error
    except UnicodeDecodeError as error:
        raise MediaError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    events: list[TimedText] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                events.append(_event(line, max_chars))
            except ValueError as error:
                raise MediaError(f"{path}, line {number}: {error}") from error
    return sorted(events, key=lambda timed: timed.at_ms)


def _event(line: str, max_chars: int) -> TimedText:
    try:
        parsed: object = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"no JSON ({error.msg} at column {error.colno}): write one object, as in {_EXAMPLE}"
        ) from error
    except RecursionError as error:
        raise ValueError(f"nested too deeply: write one flat object, as in {_EXAMPLE}") from error
    if not isinstance(parsed, dict):
        raise ValueError(f"{line.strip()[:40]!r} is no object: write one as in {_EXAMPLE}")
    fields = cast("dict[str, object]", parsed)
    if set(fields) != {"at_ms", "role", "text"}:
        raise ValueError(f"an event has the keys at_ms, role and text, not {sorted(fields)}: write {_EXAMPLE}")
    at_ms, role, text = fields["at_ms"], fields["role"], fields["text"]
    if isinstance(at_ms, bool) or not isinstance(at_ms, int | float) or not 0 <= at_ms <= _MAX_AT_MS:
        raise ValueError(f"at_ms is {at_ms!r}: give the milliseconds since the recording's start, 0 to {_MAX_AT_MS}")
    if not isinstance(role, str) or role not in set(Role):
        raise ValueError(f"role is {role!r}: it is one of {', '.join(Role)}")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"text is {text!r}: give the words as a string")
    if len(text) > max_chars:
        raise ValueError(f"text has {len(text)} characters, the limit is {max_chars}: split it into several events")
    if any(_is_surrogate(char) for char in text):
        raise ValueError(f"text is {text[:40]!a}, with half a surrogate pair: write both halves, or the character")
    return TimedText(at_ms=at_ms, event=TextEvent(role=Role(role), text=text))


def _is_surrogate(char: str) -> bool:
    """Half of a pair of UTF-16: JSON can spell it, but it is no character."""
    return "\ud800" <= char <= "\udfff"
