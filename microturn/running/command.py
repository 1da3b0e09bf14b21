"""The logic of `microturn run`, apart from its command line."""

import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from rich.console import Console

from microturn.clock import Clock, SystemClock
from microturn.engine.offline import answer_stream
from microturn.engine.step import Runner
from microturn.media.reading import Recording, open_recording
from microturn.media.text_events import TimedText, read_text_events
from microturn.running.display import RunDisplay, print_summary
from microturn.running.interrupt import interrupt_as_flag
from microturn.running.keeping import Keeper, keeping
from microturn.running.pump import RecordingPump, paced
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import ms_of_ns


def run_file(
    file: Path, *, text_path: Path | None = None, model: Path | None = None, is_fast: bool = False, out: Path
) -> None:
    """Plays a recording to a model.

    Args:
        file: any container of sound, video or both.
        text_path: text events, one JSON object a line.
        model: a checkpoint folder; nano unless given.
        is_fast: as fast as the machine allows, not in real time.
        out: folder for what is kept.

    Raises:
        MediaError: a file that cannot be used; nothing has been written then.
        CheckpointError: a model that does not load.
    """
    recording = open_recording(file)  # what costs nothing is checked first
    events = read_text_events(text_path) if text_path is not None else []

    from microturn.engine.loading import load_checkpoint
    from microturn.engine.runner import ModelRunner, RunnerSettings

    console = Console(stderr=True)
    name = model.name if model else "nano"
    with console.status(f"Loading {name} …"):
        runner = ModelRunner(load_checkpoint(model), RunnerSettings(num_slots=1))
    if recording.has_pictures and not runner.can_see:
        console.print(f"{name} has not learnt to see: the pictures are drawn, and left out of what it reads")
    run_recording(recording, events, runner, is_fast=is_fast, out=out, model_name=name, console=console)


def run_recording(
    recording: Recording,
    events: list[TimedText],
    runner: Runner,
    *,
    is_fast: bool,
    out: Path,
    model_name: str = "nano",
    console: Console | None = None,
    clock: Clock | None = None,
    sleep_s: Callable[[float], None] = time.sleep,
) -> Keeper:
    """Plays an open recording to a runner, shows it, and keeps it. Ctrl-C ends the recording there, and keeps that.

    Raises:
        MediaError: a file that can no longer be read, or a folder that cannot be written to.
    """
    console, clock = console or Console(stderr=True), clock or SystemClock()
    pump = RecordingPump(recording, events)
    turns = pump.turns() if is_fast else paced(pump.turns(), clock=clock, sleep_s=sleep_s)
    start_ns = clock.now_ns()
    with keeping(out, title=recording.path.name, note=f"{model_name} · microturn run") as keeper:
        with RunDisplay(recording.path.name, pump.num_recorded_turns, console) as display:
            is_whole = _converse(turns, pump, runner, keeper, display)
        wall_s = ms_of_ns(clock.now_ns() - start_ns) / 1000
        if console.is_terminal:
            console.print("Drawing the timeline …", end="\r")
    print_summary(console, keeper.summaries, out, wall_s=wall_s, warnings=_warnings(recording, is_whole))
    return keeper


def _converse(
    turns: Iterator[MicroTurnInput], pump: RecordingPump, runner: Runner, keeper: Keeper, display: RunDisplay
) -> bool:
    """Runs and keeps every micro-turn; False if it was interrupted."""
    asked: list[MicroTurnInput] = []

    def inputs() -> Generator[MicroTurnInput]:
        for turn in turns:
            asked.append(turn)
            yield turn

    with interrupt_as_flag() as is_interrupted:
        for result in answer_stream(runner, inputs()):
            pump.note(result.output)
            keeper.add(asked.pop(), result.output, result.trace)
            display.show(keeper.summaries[-1])
            if is_interrupted.is_set():
                return False
    return True


def _warnings(recording: Recording, is_whole: bool) -> list[str]:
    warnings: list[str] = []
    if not is_whole:
        warnings.append("interrupted: what follows in the recording was not played")
    if recording.damage.num_packets:
        warnings.append(f"{recording.damage.num_packets} packets of the recording are damaged and were skipped")
    if not recording.has_sound:
        warnings.append("the recording has no sound: the model heard silence")
    return warnings
