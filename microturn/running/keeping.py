"""What a run leaves behind: ``reply.wav``, ``mix.wav``, ``turns.jsonl`` and ``timeline.html``, all of them or none."""

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from microturn.errors import MediaError
from microturn.media.atomic import replacing
from microturn.media.mixing import ConversationWriter
from microturn.media.writing import read_wav
from microturn.timeline.drawing import draw_timeline
from microturn.timeline.summary import TurnSummary
from microturn.timeline.thumbnails import ThumbnailStrip
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import OUT_HZ, turn_start_ms
from microturn.turns.trace import TurnTrace

REPLY, MIX, TURNS, TIMELINE = "reply.wav", "mix.wav", "turns.jsonl", "timeline.html"
_MAX_EMBEDDED_MS = 3_600_000
"""The page of a longer session comes without its sound: a browser would not open it any more."""


class Keeper:
    """Takes in micro-turns as they happen; only their summaries stay in memory."""

    def __init__(self, conversation: ConversationWriter, lines: TextIO) -> None:
        self.summaries: list[TurnSummary] = []
        self.strip = ThumbnailStrip()
        self._conversation = conversation
        self._lines = lines

    def add(self, turn: MicroTurnInput, output: MicroTurnOutput, trace: TurnTrace | None = None) -> None:
        """Keep a micro-turn."""
        summary = TurnSummary.of(turn, output, trace)
        self.summaries.append(summary)
        for frame in turn.frames:
            self.strip.add(frame)
        self._conversation.add(turn, output)
        with _writing():
            self._lines.write(summary.to_json() + "\n")


@contextmanager
def keeping(folder: Path, *, title: str, note: str) -> Generator[Keeper]:
    """Keeps a run in a folder, which is made if need be.

    The four files appear, and replace those of an earlier run, when the block has ended well.

    Raises:
        MediaError: the folder cannot be made or written to, or the disk is full.
    """
    make_folder(folder)
    with ExitStack() as stack:
        reply, mix, turns, timeline = (
            stack.enter_context(replacing(folder / name)) for name in (REPLY, MIX, TURNS, TIMELINE)
        )
        with ConversationWriter.writing(reply, mix) as conversation, _lines(turns) as lines:
            keeper = Keeper(conversation, lines)
            yield keeper
        drawn = _drawn(keeper, mix, title, note)
        with _writing():
            timeline.write_text(drawn, encoding="utf-8")


def make_folder(folder: Path) -> None:
    """Make the folder of --out if need be.

    Raises:
        MediaError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{folder} cannot be made ({error.strerror}): choose another --out") from error


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text.

    Raises:
        MediaError: the disk is full.
    """
    with _lines(path) as file, _writing():
        file.writelines(f"{line}\n" for line in lines)


@contextmanager
def _lines(path: Path) -> Generator[TextIO]:
    """A text file to write to. If its last lines cannot be written, that is told unless another error is under way."""
    with _writing():
        file = path.open("w", encoding="utf-8")
    try:
        yield file
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    with _writing():
        file.close()


@contextmanager
def _writing() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise MediaError(f"the run cannot be kept ({error.strerror}): make room on the disk of --out") from error


def _drawn(keeper: Keeper, mix: Path, title: str, note: str) -> str:
    sides = read_wav(mix)
    is_long = bool(keeper.summaries) and turn_start_ms(keeper.summaries[-1].index) > _MAX_EMBEDDED_MS
    return draw_timeline(
        keeper.summaries,
        sides[:, 0],
        sides[:, 1],
        title,
        user_hz=OUT_HZ,
        reply_hz=OUT_HZ,
        thumbnails=keeper.strip.thumbnails,
        note=f"{note} · its sound is in {MIX}" if is_long else note,
        has_sound=not is_long,
    )
