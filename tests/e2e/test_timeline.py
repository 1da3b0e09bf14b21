"""The timeline in a real browser, opened as a file: it draws, plays, and can be followed by keyboard and pointer."""

import re

import numpy as np
import pytest
from browser_needs import CHROMIUM, IN_BROWSER, import_playwright

from microturn.timeline.drawing import draw_timeline
from microturn.timeline.summary import TurnSummary
from microturn.turns.timing import IN_HZ, OUT_HZ
from microturn.turns.trace import TurnTrace

playwright = import_playwright("sync_api")
pytestmark = IN_BROWSER
NUM_TURNS = 50


def summaries() -> list[TurnSummary]:
    contents: dict[int, dict[str, object]] = {
        5: {"hear": " stop"},
        7: {"say": " all", "is_speaking": True},
        8: {"say": " right", "is_speaking": True},
        20: {"is_clear": True},
    }
    return [
        TurnSummary(index=index, level_db=-30, trace=TurnTrace(index=index, prefill_ms=30.0), **contents.get(index, {}))
        for index in range(NUM_TURNS)
    ]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as tools:
        launched = tools.chromium.launch(
            executable_path=str(CHROMIUM),
            timeout=120_000,
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser, tmp_path):
    path = tmp_path / "timeline.html"
    tone = (0.3 * np.sin(2 * np.pi * 200 * np.arange(10 * IN_HZ) / IN_HZ)).astype(np.float32)
    path.write_text(draw_timeline(summaries(), tone, tone[: 5 * OUT_HZ], "talk.wav"), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="dark")
    opened.set_default_timeout(60_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    opened.on("request", lambda asked: faults.append(asked.url) if asked.url.startswith("http") else None)
    opened.goto(path.as_uri())
    yield opened
    opened.close()
    assert faults == []


def ink(page, name: str) -> int:
    """How many pixels of a canvas are painted."""
    return page.evaluate(
        """async (name) => {
            for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
            const canvas = document.getElementById(name);
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return pixels.filter((value, place) => place % 4 === 3 && value > 0).length;
        }""",
        name,
    )


def test_it_draws_and_follows_the_theme(page):
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert ink(page, "canvas") > 5_000
    assert ink(page, "overview") > 5_000
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.inner_text("#figures").split("\n")[:4] == ["Duration", "0:10 min", "Micro-turns", "50"]


def test_the_keys_walk_from_turn_to_turn(page):
    lanes = page.locator("#scroller")
    lanes.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert lanes.get_attribute("aria-valuenow") == "5"
    assert "heard: stop" in lanes.get_attribute("aria-valuetext")
    assert "stop" in page.inner_text("#selected")
    page.keyboard.press("End")
    assert lanes.get_attribute("aria-valuenow") == str(NUM_TURNS - 1)
    page.keyboard.press("Home")
    assert lanes.get_attribute("aria-valuenow") == "0"


def test_the_pointer_shows_all_that_a_turn_holds(page):
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 7.5 / NUM_TURNS, box["y"] + 60)
    page.wait_for_selector("#hover:not([hidden])")
    shown = page.inner_text("#hover")
    assert "micro-turn 7" in shown
    assert "all" in shown
    assert "30.0 of 200 ms" in shown


def test_the_sound_plays_and_the_cursor_goes_along(page):
    page.click("#play")
    playwright.expect(page.locator("#clock")).to_have_text(re.compile(r"^0:0(0\.[3-9]|[1-9])"), timeout=60_000)
    playwright.expect(page.locator("#play")).to_have_attribute("aria-label", "Pause")
    page.click("#play")
    playwright.expect(page.locator("#play")).to_have_attribute("aria-label", "Play")


def test_a_line_of_the_conversation_leads_to_its_moment(page):
    page.click("#transcript button >> nth=1")
    assert page.inner_text("#clock").startswith("0:01.7")
    assert page.inner_text("#transcript li.is-now").split() == ["0:01.7", "Model", "all", "right"]


def test_zoom_and_fit(page):
    def width() -> float:
        return page.evaluate("document.getElementById('spacer').offsetWidth")

    fitting = width()
    page.click("#in")
    assert width() > 1.3 * fitting
    page.click("#fit")
    assert width() == pytest.approx(fitting, abs=1)
