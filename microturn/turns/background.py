"""What passes between the interaction model and a background model: acts one way, reports the other.

An act is a line that the interaction model writes in a piece: ``ask 1: weather in Oslo``, ``amend 1: tomorrow``,
``cancel 1``. A report comes back as a text event of the tool: ``1 note: looking``, ``1 done: minus two``. The number
names the job within its session.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.video import VideoFrame

MAX_ACT_CHARS = 4_096
"""An act that grows beyond this is given up as malformed."""


class ActKind(StrEnum):
    """What the interaction model wants of the background."""

    ASK = "ask"
    AMEND = "amend"
    CANCEL = "cancel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One line to the background model."""

    kind: ActKind
    job: int
    """Number of the job within its session."""
    text: str = ""
    """What is asked or changed; empty for a cancel."""

    def __str__(self) -> str:
        return f"{self.kind} {self.job}: {self.text}" if self.text else f"{self.kind} {self.job}"


class ReportKind(StrEnum):
    """What the background tells of a job."""

    NOTE = "note"  # progress, for the model to know
    SAY = "say"  # worth saying now
    DONE = "done"  # the result
    ERROR = "error"  # it failed, and why


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One line from the background model."""

    kind: ReportKind
    job: int
    text: str

    def __str__(self) -> str:
        return f"{self.job} {self.kind}: {self.text}"

    def to_event(self) -> TextEvent:
        """The report as the interaction model receives it."""
        return TextEvent(role=Role.TOOL, text=str(self))


class Speaker(StrEnum):
    """Whose words they are."""

    USER = "user"
    MODEL = "model"


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """Words of one side and the media time over which they were spoken."""

    speaker: Speaker
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundRequest:
    """A job with its context package: the whole conversation rather than a stand-alone question."""

    session_id: str
    act: Act
    time_ms: int
    """Media time at which it was asked."""
    conversation: tuple[Utterance, ...] = ()
    """Both sides so far, in order of start."""
    events: tuple[TextEvent, ...] = ()
    """Texts that reached the model so far, in order."""
    key_frames: tuple[VideoFrame, ...] = ()
    """Recent pictures, oldest first."""
    traceparent: str = ""
    """W3C trace context of the micro-turn that asked; empty where nobody traces."""


_ACT = re.compile(r"\s*(ask|amend|cancel)\s+(\d{1,6})\s*(?::\s*(.*?))?\s*", re.DOTALL)
_REPORT = re.compile(r"\s*(\d{1,6})\s+(note|say|done|error)\s*:\s*(.*?)\s*", re.DOTALL)


def parse_act(text: str) -> Act:
    """Reads the text of a whole act.

    Raises:
        ValueError: it is none.
    """
    match = _ACT.fullmatch(text)
    kind = ActKind(match[1]) if match else None
    words = (match[3] or "") if match else ""
    if match is None or kind is None or (kind is ActKind.CANCEL) == bool(words):
        raise ValueError(f"{text[:80]!r} is no act: write 'ask 1: …', 'amend 1: …' or 'cancel 1'")
    return Act(kind=kind, job=int(match[2]), text=words)


def parse_report(text: str) -> Report:
    """Reads the text of a tool event.

    Raises:
        ValueError: it is none.
    """
    match = _REPORT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:80]!r} is no report: write '1 note: …', '1 say: …', '1 done: …' or '1 error: …'")
    return Report(kind=ReportKind(match[2]), job=int(match[1]), text=match[3])


class ActReader:
    """Joins the pieces of a session's outputs, which may run over several turns, into acts."""

    def __init__(self) -> None:
        self._text = ""
        self.num_malformed = 0
        """Pieces that were meant as acts and could not be read."""

    def read(self, pieces: Iterable[Piece]) -> list[Act]:
        """Acts that these pieces complete, in order. What cannot be read is counted, never fatal."""
        acts: list[Act] = []
        for piece in pieces:
            if piece.kind is not PieceKind.ACT:
                continue
            self._text += piece.text
            if not piece.is_end and len(self._text) <= MAX_ACT_CHARS:
                continue
            try:
                acts.append(parse_act(self._text))
            except ValueError:
                self.num_malformed += 1
            self._text = ""
        return acts


class TurnActs:
    """Reads the acts in a session's outputs. An act may begin on one connection and end on the next."""

    def __init__(self) -> None:
        self._reader = ActReader()
        self._next_turn = 0
        self.num_malformed = 0
        """Pieces that were meant as acts and could not be read."""

    def read(self, output: MicroTurnOutput) -> list[Act]:
        """The acts that an output completes. What began before a gap in the outputs is not joined to what follows."""
        if output.index != self._next_turn:
            self._reader = ActReader()
        self._next_turn = output.index + 1
        num_before = self._reader.num_malformed
        acts = self._reader.read(output.pieces)
        self.num_malformed += self._reader.num_malformed - num_before
        return acts
