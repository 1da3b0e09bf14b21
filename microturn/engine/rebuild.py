"""A session's state made again from its journal: the latest good snapshot, and the turns since."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from microturn.engine.journal import Journal, SessionRecord, TurnRecord
from microturn.engine.ladder import Budget
from microturn.engine.step import Forced, RowIn, Runner
from microturn.errors import JournalError
from microturn.failures import log_failure
from microturn.turns.micro_turn import MicroTurnOutput, TextEvent

FORKED_FROM = "forked_from"
"""Setting of a session that began as a fork: the session that it was copied from."""
FORK_TURN = "fork_turn"
"""The last turn that both have in common; -1 for none."""

MAX_TAIL_TURNS = 300
"""Micro-turns that are run again after a snapshot. More would hold every other session up."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """Where a session stands again."""

    slot: int
    last_turn: int
    """Index of the last turn that the state knows; -1 for none."""
    last_snapshot_turn: int


def rebuild(runner: Runner, journal: Journal, record: SessionRecord, budget: Budget) -> Rebuilt:
    """Takes a slot and brings it to the end of a session's journal. What was said is read, not made up anew.

    Raises:
        CapacityError: no slot is free.
        JournalError: the journal cannot be read, or too much of it would have to be run again.
    """
    slot, last_turn = _from_snapshot(runner, journal, record)
    last_snapshot_turn = last_turn
    try:
        for turn in _tail(journal, record, last_turn):
            forced = Forced(tokens=turn.tokens, output=turn.output)
            runner.step([RowIn(slot=slot, input=turn.input, forced=forced)], budget)
            last_turn = turn.input.index
    except Exception:
        runner.release(slot)
        raise
    return Rebuilt(slot=slot, last_turn=last_turn, last_snapshot_turn=last_snapshot_turn)


def turns_with_origin(journal: Journal, record: SessionRecord, *, after_turn: int = -1) -> Iterator[TurnRecord]:
    """A session's micro-turns in order; those of a fork begin with what it has in common with the session it left.

    Raises:
        JournalError: the other session has been deleted; and while iterating, the journal cannot be read.
    """
    return _turns_of(_lineage(journal.session, record, after_turn), journal, after_turn)


def texts_with_origin(
    journal: Journal, record: SessionRecord
) -> Iterator[tuple[tuple[TextEvent, ...], MicroTurnOutput]]:
    """What was given and answered as text, in the micro-turns of ``turns_with_origin``.

    Raises:
        JournalError: the journal cannot be read, or a session that this one was forked from has been deleted.
    """
    for session_id, last_turn in _lineage(journal.session, record):
        for given, output in journal.texts(session_id):
            if output.index > last_turn:
                break
            yield given, output


def _turns_of(lineage: list[tuple[str, float]], journal: Journal, after_turn: int) -> Iterator[TurnRecord]:
    for session_id, last_turn in lineage:
        for turn in journal.turns(session_id, after_turn=after_turn):
            if turn.input.index > last_turn:
                break
            after_turn = turn.input.index
            yield turn


def has_origin(record: SessionRecord, kept: Mapping[str, SessionRecord]) -> bool:
    """Whether the sessions that this one was forked from, if any, are among those that are kept, by name."""
    try:
        _lineage(kept.__getitem__, record)
    except KeyError:
        return False
    return True


def _lineage(
    find: Callable[[str], SessionRecord], record: SessionRecord, after_turn: int = -1
) -> list[tuple[str, float]]:
    """The sessions that this one was forked from and itself, eldest first, each with the last turn that counts.

    Those of which no turn counts, because all are up to ``after_turn``, are left out.
    """
    lineage: list[tuple[str, float]] = [(record.session_id, float("inf"))]
    while (origin := record.settings.get(FORKED_FROM)) is not None and last_shared_turn(record) > after_turn:
        lineage.append((origin, last_shared_turn(record)))
        record = find(origin)
    return lineage[::-1]


def last_shared_turn(record: SessionRecord) -> int:
    """The last turn that a session has in common with the one it was forked from; -1 for none."""
    return int(record.settings.get(FORK_TURN, -1))


def _tail(journal: Journal, record: SessionRecord, last_turn: int) -> list[TurnRecord]:
    """What the journal holds beyond a snapshot. Raises JournalError if it is too long to be run again."""
    turns = list(islice(turns_with_origin(journal, record, after_turn=last_turn), MAX_TAIL_TURNS + 1))
    if len(turns) > MAX_TAIL_TURNS:
        raise JournalError(
            f"session {record.session_id} has no snapshot of its last {MAX_TAIL_TURNS} micro-turns, and running more "
            "of them again would hold up every other session: open a new one, or look at it with `microturn replay`"
        )
    return turns


def _from_snapshot(runner: Runner, journal: Journal, record: SessionRecord) -> tuple[int, int]:
    """A slot, and the last turn that it knows. Without a good snapshot, a fresh one."""
    last_journaled = max(journal.last_turn(record.session_id), last_shared_turn(record))
    for snapshot in journal.snapshots(record.session_id):
        if snapshot.turn_index > last_journaled:
            fields = {"session": record.session_id, "turn": snapshot.turn_index}
            _log.warning("snapshot newer than its session's turns", extra={"fields": fields})
            continue
        try:
            return runner.restore(snapshot.state, record.seed), snapshot.turn_index
        except ValueError as error:
            log_failure(
                _log,
                "snapshot does not load",
                error,
                level=logging.WARNING,
                session=record.session_id,
                turn=snapshot.turn_index,
            )
    return runner.open(record.seed), -1
