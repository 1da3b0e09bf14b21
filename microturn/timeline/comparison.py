"""Two answers to one conversation side by side: what was recorded, and what another model says to the same input.

A plain page: a table in order of time, no script, nothing from anywhere else.
"""

import html
from collections.abc import Sequence

from microturn.timeline.summary import TurnSummary
from microturn.timeline.words import heard_words, said_words, utterances
from microturn.turns.background import Speaker
from microturn.turns.micro_turn import PieceKind

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #8884 }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; opacity: .7 }
i { opacity: .7 }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title} · microturn</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{note}</p>
<table>
<thead><tr><th>time</th><th>recorded</th><th>now</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""
_PIECE_NAMES = {PieceKind.ACT: "asks the background", PieceKind.TEXT: "writes"}


def is_answered_alike(before: TurnSummary, after: TurnSummary) -> bool:
    """Whether two answers to one micro-turn hold the same words and the same silence; their sound may differ."""

    def told(turn: TurnSummary) -> tuple[object, ...]:
        return turn.hear, turn.say, turn.pieces, turn.is_clear, turn.is_speaking

    return told(before) == told(after)


def draw_comparison(before: Sequence[TurnSummary], after: Sequence[TurnSummary], *, title: str, note: str) -> str:
    """HTML of both, with what each heard, said, wrote and asked for.

    Args:
        before, after: Answers to the same micro-turns, in order of their index.
        note: A line under the title, such as the weights' names.
    """
    entries = [(start_ms, 0, text) for start_ms, text in _entries(before)]
    entries += [(start_ms, 1, text) for start_ms, text in _entries(after)]
    rows = "\n".join(_row(*entry) for entry in sorted(entries))
    return _PAGE.format(title=html.escape(title), note=html.escape(note), style=_STYLE, rows=rows)


def _entries(turns: Sequence[TurnSummary]) -> list[tuple[int, str]]:
    """What one model made of it: start and HTML."""
    entries = [(u.start_ms, _named("hears", u.text)) for u in utterances(heard_words(turns), Speaker.USER)]
    entries += [(u.start_ms, html.escape(u.text)) for u in utterances(said_words(turns), Speaker.MODEL)]
    entries += [(turn.start_ms, _named(_PIECE_NAMES[p.kind], p.text)) for turn in turns for p in turn.pieces]
    entries += [(turn.start_ms, "<i>stops itself</i>") for turn in turns if turn.is_clear]
    return entries


def _named(what: str, text: str) -> str:
    return f"<i>{what}:</i> {html.escape(text.strip())}"


def _row(start_ms: int, column: int, text: str) -> str:
    minutes, seconds = divmod(start_ms / 1000, 60)
    cells = ["", ""]
    cells[column] = text
    return f"<tr><td>{int(minutes)}:{seconds:04.1f}</td><td>{cells[0]}</td><td>{cells[1]}</td></tr>"
