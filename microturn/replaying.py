"""`microturn replay`: a recorded session run again, drawn and kept as a run is kept.

Either bit for bit, with what was recorded forced: a check of the engine and of the weights. Or free: what was heard,
seen and told goes through a model, often another one, which answers it afresh.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track

from microturn.engine.journal import SessionRecord, SqliteJournal, TurnRecord
from microturn.engine.loading import load_checkpoint
from microturn.engine.offline import answer_afresh, replay
from microturn.engine.rebuild import last_shared_turn, turns_with_origin
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.errors import CheckpointError, DeviationError
from microturn.features.output_text import read_output
from microturn.features.tokenizer import Tokenizer
from microturn.films import write_session
from microturn.media.atomic import replacing
from microturn.recorded import open_recorded
from microturn.running.keeping import TIMELINE, keeping, write_lines
from microturn.timeline.comparison import draw_comparison, is_answered_alike
from microturn.timeline.summary import TurnSummary

COMPARISON = "comparison.html"
RECORDED = "recorded.mkv"


def replay_session(
    session_id: str, record: Path, *, model: Path | None, out: Path, is_checked: bool = True, is_free: bool = False
) -> None:
    """Run a session of a journal again and keep it in a folder.

    Args:
        session_id: its name, or ``latest``.
        record: the folder that `microturn serve --record` wrote.
        model: the checkpoint to run; nano unless given.
        out: folder for sound, turns and timeline, and for the recording itself as a film.
        is_checked: whether a deviation is an error.
        is_free: let the model answer afresh, in place of forcing what was recorded.

    Raises:
        JournalError: no such journal or session.
        CheckpointError: what was recorded cannot be forced on a model with another tokenizer.
        DeviationError: the model would have done something else than was recorded.
    """
    journal = open_recorded(record)
    try:
        sessions = journal.sessions()
        if session_id == "latest" and sessions:
            session_id = sessions[0].session_id
        session = journal.session(session_id)
        checkpoint = load_checkpoint(model)
        runner = ModelRunner(checkpoint, RunnerSettings(num_slots=1))
        num_deviations = 0
        if is_free:
            _answer_afresh(journal, session, runner, out)
        else:
            turns: Iterable[TurnRecord] = turns_with_origin(journal, session)
            if runner.model_hash != session.model_hash:
                turns = _readable(turns, checkpoint.tokenizer)
            num_deviations = _replay(session, turns, _num_turns(journal, session), runner, out)
        write_session(journal, session, out / RECORDED)
    finally:
        journal.close()
    if num_deviations and is_checked:
        raise DeviationError(
            f"{num_deviations} tokens or patches of {session.session_id} are not what the model does now: replay with "
            "the weights, machine and thread count of the recording, or give --no-check or --free"
        )


def _replay(
    session: SessionRecord,
    turns: Iterable[TurnRecord],
    num_turns: int,
    runner: ModelRunner,
    out: Path,
) -> int:
    """Runs turns as they are read, ``num_turns`` or a few less, and keeps them: hours would not fit in memory.

    Returns how often the model would have done something else.
    """
    console = Console(stderr=True)
    if runner.model_hash != session.model_hash:
        console.print(
            f"recorded with weights {session.model_hash}, replayed with {runner.model_hash}: its own answers are "
            "forced on other weights; --free has these answer"
        )
    num_deviations = 0
    with keeping(out, title=session.session_id, note=f"replay · weights {runner.model_hash}") as keeper:
        replayed = replay(runner, turns, seed=session.seed)
        for turn in track(replayed, "replaying", total=num_turns, console=console):
            keeper.add(turn.recorded.input, turn.output, turn.recorded.trace)
            num_deviations += turn.num_deviations
    console.print(f"{len(keeper.summaries)} micro-turns, {num_deviations} deviations: {out / TIMELINE}")
    return num_deviations


def _answer_afresh(journal: SqliteJournal, session: SessionRecord, runner: ModelRunner, out: Path) -> None:
    """Gives a model the inputs of a session, and keeps what it answers, beside what was answered then."""
    console = Console(stderr=True)
    before: list[TurnSummary] = []
    title, note = session.session_id, f"answered afresh · weights {runner.model_hash}"
    with keeping(out, title=title, note=note) as keeper:
        answered = answer_afresh(runner, turns_with_origin(journal, session), seed=session.seed)
        for turn in track(answered, "answering", total=_num_turns(journal, session), console=console):
            keeper.add(turn.recorded.input, turn.output, turn.trace)
            before.append(TurnSummary.of(turn.recorded.input, turn.recorded.output))
    after = keeper.summaries
    drawn = draw_comparison(before, after, title=title, note=f"recorded with weights {session.model_hash}, {note}")
    with replacing(out / COMPARISON) as page:
        write_lines(page, [drawn])
    num_other = sum(not is_answered_alike(*pair) for pair in zip(before, after, strict=True))
    console.print(
        f"{len(after)} micro-turns, {num_other} answered otherwise: {out / TIMELINE}, both in {out / COMPARISON}"
    )


def _readable(turns: Iterable[TurnRecord], tokenizer: Tokenizer) -> Iterator[TurnRecord]:
    """The turns, as long as their tokens stand for the words that were recorded with them.

    Raises:
        CheckpointError: they stand for others: forced, they would mean something else or nothing at all.
    """
    for turn in turns:
        read = read_output(turn.input.index, turn.tokens, tokenizer)
        was = turn.output
        if (read.hear, read.say, read.pieces, read.is_clear) != (was.hear, was.say, was.pieces, was.is_clear):
            raise CheckpointError(
                f"micro-turn {turn.input.index} was recorded with another tokenizer than this model's, whose tokens "
                "cannot be forced on it: give --free to let it answer afresh"
            )
        yield turn


def _num_turns(journal: SqliteJournal, session: SessionRecord) -> int:
    return last_shared_turn(session) + 1 + journal.num_turns().get(session.session_id, 0)
