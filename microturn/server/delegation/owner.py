"""Who does what the interaction model asks for: the client's application, or a Responses backend of ours."""

from typing import Protocol

from openai.types.live import ResponseCreateEvent, ResponseItemCreateEvent, SessionUpdateConfig

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


MAX_DELEGATIONS = 128
"""Delegations of one session that can be answered; the oldest is forgotten."""
