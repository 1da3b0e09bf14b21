"""Every run-time condition that microturn raises for its caller.

MicroturnError
├── MediaError             a recording, frame or chunk that cannot be read or used
├── ProtocolError          a message from the other side of the wire that cannot be accepted
├── CheckpointError        weights, configuration or tokenizer that do not load or do not fit
├── JournalError           a session's journal that cannot be written, read or resumed
├── CapacityError          no slot, queue or budget left for what was asked
├── SessionClosedError     the session ended before or while it was used
├── MissingDependencyError an optional package or program that the command needs is absent
└── DeviationError         a replay that does not reproduce what was recorded

Each message names the value that was wrong and the remedy. Wrong arguments raise ``ValueError`` instead; our own bugs
are assertions.
"""

from collections.abc import Collection


class MicroturnError(Exception):
    """Base of every run-time condition."""


class MediaError(MicroturnError):
    """Media that cannot be read or used."""


class ProtocolError(MicroturnError):
    """A message that breaks the wire protocol; ``code`` and ``param`` go into the error event that answers it."""

    def __init__(
        self, message: str, *, code: str, param: str | None = None, client_event_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.client_event_id = client_event_id


class CheckpointError(MicroturnError):
    """A checkpoint that does not load or does not fit."""


class JournalError(MicroturnError):
    """A journal that cannot be written, read or resumed; ``session_ids`` where it is the fault of these alone."""

    def __init__(self, message: str, *, session_ids: Collection[str] | None = None) -> None:
        super().__init__(message)
        self.session_ids = session_ids


class CapacityError(MicroturnError):
    """No slot, queue or budget left."""


class SessionClosedError(MicroturnError):
    """The session has ended."""


class MissingDependencyError(MicroturnError):
    """An optional package or program is absent."""


class DeviationError(MicroturnError):
    """A replay that does not reproduce the recording."""
