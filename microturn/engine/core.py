"""The engine without its thread: sessions, scheduler, runner and journal, joined by ``poll``.

One step: take due turns from the slicers, run them, write them to the journal, and only then release the outputs.
Everything here runs in one thread, except that a session's media may be pushed from another. It knows no torch; a
runner does.
"""

import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from microturn.clock import Clock
from microturn.engine.journal import Journal, SessionRecord, Snapshot, TurnRecord, new_resume_token
from microturn.engine.journal_codec import event_fields, event_of
from microturn.engine.ladder import Budget, Ladder, Rung
from microturn.engine.rebuild import FORK_TURN, FORKED_FROM, last_shared_turn, rebuild
from microturn.engine.scheduler import Batch, Scheduler, SchedulerSettings
from microturn.engine.session import Deliver, Session
from microturn.engine.step import Forced, RowIn, RowOut, Runner
from microturn.errors import CapacityError, JournalError, MicroturnError
from microturn.failures import kinds_of, log_failure
from microturn.turns.micro_turn import Role, TextEvent, scripted
from microturn.turns.slicer import Slicer
from microturn.turns.timing import TURN_MS, ms_of_ns, ns_of_ms
from microturn.turns.trace import TurnTrace

OPENING = "opening"
"""Setting of a session: the texts that it began with, which wait for its first turn."""
MAX_KEPT_TEXTS = 256
"""Sessions out of memory of which texts that no turn has taken are kept; past it the oldest go."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """Bounds of a live engine."""

    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    budget: Budget = field(default_factory=Budget)
    """What a micro-turn may cost while there is no overload."""
    snapshot_every_turns: int = 50
    """A snapshot of the state costs some megabytes; the tail to re-run after a crash is no longer than this."""
    jitter_ms: int = 60
    """On a lossy transport, how long after its first packets' pace a turn is waited for before it is cut."""
    park_ms: int = 60_000
    """How long the state of a session without a client stays in memory. Later it is resumed from the journal."""
    disclosure: str = ""
    """What every session begins with, said in these words: that the voice is an artificial one."""


