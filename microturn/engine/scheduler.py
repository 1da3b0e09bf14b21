"""Which sessions run next. No torch, no threads, no clock of its own: it is told the time and returns decisions.

Sessions tick every 200 ms in four phase groups, 50 ms apart. A session joins the group whose tick follows soonest
after its micro-turns are complete, and changes it when the client's clock drifts from ours. ``schedule`` names a batch:
the members of one group that have a turn waiting; absent members are masked rows. The group with the earliest deadline
goes first.

A session that delivers unevenly is smoothed: one turn a tick while it holds one, at once while it holds more. Turns
that are older than an answer could still be of use are **forced**: prefilled with silence as their output. They run
beside live turns, or while no group is due, so that one session's stall never stalls another.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from microturn.engine.ladder import Budget, Ladder, Rung
from microturn.errors import CapacityError
from microturn.turns.timing import PLAYOUT_OFFSET_MS, TURN_MS, ns_of_ms

NUM_GROUPS = 4
TURN_NS = ns_of_ms(TURN_MS)
PHASE_NS = TURN_NS // NUM_GROUPS
MOVE_AFTER_TURNS = 25
"""When all of so many turns have waited for their tick longer than a group needs, their session changes group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchedulerSettings:
    """Bounds of the schedule."""

    max_sessions: int = 16
    """Sessions at once, over all groups."""
    deadline_ms: int = PLAYOUT_OFFSET_MS
    """An output is in time if it is ready this long after its turn was due."""
    max_live_turns: int = 2
    """Waiting turns of one session that are still worth answering; older ones are forced to silence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One session's part in a batch."""

    session_id: str
    deadline_ns: int
    """When its output is due."""
    is_forced: bool
    """Whether the output is forced to silence, because its time has passed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One step of the runner."""

    rows: tuple[Row, ...]
    rung: Rung
    """How far the engine had degraded when it began, ..."""
    budget: Budget
    """... and what each of its turns may cost on that rung."""
    start_ns: int


@dataclass(kw_only=True, slots=True)
class SchedulerCounts:
    """What happened so far."""

    num_batches: int = 0
    num_turns: int = 0
    num_forced_turns: int = 0
    """Turns whose output was forced to silence because they came too late."""
    num_missed_deadlines: int = 0
    num_refused_sessions: int = 0


@dataclass(slots=True)
class _Session:
    group: int
    num_waiting: int = 0
    due_ns: int = 0
    """When the oldest waiting turn came, or its tick if that was later."""
    served_tick: int = -1
    num_missed_deadlines: int = 0
    num_waits: int = 0
    """Turns since the group was last looked at, ..."""
    shortest_wait_ns: int = TURN_NS
    """... and the shortest time that one of them waited for its tick."""


