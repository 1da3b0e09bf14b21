"""`microturn replay`: a recorded session run again, bit for bit, drawn and kept as a run is kept."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from microturn.engine.journal import SessionRecord, TurnRecord
from microturn.engine.loading import load_checkpoint
from microturn.engine.offline import replay
from microturn.engine.rebuild import last_shared_turn, turns_with_origin
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.errors import DeviationError
from microturn.recorded import open_recorded
from microturn.running.keeping import TIMELINE, keeping


def replay_session(session_id: str, record: Path, *, model: Path | None, out: Path, is_checked: bool = True) -> None:
    """Run a session of a journal again, forcing what was recorded, and keep it in a folder.

    Args:
        session_id: its name, or ``latest``.
        record: the folder that `microturn serve --record` wrote.
        model: the checkpoint it ran on; nano unless given.
        out: folder for sound, turns and timeline.
        is_checked: whether a deviation is an error.

    Raises:
        JournalError: no such journal or session.
        DeviationError: the model would have done something else than was recorded.
    """
    journal = open_recorded(record)
    try:
        sessions = journal.sessions()
        if session_id == "latest" and sessions:
            session_id = sessions[0].session_id
        session = journal.session(session_id)
        num_turns = last_shared_turn(session) + 1 + journal.num_turns().get(session_id, 0)
        turns = turns_with_origin(journal, session)
        _replay(session, turns, num_turns, model=model, out=out, is_checked=is_checked)
    finally:
        journal.close()


def _replay(
    session: SessionRecord,
    turns: Iterable[TurnRecord],
    num_turns: int,
    *,
    model: Path | None,
    out: Path,
    is_checked: bool,
) -> None:
    """Runs turns as they are read, ``num_turns`` or a few less, and keeps them: hours would not fit in memory."""
    console = Console(stderr=True)
    runner = ModelRunner(load_checkpoint(model), RunnerSettings(num_slots=1))
    if runner.model_hash != session.model_hash:
        console.print(f"recorded with weights {session.model_hash}, replayed with {runner.model_hash}")
    num_deviations = 0
    with keeping(out, title=session.session_id, note=f"replay · weights {runner.model_hash}") as keeper:
        replayed = replay(runner, turns, seed=session.seed)
        for turn in track(replayed, "replaying", total=num_turns, console=console):
            keeper.add(turn.recorded.input, turn.output, turn.recorded.trace)
            num_deviations += turn.num_deviations
    console.print(f"{len(keeper.summaries)} micro-turns, {num_deviations} deviations: {out / TIMELINE}")
    if num_deviations and is_checked:
        raise DeviationError(
            f"{num_deviations} tokens or patches of {session.session_id} are not what the model does now: replay with "
            "the weights, machine and thread count of the recording, or give --no-check"
        )
