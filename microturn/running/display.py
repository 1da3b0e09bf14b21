"""What a run shows in the terminal: captions as they come, a bar of progress, and a summary at the end."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from microturn.running.keeping import MIX, REPLY, TIMELINE, TURNS
from microturn.timeline.summary import TurnSummary
from microturn.timeline.words import heard_words, said_words, utterances
from microturn.turns.background import Speaker, Utterance
from microturn.turns.timing import TURN_MS

_NUM_LINES = 8
"""Captions that are shown at once."""
_STYLES = {"you": "cyan", "model": "magenta", "typed": "yellow", "wrote": "blue"}
_METER = " ▁▂▃▄▅▆▇█"
_QUIET_DB, _LOUD_DB = -60.0, -10.0


class RunDisplay:
    """A live view of a run; a context manager. On anything but a terminal it stays silent.

    Args:
        title: Of the recording.
        num_turns: Expected micro-turns, for the bar.
    """

    def __init__(self, title: str, num_turns: int, console: Console) -> None:
        self._title = title
        self._console = console
        self._captions: list[tuple[str, str]] = []
        self._levels = ""
        self._compute_ms = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[clock]}"), console=console
        )
        self._task = self._progress.add_task(title, total=num_turns, clock="0:00")
        self._live = Live(console=console, get_renderable=self._rendered, refresh_per_second=8, transient=True)

    def __enter__(self) -> "RunDisplay":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, summary: TurnSummary) -> None:
        """Take in a micro-turn."""
        self._caption("you", summary.hear)
        for event in summary.events:
            self._caption("typed", f" {event.text}")
        for piece in summary.pieces:
            self._caption("wrote", f" {piece.text}")
        self._caption("model", summary.say)
        share = (summary.level_db - _QUIET_DB) / (_LOUD_DB - _QUIET_DB)
        self._levels = (self._levels + _METER[round(min(1.0, max(0.0, share)) * (len(_METER) - 1))])[-40:]
        self._compute_ms = summary.trace.compute_ms if summary.trace else 0.0
        minutes, seconds = divmod((summary.index + 1) * TURN_MS // 1000, 60)
        self._progress.update(self._task, completed=summary.index + 1, clock=f"{minutes}:{seconds:02d}")

    def _caption(self, who: str, text: str) -> None:
        if not text:
            return
        if self._captions and self._captions[-1][0] == who:
            self._captions[-1] = (who, self._captions[-1][1] + text)
        else:
            self._captions = [*self._captions, (who, text)][-_NUM_LINES:]

    def _rendered(self) -> RenderableType:
        captions = Table.grid(padding=(0, 2))
        captions.add_column(justify="right", width=6)
        captions.add_column()
        for who, text in self._captions:
            captions.add_row(Text(who, _STYLES[who]), Text(text.strip(), overflow="fold"))
        meter = Text.assemble((f"{self._levels:>40}", "cyan"), (f"  {self._compute_ms:5.0f} ms a micro-turn", "dim"))
        return Group(captions, meter, self._progress)


def print_summary(
    console: Console, summaries: Sequence[TurnSummary], folder: Path, *, wall_s: float, warnings: Sequence[str]
) -> None:
    """What was heard and said, what it cost, and where it is kept."""
    spoken = utterances(heard_words(summaries), Speaker.USER) + utterances(said_words(summaries), Speaker.MODEL)
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for utterance in sorted(spoken, key=lambda utterance: utterance.start_ms):
        table.add_row(*_row(utterance))
    if not spoken:
        table.add_row("", Text("nobody said a word", "dim"))
    console.print(table)
    console.print(Text(_cost(summaries, wall_s), "dim"), soft_wrap=True)
    for warning in warnings:
        console.print(Text(warning, "yellow"))
    for name in (REPLY, MIX, TURNS, TIMELINE):
        console.print(Text(str(folder / name)), soft_wrap=True)


def _row(utterance: Utterance) -> tuple[Text, Text]:
    is_user = utterance.speaker is Speaker.USER
    who, style = ("you", _STYLES["you"]) if is_user else ("model", _STYLES["model"])
    minutes, seconds = divmod(utterance.start_ms / 1000, 60)
    return Text.assemble((f"{int(minutes)}:{seconds:04.1f} ", "dim"), (who, style)), Text(utterance.text)


def _cost(summaries: Sequence[TurnSummary], wall_s: float) -> str:
    costs_ms = [summary.trace.compute_ms for summary in summaries if summary.trace]
    media_s = len(summaries) * TURN_MS / 1000
    speed = f", {media_s / wall_s:.1f} times real time" if wall_s > 0 else ""
    if not costs_ms:
        return f"{len(summaries)} micro-turns, {media_s:.1f} s{speed}"
    median_ms, high_ms = (float(part) for part in np.percentile(costs_ms, (50, 99)))
    num_over = sum(cost_ms > TURN_MS for cost_ms in costs_ms)
    return (
        f"{len(summaries)} micro-turns, {media_s:.1f} s{speed}; compute a turn: p50 {median_ms:.0f} ms, "
        f"p99 {high_ms:.0f} ms, {num_over} over {TURN_MS} ms"
    )
