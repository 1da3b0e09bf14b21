"""The conversation as text: readable without the picture, without scripts, and by screen readers."""

import html
from collections.abc import Sequence

from microturn.timeline.summary import TurnSummary
from microturn.timeline.words import Word, utterances
from microturn.turns.background import Speaker
from microturn.turns.micro_turn import PieceKind, Role

_EVENT_NAMES = {Role.USER: "You typed", Role.SYSTEM: "System", Role.TOOL: "Background"}
_PIECE_NAMES = {PieceKind.ACT: "To background", PieceKind.TEXT: "Model wrote"}


def transcript_html(turns: Sequence[TurnSummary], heard: Sequence[Word], said: Sequence[Word]) -> str:
    """List items in order of time: what was spoken, typed and written, each with the time it leads to."""
    entries = [(u.start_ms, "user", "You", u.text) for u in utterances(heard, Speaker.USER)]
    entries += [(u.start_ms, "model", "Model", u.text) for u in utterances(said, Speaker.MODEL)]
    for turn in turns:
        entries += [(turn.start_ms, "typed", _EVENT_NAMES[event.role], event.text) for event in turn.events]
    entries += _pieces(turns)
    entries += [(turn.start_ms, "cleared", "Model", "stopped itself") for turn in turns if turn.is_clear]
    entries.sort(key=lambda entry: entry[0])
    return "\n".join(_item(*entry) for entry in entries)


def _pieces(turns: Sequence[TurnSummary]) -> list[tuple[int, str, str, str]]:
    """Pieces, each joined with those in which it goes on."""
    entries: list[tuple[int, str, str, str]] = []
    is_open = False
    for turn in turns:
        for piece in turn.pieces:
            if is_open and entries and entries[-1][2] == _PIECE_NAMES[piece.kind]:
                start_ms, style, name, text = entries[-1]
                entries[-1] = (start_ms, style, name, text + piece.text)
            else:
                entries.append((turn.start_ms, "wrote", _PIECE_NAMES[piece.kind], piece.text))
            is_open = not piece.is_end
    return entries


def _item(start_ms: int, style: str, name: str, text: str) -> str:
    minutes, seconds = divmod(start_ms / 1000, 60)
    return (
        f'<li class="{style}"><button type="button" data-ms="{start_ms}">{int(minutes)}:{seconds:04.1f}</button>'
        f"<b>{name}</b><span>{html.escape(text.strip())}</span></li>"
    )