class EngineCore:
    """Sessions and what runs them.

    Args:
        runner: The model.
        journal: Where every turn is written.
        clock: Tells the time.
        settings: Bounds.
        run_aside: Runs slow work (writing a snapshot) elsewhere; the default runs it at once.
        on_gone: Called with the name of each session that leaves memory, ended for good or not.
    """

    def __init__(
        self,
        runner: Runner,
        journal: Journal,
        clock: Clock,
        settings: EngineSettings | None = None,
        run_aside: Callable[[Callable[[], None]], object] | None = None,
        on_gone: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings or EngineSettings()
        self.scheduler = Scheduler(self.settings.scheduler, Ladder(self.settings.budget), origin_ns=clock.now_ns())
        self.sessions: dict[str, Session] = {}
        """Live and parked ones, by name."""
        self.num_failed_snapshots = 0
        self._num_waiting_snapshots: Counter[str] = Counter()
        self._snapshots_lock = threading.Lock()
        self._kept_texts: dict[str, tuple[TextEvent, ...]] = {}
        """Texts that no turn has taken, of sessions that were put out of memory."""
        self._runner, self._journal, self._clock = runner, journal, clock
        self._run_aside = run_aside or (lambda work: work())
        self._on_gone = on_gone or (lambda session_id: None)

    # Sessions

    def open(
        self,
        deliver: Deliver,
        *,
        instructions: str | None = None,
        seed: int | None = None,
        is_lossy: bool = False,
    ) -> Session:
        """Begins a conversation.

        Raises:
            CapacityError: no room, or overload.
            JournalError: it cannot be recorded.
        """
        seed = secrets.randbits(63) if seed is None else seed
        session = Session(
            session_id=f"session_{secrets.token_hex(8)}",
            resume_token=new_resume_token(),
            slot=-1,
            is_lossy=is_lossy,
            deliver=deliver,
            seed=seed,
        )
        if instructions:
            session.push_text(TextEvent(role=Role.SYSTEM, text=instructions))
        if disclosure := self.settings.disclosure:
            session.push_text(scripted(disclosure))
        self._admit(session, lambda: self._runner.open(seed))
        self._begin_record(session, {"is_lossy": is_lossy})
        return session

    def resume(self, resume_token: str, deliver: Deliver) -> Session:
        """Goes on with a conversation: from memory, else from its latest good snapshot and the turns since.

        Raises:
            JournalError: no such session, or it has been closed, or another model recorded it.
            CapacityError: no room, or overload.
        """
        if parked := self._in_memory(resume_token):
            return self._unpark(parked, deliver)
        record = self._recorded(resume_token)
        session = Session(
            session_id=record.session_id,
            resume_token=resume_token,
            slot=-1,
            is_lossy=bool(record.settings.get("is_lossy")),
            deliver=deliver,
            seed=record.seed,
        )
        self._admit(session, lambda: self._rebuild(record, session))
        session.slicer = Slicer(first_index=session.last_turn + 1)
        for event in self._waiting_texts(record, session.last_turn):
            session.push_text(event)
        self._kept_texts.pop(session.session_id, None)
        return session

    def fork(self, resume_token: str, deliver: Deliver) -> Session:
        """Begins a session of its own where another one stands; that one goes on and notices nothing.

        The state is copied between two micro-turns. Media time goes on from there, and so does the noise (the seed is
        the same), so that a recording of the fork replays: the other's turns up to there, then its own.

        Args:
            resume_token: Of a session that runs, is parked, or stands unclosed in the journal.

        Raises:
            JournalError: no such session, it has been closed, or another model recorded it; or it cannot be recorded.
            CapacityError: no room, or overload.
        """
        source = self._in_memory(resume_token)
        origin = source or self._recorded(resume_token)
        session = Session(
            session_id=f"session_{secrets.token_hex(8)}",
            resume_token=new_resume_token(),
            slot=-1,
            is_lossy=source is not None and source.is_lossy,
            deliver=deliver,
            seed=origin.seed,
            restraint=source.restraint if source is not None else 0.0,
        )
        if isinstance(origin, Session):
            # Copied first: making room may put the other one out of memory.
            state, session.last_turn = self._runner.capture(origin.slot)(), origin.last_turn
            self._admit(session, lambda: self._runner.restore(state, origin.seed))
            waiting = origin.waiting_events
        else:
            self._admit(session, lambda: self._rebuild(origin, session))
            waiting = self._waiting_texts(origin, session.last_turn)
        session.last_snapshot_turn = -1
        session.slicer = Slicer(first_index=session.last_turn + 1)
        for event in waiting:
            session.push_text(event)
        settings = {"is_lossy": session.is_lossy, FORKED_FROM: origin.session_id, FORK_TURN: session.last_turn}
        self._begin_record(session, settings)
        self._save_snapshot(session)
        return session

    def park(self, session: Session) -> None:
        """Ends a session's outputs but keeps its state, so that a client can come back."""
        session.end(None)
        if session.session_id in self.sessions and session.parked_ns is None:
            session.parked_ns = self._clock.now_ns()
            self.scheduler.remove(session.session_id)
            self._save_snapshot(session, max_waiting=2)

    def close(self, session: Session) -> None:
        """Ends a session for good. Twice does nothing."""
        session.end(None)
        if self.sessions.get(session.session_id) is session:
            self._forget(session)
            self._journal.close_session(session.session_id)
            self._aside(session, "dropped", lambda: self._journal.drop_snapshots(session.session_id))

    def close_all(self) -> None:
        """Parks every session, so that each can be resumed by the next process."""
        for session in list(self.sessions.values()):
            self.park(session)

    # Work

    def poll(self) -> bool:
        """Runs at most one batch. Returns whether there was one."""
        now_ns = self._clock.now_ns()
        self._offer(now_ns)
        batch = self.scheduler.schedule(now_ns)
        if batch is None:
            self.scheduler.ladder.update(now_ns)
            self._expire_parked(now_ns)
            return False
        self._run(batch)
        return True

    def next_wake_ns(self) -> int:
        """When ``poll`` is worth calling again if nothing comes in."""
        return self.scheduler.next_wake_ns(self._clock.now_ns())

    @property
    def num_waiting_snapshots(self) -> int:
        """Snapshots that are still to be written."""
        with self._snapshots_lock:
            return self._num_waiting_snapshots.total()

    # Inside

    def _offer(self, now_ns: int) -> None:
        """Tells the scheduler what waits, and cuts turns whose deadline has come on lossy transports."""
        for session in self._live():
            with session.lock:
                num_ready = session.slicer.num_ready_turns
                has_sound = session.slicer.counts.num_received_samples > 0
            if not session.is_aligned and (num_ready or (has_sound and session.is_lossy)):
                session.is_aligned = True
                wait_ms = (0 if num_ready else TURN_MS) + (self.settings.jitter_ms if session.is_lossy else 0)
                self.scheduler.align(session.session_id, now_ns + ns_of_ms(wait_ms))
            self.scheduler.offer(session.session_id, num_ready, now_ns)
        for session_id in self.scheduler.absent(now_ns):
            session = self.sessions[session_id]
            if session.is_lossy and session.is_aligned:
                self.scheduler.offer(session_id, 1, now_ns)

    def _run(self, batch: Batch) -> None:
        rows = [self.sessions[row.session_id] for row in batch.rows]
        turns: list[RowIn] = []
        for row, session in zip(batch.rows, rows, strict=True):
            with session.lock:
                turn = session.slicer.cut()
            is_seen = turn.index % batch.budget.video_every_turns == 0
            turn = replace(turn, frames=self._runner.fit(turn.frames) if is_seen else ())
            forced = Forced() if row.is_forced else None
            turns.append(RowIn(slot=session.slot, input=turn, forced=forced, restraint=session.restraint))
        results = self._step(rows, turns, batch.budget)
        done = [(session, turn, result) for session, turn, result in zip(rows, turns, results, strict=True) if result]
        end_ns = self._clock.now_ns()
        self.scheduler.finish(batch, end_ns)
        deadlines = {row.session_id: row.deadline_ns for row in batch.rows}
        records = [
            TurnRecord(
                session_id=session.session_id,
                input=turn.input,
                output=result.output,
                tokens=result.tokens,
                trace=self._trace(result.trace, batch.rung, deadlines[session.session_id], end_ns),
            )
            for session, turn, result in done
        ]
        self._record(rows, records)
        for record in records:
            session = self.sessions.get(record.session_id)
            if session is not None:
                session.last_turn = record.input.index
                session.num_waiting_event_tokens = record.trace.num_waiting_event_tokens
                session.deliver((record.output, record.trace))
                if session.last_turn - session.last_snapshot_turn >= self.settings.snapshot_every_turns:
                    self._save_snapshot(session)

    def _step(self, rows: list[Session], turns: list[RowIn], budget: Budget) -> list[RowOut | None]:
        """The batch, or, if that fails, each row alone: only the session at fault ends."""
        try:
            return list(self._runner.step(turns, budget))
        except Exception as error:
            log_failure(_log, "a batch failed, its sessions run one by one", error, num_sessions=len(rows))
        results: list[RowOut | None] = []
        for session, turn in zip(rows, turns, strict=True):
            try:
                results.append(self._runner.step([turn], budget)[0])
            except Exception as error:
                log_failure(_log, "turn failed", error, session=session.session_id, turn=turn.input.index)
                why = f"the model failed in turn {turn.input.index} ({kinds_of(error)}): resume"
                self._fail([session], MicroturnError(why))
                results.append(None)
        return results

    def _record(self, rows: list[Session], records: list[TurnRecord]) -> None:
        """Writes a batch. What cannot be written is not released: its sessions end with the reason, others do not."""
        try:
            self._journal.append(records)
        except JournalError as error:
            at_fault = [row for row in rows if error.session_ids is None or row.session_id in error.session_ids]
            log_failure(_log, "turns not journaled", error, num_sessions=len(at_fault))
            self._fail(at_fault, error)

    def _trace(self, trace: TurnTrace, rung: Rung, deadline_ns: int, end_ns: int) -> TurnTrace:
        due_ns = deadline_ns - ns_of_ms(self.settings.scheduler.deadline_ms)
        return replace(
            trace,
            latency_ms=round(ms_of_ns(end_ns - due_ns), 3),
            overload_rung=int(rung),
            is_late=end_ns > deadline_ns and not trace.is_forced,
        )

    def _admit(self, session: Session, take_slot: Callable[[], int]) -> None:
        """Finds room for a session, if need be in the place of the one that has been parked longest."""
        self.scheduler.add(session.session_id, self._clock.now_ns())
        try:
            try:
                session.slot = take_slot()
            except CapacityError:
                parked = [s for s in self.sessions.values() if s.parked_ns is not None]
                if not parked:
                    raise
                self._put_away(min(parked, key=lambda s: s.parked_ns or 0))
                session.slot = take_slot()
        except Exception:
            self.scheduler.remove(session.session_id)
            raise
        self.sessions[session.session_id] = session

    def _in_memory(self, resume_token: str) -> Session | None:
        """The session that a token resumes, if it runs or is parked."""
        given = resume_token.encode()
        return next((s for s in self.sessions.values() if secrets.compare_digest(s.resume_token.encode(), given)), None)

    def _recorded(self, resume_token: str) -> SessionRecord:
        """The record of a session that can go on. Raises JournalError when there is none."""
        record = self._journal.session_of_token(resume_token)
        if record.is_closed:
            raise JournalError(f"session {record.session_id} was closed: open a new one")
        if record.model_hash != self._runner.model_hash:
            raise JournalError(
                f"session {record.session_id} was recorded with model {record.model_hash}, "
                f"this is {self._runner.model_hash}: resume it there, or open a new one"
            )
        return record

    def _begin_record(self, session: Session, settings: dict[str, Any]) -> None:
        """Opens a session's journal; one that cannot be recorded does not begin."""
        settings = {**settings, OPENING: [event_fields(event) for event in session.waiting_events]}
        record = SessionRecord(
            session_id=session.session_id, seed=session.seed, model_hash=self._runner.model_hash, settings=settings
        )
        try:
            self._journal.open_session(record, session.resume_token)
        except JournalError:
            self._forget(session)
            raise

    def _waiting_texts(self, record: SessionRecord, last_turn: int) -> Sequence[TextEvent]:
        """Texts that no turn of a session has taken that is not in memory: those kept, or those that it began with."""
        if kept := self._kept_texts.get(record.session_id):
            return kept
        has_begun = last_turn > last_shared_turn(record)
        return () if has_begun else [event_of(*fields) for fields in record.settings.get(OPENING, ())]

    def _unpark(self, parked: Session, deliver: Deliver) -> Session:
        """The same state for a new client. Its old client, if there still is one, is cut off.

        A session that is live has its place already. Texts that no turn has taken yet wait for the new client's turns.
        """
        is_live = parked.parked_ns is None
        self.park(parked)
        away_turns = int(ms_of_ns(self._clock.now_ns() - (parked.parked_ns or 0)) // TURN_MS)
        self.scheduler.add(parked.session_id, self._clock.now_ns(), has_place=is_live)
        session = replace(
            parked,
            deliver=deliver,
            slicer=Slicer(first_index=parked.last_turn + 1),
            lock=threading.Lock(),
            has_ended=False,
            is_aligned=False,
            parked_ns=None,
        )
        session.slicer.skip(away_turns)
        for event in parked.waiting_events:
            session.slicer.push_text(event)
        self.sessions[session.session_id] = session
        return session

    def _rebuild(self, record: SessionRecord, session: Session) -> int:
        """A slot with the state after the last journaled turn."""
        rebuilt = rebuild(self._runner, self._journal, record, self.settings.budget)
        session.last_turn, session.last_snapshot_turn = rebuilt.last_turn, rebuilt.last_snapshot_turn
        return rebuilt.slot

    def _save_snapshot(self, session: Session, *, max_waiting: int = 1) -> None:
        """Has the state written aside, if there is news in it and no more than so many copies of it wait with it."""
        session_id, turn_index = session.session_id, session.last_turn
        if turn_index == session.last_snapshot_turn or self._num_waiting_snapshots[session_id] >= max_waiting:
            return
        session.last_snapshot_turn = turn_index
        make_bytes = self._runner.capture(session.slot)

        def save() -> None:
            try:
                self._journal.save_snapshot(Snapshot(session_id=session_id, turn_index=turn_index, state=make_bytes()))
            except Exception:
                # The turns are safe: without this snapshot, resuming takes longer.
                self.num_failed_snapshots += 1
                raise
            finally:
                self._count_waiting(session_id, -1)

        self._count_waiting(session_id, 1)
        self._aside(session, "written", save)

    def _count_waiting(self, session_id: str, change: int) -> None:
        """Notes a snapshot that waits, or no longer does. Called by the worker and by whoever writes them."""
        with self._snapshots_lock:
            self._num_waiting_snapshots[session_id] += change
            if not self._num_waiting_snapshots[session_id]:
                del self._num_waiting_snapshots[session_id]

    def _aside(self, session: Session, done: str, work: Callable[[], None]) -> None:
        """Slow work on a session's snapshots, in the order of the calls. Whatever goes wrong is logged."""

        def carry_out() -> None:
            try:
                work()
            except Exception as error:
                log_failure(_log, f"snapshots not {done}", error, session=session.session_id)

        self._run_aside(carry_out)

    def _expire_parked(self, now_ns: int) -> None:
        for session in list(self.sessions.values()):
            if session.parked_ns is not None and now_ns - session.parked_ns > ns_of_ms(self.settings.park_ms):
                self._put_away(session)

    def _put_away(self, parked: Session) -> None:
        """Lets go of a session's state; texts that no turn has taken wait on for the client that comes back."""
        if waiting := parked.waiting_events:
            self._kept_texts[parked.session_id] = waiting
            if len(self._kept_texts) > MAX_KEPT_TEXTS:
                del self._kept_texts[next(iter(self._kept_texts))]
        self._forget(parked)

    def _fail(self, sessions: Iterable[Session], error: Exception) -> None:
        """Ends sessions with an error. What was journaled of them can be resumed."""
        for session in sessions:
            session.end(error)
            self._forget(session)

    def _forget(self, session: Session) -> None:
        if self.sessions.pop(session.session_id, None) is not None:
            self._runner.release(session.slot)
            self._on_gone(session.session_id)
        self.scheduler.remove(session.session_id)

    def _live(self) -> list[Session]:
        return [session for session in self.sessions.values() if session.parked_ns is None]


def describe(core: EngineCore) -> dict[str, Any]:
    """The engine's counts, for metrics and health checks."""
    counts = core.scheduler.counts
    return {
        "num_sessions": len(core.scheduler),
        "max_sessions": core.scheduler.settings.max_sessions,
        "is_admitting": core.scheduler.ladder.is_admitting,
        "num_parked_sessions": sum(s.parked_ns is not None for s in core.sessions.values()),
        "num_turns": counts.num_turns,
        "num_batches": counts.num_batches,
        "num_forced_turns": counts.num_forced_turns,
        "num_missed_deadlines": counts.num_missed_deadlines,
        "num_refused_sessions": counts.num_refused_sessions,
        "num_failed_snapshots": core.num_failed_snapshots,
        "num_waiting_snapshots": core.num_waiting_snapshots,
        "num_waiting_events": sum(len(session.waiting_events) for session in core.sessions.values()),
        "overload_rung": int(core.scheduler.ladder.rung),
        "overload_climbs": {rung.name.lower(): num for rung, num in core.scheduler.ladder.num_climbs.items()},
    }
