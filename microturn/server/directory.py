"""The sessions that can be found by their id, to attach to, to fork or to end; each by its owner only."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from microturn.server.live_session import LiveSession
from microturn.server.session_setup import SessionSetup

MAX_ABSENT = 256
"""Sessions remembered whose client is away; the oldest is forgotten, and can then be resumed but not forked."""


@dataclass(kw_only=True)
class Entry:
    """A session that has begun and has not been closed."""

    session_id: str
    owner: str
    """Name of the key's holder."""
    setup: SessionSetup
    resume_token: str
    session: LiveSession | None
    """While a client holds it."""


class Directory:
    """By id. A session keeps its id when its client comes back."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._ids: dict[bytes, str] = {}
        """By hash of the resume token."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def enter(self, entry: Entry) -> None:
        """A client holds a session from now on."""
        self._entries[entry.session_id] = entry
        self._ids[_hash(entry.resume_token)] = entry.session_id

    def leave(self, entry: Entry, *, is_parked: bool) -> None:
        """Its client has gone; one that may not come back is forgotten."""
        if self._entries.get(entry.session_id) is not entry:
            return  # Another connection has taken the session over.
        if not is_parked:
            self._forget(entry)
            return
        entry.session = None
        self._entries.move_to_end(entry.session_id)
        absent = [each for each in self._entries.values() if each.session is None]
        for each in absent[: max(0, len(absent) - MAX_ABSENT)]:
            self._forget(each)

    def find(self, session_id: str, owner: str) -> Entry | None:
        """An owner's session; None for somebody else's as for none."""
        entry = self._entries.get(session_id)
        return entry if entry is not None and entry.owner == owner else None

    def entry_of(self, resume_token: str) -> Entry | None:
        """The session that a token resumes; None for one that is not known here."""
        session_id = self._ids.get(_hash(resume_token))
        return None if session_id is None else self._entries[session_id]

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.session_id]
        self._ids.pop(_hash(entry.resume_token), None)


def _hash(resume_token: str) -> bytes:
    return hashlib.sha256(resume_token.encode()).digest()
