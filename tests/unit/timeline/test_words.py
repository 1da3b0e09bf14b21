"""Words on the axis of time, and a micro-turn's line of JSON."""

import json

import numpy as np
import pytest

from microturn.timeline.summary import SILENCE_DB, TurnSummary, level_db
from microturn.timeline.words import heard_words, said_words, utterances
from microturn.turns.background import Speaker
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.timing import IN_SAMPLES_PER_TURN, PLAYOUT_OFFSET_MS, TEXT_LEAD_MS, TURN_MS
from microturn.turns.trace import TurnTrace


def heard(*texts: str) -> list[TurnSummary]:
    return [TurnSummary(index=index, hear=text) for index, text in enumerate(texts)]


def placed(words) -> list[tuple[float, str]]:
    return [(word.time_ms, word.text) for word in words]


def test_a_heard_word_stands_in_the_turn_that_wrote_it():
    assert placed(heard_words(heard("", " one", "", " two"))) == [(200, "one"), (600, "two")]


def test_words_of_one_turn_share_it():
    assert placed(heard_words(heard(" one two"))) == [(0, "one"), (100, "two")]


def test_a_word_that_goes_on_in_a_later_turn_is_one_word():
    assert placed(heard_words(heard(" twen", "", "ty one", " two"))) == [(0, "twenty"), (500, "one"), (600, "two")]


def test_said_words_stand_where_they_sound():
    turns = [
        TurnSummary(index=3, say=" one", is_speaking=True),
        TurnSummary(index=4, say=" two", is_speaking=True),
        TurnSummary(index=5),
        TurnSummary(index=6, say=" three", is_speaking=True),
    ]
    first, later, again = (word.time_ms for word in said_words(turns))
    assert first == 4 * TURN_MS + PLAYOUT_OFFSET_MS, "text and sound of an utterance start together"
    assert later == 5 * TURN_MS + PLAYOUT_OFFSET_MS + TEXT_LEAD_MS, "then text runs ahead"
    assert again == 7 * TURN_MS + PLAYOUT_OFFSET_MS


def test_clear_withdraws_the_words_that_had_not_sounded():
    turns = [
        TurnSummary(index=0, say=" one", is_speaking=True),
        TurnSummary(index=1, say=" two", is_speaking=True),
        TurnSummary(index=2, say=" instead", is_clear=True, is_speaking=True),
    ]
    words = said_words(turns)
    assert [(word.text, word.is_withdrawn) for word in words] == [("one", False), ("two", True), ("instead", False)]
    assert [u.text for u in utterances(words, Speaker.MODEL)] == ["one instead"]


def test_a_long_pause_parts_utterances():
    words = heard_words(heard(" one", "", " two", *[""] * 8, " three"))
    joined = utterances(words, Speaker.USER)
    assert [(u.text, u.start_ms) for u in joined] == [("one two", 0), ("three", 2200)]
    assert joined[0].end_ms == 600


def test_levels_in_decibels_of_full_scale():
    assert level_db(np.zeros(3200, np.float32)) == SILENCE_DB
    assert level_db(np.zeros(0, np.float32)) == SILENCE_DB
    assert level_db(np.full(3200, 0.1, np.float32)) == pytest.approx(-20, abs=1e-3)


def test_a_line_of_json_tells_all_of_a_turn():
    turn = MicroTurnInput(
        index=7,
        audio=np.full(IN_SAMPLES_PER_TURN, 0.1, np.float32),
        events=(TextEvent(role=Role.TOOL, text="1 done: sieben"),),
        num_missing_samples=12,
    )
    output = MicroTurnOutput(
        index=7, hear=" hi", say=" grüß", is_clear=True, pieces=(Piece(kind=PieceKind.ACT, text="ask 1: x"),)
    )
    line = TurnSummary.of(turn, output, TurnTrace(index=7, prefill_ms=12.34567, flow_ms=1)).to_json()
    assert "\n" not in line
    assert json.loads(line) == {
        "index": 7,
        "start_ms": 1400,
        "level_db": -20.0,
        "num_frames": 0,
        "num_missing_samples": 12,
        "events": [{"role": "tool", "text": "1 done: sieben"}],
        "hear": " hi",
        "say": " grüß",
        "pieces": [{"kind": "act", "text": "ask 1: x", "is_end": True}],
        "clear": True,
        "speaking": False,
        "compute_ms": {
            "features": 0.0,
            "prefill": 12.346,
            "decode": 0.0,
            "flow": 1.0,
            "vocoder": 0.0,
            "all": 13.346,
        },
    }