@dataclass(slots=True)
class Scheduler:
    """Earliest deadline first over phase groups."""

    settings: SchedulerSettings = field(default_factory=SchedulerSettings)
    ladder: Ladder = field(default_factory=Ladder)
    origin_ns: int = 0
    """Group g ticks at origin + 50 ms * g + 200 ms * n."""
    counts: SchedulerCounts = field(default_factory=SchedulerCounts)
    _sessions: dict[str, _Session] = field(default_factory=dict[str, _Session])

    # Membership

    def add(self, session_id: str, complete_ns: int, *, has_place: bool = False) -> int:
        """Admits a session whose turns come in whole at ``complete_ns`` modulo 200 ms, and returns its group.

        One that ``has_place`` was live until just now: it is not refused.

        Raises:
            CapacityError: no room, or the engine is overloaded.
        """
        assert session_id not in self._sessions, f"session {session_id} was added twice"
        is_full = len(self._sessions) >= self.settings.max_sessions or not self.ladder.is_admitting
        if is_full and not has_place:
            self.counts.num_refused_sessions += 1
            raise CapacityError(
                f"{len(self._sessions)} of {self.settings.max_sessions} sessions are live (overload step "
                f"{int(self.ladder.rung)}): try again later, or raise --max-sessions if the machine has room"
            )
        group = self._group_after(complete_ns)
        self._sessions[session_id] = _Session(group, served_tick=self._tick_of(group, complete_ns - 1))
        return group

    def align(self, session_id: str, complete_ns: int) -> int:
        """Moves a session to the group that suits its turns, once it is known when they come in whole."""
        session = self._sessions.pop(session_id)
        group = self._group_after(complete_ns)
        self._sessions[session_id] = _Session(
            group, session.num_waiting, complete_ns, self._tick_of(group, complete_ns - 1)
        )
        return group

    def remove(self, session_id: str) -> None:
        """Forgets a session; one that is not there is no error."""
        self._sessions.pop(session_id, None)

    def __len__(self) -> int:
        return len(self._sessions)

    def num_missed_deadlines(self, session_id: str) -> int:
        """Deadlines that this session's outputs missed."""
        return self._sessions[session_id].num_missed_deadlines

    # Work

    def offer(self, session_id: str, num_waiting: int, now_ns: int) -> None:
        """Says how many turns of a session wait to be run."""
        session = self._sessions[session_id]
        if num_waiting and not session.num_waiting:
            session.due_ns = now_ns
        session.num_waiting = num_waiting

    def absent(self, now_ns: int) -> list[str]:
        """Sessions whose tick has come without a turn: on a lossy transport, the time to cut one."""
        return [
            session_id
            for session_id, session in self._sessions.items()
            if not session.num_waiting and session.served_tick < self._tick_of(session.group, now_ns)
        ]

    def schedule(self, now_ns: int) -> Batch | None:
        """The next batch, or None if nothing is due."""
        due = [(self._deadline_ns(s, now_ns), s.group) for s in self._sessions.values() if self._is_due(s, now_ns)]
        if due:
            _, group = min(due)
            chosen = [
                session_id
                for session_id, s in self._sessions.items()
                if s.group == group and (self._is_due(s, now_ns) or self._is_behind(s))
            ]
        else:
            chosen = [session_id for session_id, s in self._sessions.items() if self._is_behind(s)]
        return self._batch(chosen, now_ns) if chosen else None

    def finish(self, batch: Batch, end_ns: int) -> int:
        """Takes note of a batch that has run, and returns how many of its deadlines were missed."""
        num_missed = 0
        for row in batch.rows:
            if row.is_forced or end_ns <= row.deadline_ns:
                continue
            num_missed += 1
            if (session := self._sessions.get(row.session_id)) is not None:
                session.num_missed_deadlines += 1
        self.counts.num_missed_deadlines += num_missed
        self.ladder.record(batch.start_ns, end_ns, num_missed)
        return num_missed

    def next_wake_ns(self, now_ns: int) -> int:
        """When to ask again if nothing new comes in: the next tick of any group with members."""
        groups: Iterable[int] = {s.group for s in self._sessions.values()} or range(NUM_GROUPS)
        return min(self._tick_ns(g, self._tick_of(g, now_ns) + 1) for g in groups)

    # Inside

    def _batch(self, session_ids: list[str], now_ns: int) -> Batch:
        rows: list[Row] = []
        for session_id in session_ids:
            session = self._sessions[session_id]
            is_forced = self._is_behind(session)
            rows.append(Row(session_id=session_id, deadline_ns=self._deadline_ns(session, now_ns), is_forced=is_forced))
            # Only its last waiting turn uses a session's tick up: a turn too many is made up, not carried along.
            if session.num_waiting == 1:
                session.served_tick = self._tick_of(session.group, now_ns)
                self._follow_drift(session)
            session.num_waiting -= 1
            session.due_ns = now_ns
            self.counts.num_forced_turns += is_forced
        self.counts.num_batches += 1
        self.counts.num_turns += len(rows)
        return Batch(rows=tuple(rows), rung=self.ladder.rung, budget=self.ladder.budget, start_ns=now_ns)

    def _follow_drift(self, session: _Session) -> None:
        """Moves a session whose turns come earlier and earlier, as from a client whose clock runs fast.

        One whose turns come later and later needs no move: they run as they come, and a tick passes in between.
        """
        wait_ns = self._tick_ns(session.group, session.served_tick) - session.due_ns
        session.num_waits += 1
        session.shortest_wait_ns = min(session.shortest_wait_ns, wait_ns)
        if session.num_waits < MOVE_AFTER_TURNS:
            return
        if session.shortest_wait_ns > PHASE_NS and (group := self._group_after(session.due_ns)) != session.group:
            served_ns = self._tick_ns(session.group, session.served_tick)
            session.group, session.served_tick = group, self._tick_of(group, served_ns)
        session.num_waits, session.shortest_wait_ns = 0, TURN_NS

    def _is_behind(self, session: _Session) -> bool:
        return session.num_waiting > self.settings.max_live_turns

    def _is_due(self, session: _Session, now_ns: int) -> bool:
        if not session.num_waiting or self._is_behind(session):
            return False
        return session.num_waiting > 1 or session.served_tick < self._tick_of(session.group, now_ns)

    def _deadline_ns(self, session: _Session, now_ns: int) -> int:
        """From its arrival, or from its tick if it came early."""
        tick = self._tick_of(session.group, session.due_ns)
        waits_for_tick = session.num_waiting == 1 and session.served_tick == tick
        start_ns = self._tick_ns(session.group, tick + 1) if waits_for_tick else session.due_ns
        return min(start_ns, now_ns) + ns_of_ms(self.settings.deadline_ms)

    def _group_after(self, complete_ns: int) -> int:
        """The first group to tick from then on, unless it is full: then the next one with room."""
        capacity = -(-self.settings.max_sessions // NUM_GROUPS)
        first = -((self.origin_ns - complete_ns) // PHASE_NS) % NUM_GROUPS
        order = [(first + i) % NUM_GROUPS for i in range(NUM_GROUPS)]
        members = [sum(s.group == g for s in self._sessions.values()) for g in range(NUM_GROUPS)]
        return next((g for g in order if members[g] < capacity), order[0])

    def _tick_of(self, group: int, time_ns: int) -> int:
        """Number of the group's latest tick."""
        return (time_ns - self.origin_ns - group * PHASE_NS) // TURN_NS

    def _tick_ns(self, group: int, tick: int) -> int:
        return self.origin_ns + group * PHASE_NS + tick * TURN_NS
