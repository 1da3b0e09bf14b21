"""Cards in answers: checked whole, or left as the code that they are; a timer shows itself and can be taken back."""

import json

import pytest
from background_doubles import desk

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.cards import MAX_CARDS, take_cards
from microturn.background.tools import builtin_tools
from microturn.background.weaving import MORE, spoken
from microturn.turns.cards import ChartCard, ChecklistCard, TimerCard


def block(card: object) -> str:
    return f"```card\n{card if isinstance(card, str) else json.dumps(card)}\n```\n"


CHECKLIST = {"type": "checklist", "title": "Packing", "items": [{"text": "passport"}, {"text": "socks", "done": True}]}


def test_cards_are_taken_out_of_the_answer():
    text, (checklist, chart, timer) = take_cards(
        "Pack these.\n\n"
        + block(CHECKLIST)
        + block({"type": "chart", "labels": ["Mon", "Tue"], "values": [1, -2.5], "unit": "°C"})
        + "\nEnjoy.\n\n"
        + block({"type": "timer", "title": "tea", "seconds": 240})
    )
    assert text.split() == ["Pack", "these.", "Enjoy."]
    assert isinstance(checklist, ChecklistCard)
    assert [(item.text, item.done) for item in checklist.items] == [("passport", False), ("socks", True)]
    assert isinstance(chart, ChartCard)
    assert chart.values == [1, -2.5]
    assert isinstance(timer, TimerCard)
    assert timer.seconds == 240


@pytest.mark.parametrize(
    "card",
    [
        "{not json",
        {"type": "button", "title": "x"},
        {"type": "timer", "seconds": -1},
        '{"type": "timer", "seconds": 1e999}',
        '{"type": "chart", "labels": ["a"], "values": [NaN]}',
        {"type": "chart", "labels": ["a"], "values": [1, 2]},
        {"type": "checklist", "items": [], "title": "x"},
        {"type": "checklist", "items": [{"text": "x", "onclick": "alert(1)"}]},
        {"type": "checklist", "items": [{"text": "x"}] * 31},
    ],
)
def test_what_is_no_card_stays_code(card: object):
    answer = "Look.\n" + block(card)
    assert take_cards(answer) == (answer, [])


def test_an_answer_has_so_many_cards_and_no_more():
    text, cards = take_cards(block(CHECKLIST) * (MAX_CARDS + 1))
    assert len(cards) == MAX_CARDS
    assert take_cards(text)[1] == cards[:1]


def test_cards_are_not_read_aloud():
    assert spoken("Pack these.\n\n" + block(CHECKLIST)) == f"Pack these. {MORE}"


async def test_a_timer_shows_itself_until_it_is_cancelled():
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        it.act("ask 1: set a timer for five minutes")
        await it.result()
        (job,) = it.coordinator.jobs("s")
        (shown,) = job.timers
        assert shown.card == TimerCard(type="timer", title="timer of 5 minutes", seconds=300)
        it.act("ask 2: cancel all timers")
        await it.result()
        assert it.coordinator.jobs("s")[0].timers == []
