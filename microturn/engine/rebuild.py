"""A session's state made again from its journal: the latest good snapshot, and the turns since."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from microturn.engine.journal import Journal, SessionRecord, TurnRecord
from microturn.engine.ladder import Budget
from microturn.engine.step import Forced, RowIn, Runner

FORKED_FROM = "forked_from"
"""Setting of a session that began as a fork: the session that it was copied from."""
FORK_TURN = "fork_turn"
"""The last turn that both have in common; -1 for none."""

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
        JournalError: the journal cannot be read.
    """
    slot, last_turn = _from_snapshot(runner, journal, record)
    last_snapshot_turn = last_turn
    try:
        for turn in turns_with_origin(journal, record, after_turn=last_turn):
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
        JournalError: the journal cannot be read, or the other session has been deleted.
    """
    lineage: list[tuple[SessionRecord, float]] = [(record, float("inf"))]
    while (origin := lineage[-1][0].settings.get(FORKED_FROM)) is not None:
        fork_turn = int(lineage[-1][0].settings[FORK_TURN])
        if fork_turn <= after_turn:
            break
        lineage.append((journal.session(origin), fork_turn))
    for each, last_turn in reversed(lineage):
        for turn in journal.turns(each.session_id, after_turn=after_turn):
            if turn.input.index > last_turn:
                break
            after_turn = turn.input.index
            yield turn


def _from_snapshot(runner: Runner, journal: Journal, record: SessionRecord) -> tuple[int, int]:
    """A slot, and the last turn that it knows. Without a good snapshot, a fresh one."""
    for snapshot in journal.snapshots(record.session_id):
        try:
            return runner.restore(snapshot.state, record.seed), snapshot.turn_index
        except ValueError as error:
            _log.warning("snapshot %d of %s does not load: %s", snapshot.turn_index, record.session_id, error)
    return runner.open(record.seed), -1
