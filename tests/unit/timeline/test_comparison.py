"""Two answers to one conversation stand side by side in order of time, and nothing in them becomes markup."""

import re

from microturn.timeline.comparison import draw_comparison, is_answered_alike
from microturn.timeline.summary import TurnSummary
from microturn.turns.micro_turn import Piece, PieceKind


def rows(before: list[TurnSummary], after: list[TurnSummary]) -> list[tuple[str, str]]:
    page = draw_comparison(before, after, title="a session", note="two weights")
    return re.findall(r"<tr><td>[\d:.]+</td><td>(.*?)</td><td>(.*?)</td></tr>", page)


def test_both_stand_side_by_side_in_order_of_time() -> None:
    before = [
        TurnSummary(index=0, hear=" hi there"),
        TurnSummary(index=1, say=" hello", is_speaking=True),
        TurnSummary(index=2),
    ]
    ask = Piece(kind=PieceKind.ACT, text="ask 1: Oslo")
    after = [TurnSummary(index=0), TurnSummary(index=1), TurnSummary(index=2, pieces=(ask,), is_clear=True)]
    assert rows(before, after) == [
        ("<i>hears:</i> hi there", ""),
        ("", "<i>asks the background:</i> ask 1: Oslo"),
        ("", "<i>stops itself</i>"),
        ("hello", ""),
    ]


def test_words_cannot_become_markup() -> None:
    page = draw_comparison([TurnSummary(index=0, say=" <script>")], [TurnSummary(index=0)], title="<b>", note="<b>")
    assert "<script>" not in page
    assert "<b>" not in page


def test_answers_are_alike_whose_words_and_silence_are() -> None:
    quiet = TurnSummary(index=0, level_db=-20.0)
    assert is_answered_alike(quiet, TurnSummary(index=0))
    assert not is_answered_alike(quiet, TurnSummary(index=0, is_speaking=True))
    assert not is_answered_alike(quiet, TurnSummary(index=0, hear=" you"))
