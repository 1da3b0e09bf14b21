"""Deltas of both sides, joined into the lines of a conversation."""

from dataclasses import dataclass

from openai.types.live import InputTranscriptDeltaEvent, OutputTranscriptDeltaEvent

from microturn.protocol.extensions import TurnEvent
from microturn.protocol.live import ServerEvent

NEW_LINE_MS = 1_200
"""Silence after which words begin a new line."""


@dataclass(kw_only=True)
class Line:
    """What one side said without a pause."""

    who: str
    """``you``, ``model``, or ``wrote`` for the model's visible text."""
    text: str
    start_ms: int
    end_ms: int
    is_cut_off: bool = False


class Transcript:
    """The conversation so far."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._open: dict[str, Line] = {}

    def add(self, event: ServerEvent) -> None:
        """Take in an event; those that carry no words change nothing."""
        match event:
            case InputTranscriptDeltaEvent():
                self._extend("you", event.delta, event.start_ms, event.end_ms)
            case OutputTranscriptDeltaEvent():
                self._extend("model", event.delta, event.start_ms, event.end_ms)
            case TurnEvent():
                self._take_turn(event)
            case _:
                pass

    def _take_turn(self, turn: TurnEvent) -> None:
        spoken = self._open.pop("model", None) if turn.clear else None
        if spoken and turn.end_ms - spoken.end_ms < NEW_LINE_MS:
            spoken.is_cut_off = True
        for piece in turn.pieces:
            if piece.kind == "text":
                self._extend("wrote", piece.text, turn.end_ms, turn.end_ms)
                if piece.is_end:
                    self._open.pop("wrote", None)

    def _extend(self, who: str, delta: str, start_ms: int, end_ms: int) -> None:
        line = self._open.get(who)
        if line is None or start_ms - line.end_ms > NEW_LINE_MS:
            line = self._open[who] = Line(who=who, text="", start_ms=start_ms, end_ms=end_ms)
            self.lines.append(line)
        line.text = (line.text + delta).lstrip()
        line.end_ms = end_ms
