"""Who does what the interaction model asks for: the client's application, or a Responses backend of ours."""

from typing import Protocol

from openai.types.live import ResponseCreateEvent, ResponseItemCreateEvent, SessionUpdateConfig

from microturn.background import weaving
from microturn.turns.background import Report, ReportKind
from microturn.turns.micro_turn import MicroTurnOutput


class Delegation(Protocol):
    """The side of a session that delegates."""

    def take_in(self, output: MicroTurnOutput) -> None:
        """Look for acts in what the model did.

        Raises:
            ClientGoneError: the client does not read.
        """
        ...

    def job_of(self, delegation_id: str) -> int:
        """The job that an id of ``session.delegation.created`` stands for.

        Raises:
            ProtocolError: there is none that the client may answer.
        """
        ...

    def update(self, session: SessionUpdateConfig) -> None:
        """Change settings.

        Raises:
            ProtocolError: they cannot be changed so.
        """
        ...

    def carry_out(self, event: ResponseItemCreateEvent | ResponseCreateEvent) -> None:
        """Do what the client asks of the Responses backend.

        Raises:
            ProtocolError: it cannot be done.
        """
        ...


def client_report(kind: ReportKind, job: int, text: str) -> Report:
    """What a client has found out, as the model reads it: speakable, and whole, since no page has the rest."""
    speakable = weaving.spoken(text, max_chars=_LONGER_IN_WORDS * len(text) + len(weaving.MORE))
    return Report(kind=kind, job=job, text=speakable.removesuffix(weaving.MORE).strip() or weaving.plain(text))


_LONGER_IN_WORDS = 32
"""No number has more characters in words than so many times its digits."""
MAX_DELEGATIONS = 128
"""Delegations of one session that can be answered; the oldest is forgotten."""
