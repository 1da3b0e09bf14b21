"""Delegation to the client's own application: it is told that something was asked, and answers with context."""

import uuid
from collections.abc import Callable

from openai.types.live import (
    DelegationCreatedEvent,
    ResponseCreateEvent,
    ResponseItemCreateEvent,
    SessionUpdateConfig,
)
from openai.types.live.delegation_created_event import Delegation as DelegationResource

from microturn.errors import ProtocolError
from microturn.protocol.extensions import DelegationEvent
from microturn.server.audience import Audience
from microturn.server.delegation.owner import MAX_DELEGATIONS
from microturn.server.session_setup import SessionSetup, require_same_delegation
from microturn.turns.background import Act, ActKind
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import turn_start_ms


class ClientDelegation:
    """Tells the client of each act.

    GPT-Live's event names the delegation and nothing more: a stock client knows from the transcript what was meant.
    ``microturn.delegation`` has the words. A correction is a delegation of its own, for the same job.

    Args:
        setup: Holds what is kept when the connection is lost.
        wants_words: Whether the client has opted into ``microturn.delegation``.
    """

    def __init__(self, audience: Audience, setup: SessionSetup, wants_words: Callable[[], bool]) -> None:
        self._audience = audience
        self._wants_words = wants_words
        self._acts = setup.acts
        self._jobs = setup.delegations

    def take_in(self, output: MicroTurnOutput) -> None:
        """Look for acts in what the model did."""
        for act in self._acts.read(output):
            if act.kind is ActKind.CANCEL:
                self._cancel(act)
            else:
                self._create(act, turn_start_ms(output.index))

    def job_of(self, delegation_id: str) -> int:
        """The job that a delegation stands for. Raises ProtocolError for an unknown or cancelled one."""
        job = self._jobs.get(delegation_id)
        if job is None:
            raise ProtocolError(
                "no delegation of that id waits, or it was cancelled: use one from session.delegation.created, or null",
                code="unknown_delegation",
                param="delegation_id",
            )
        return job

    def update(self, session: SessionUpdateConfig) -> None:
        """Nothing can be changed; the owner named must be the client."""
        if session.delegation is not None:
            require_same_delegation(session.delegation.type, "client")

    def carry_out(self, event: ResponseItemCreateEvent | ResponseCreateEvent) -> None:
        """There is no Responses backend in this session."""
        raise ProtocolError(
            f"{event.type} needs delegation to 'responses': this session's goes to the client",
            code="wrong_delegation",
            param="type",
        )

    def _create(self, act: Act, offset_ms: int) -> None:
        delegation_id = f"delegation_{uuid.uuid4().hex}"
        self._jobs[delegation_id] = act.job
        if len(self._jobs) > MAX_DELEGATIONS:
            self._jobs.popitem(last=False)
        self._audience.send(
            DelegationCreatedEvent(
                type="session.delegation.created",
                event_id=self._audience.new_event_id(),
                delegation=DelegationResource(type="delegation", id=delegation_id, target="client"),
                offset_ms=offset_ms,
            )
        )
        self._tell_words(act, delegation_id)

    def _cancel(self, act: Act) -> None:
        for delegation_id in [each for each, job in self._jobs.items() if job == act.job]:
            del self._jobs[delegation_id]
            self._tell_words(act, delegation_id)

    def _tell_words(self, act: Act, delegation_id: str) -> None:
        if self._wants_words():
            self._audience.send(
                DelegationEvent(
                    event_id=self._audience.new_event_id(),
                    delegation_id=delegation_id,
                    job=act.job,
                    act=act.kind.value,
                    text=act.text,
                )
            )
