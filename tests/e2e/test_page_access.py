"""The page for everybody: on a phone, in the dark, with a keyboard alone, with a screen reader."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from browser_needs import IN_BROWSER, import_playwright
from page_access import faint_text, tab_stops, told, wide_elements
from page_engine import PageEngine, answer
from page_harness import TRIES, WITHIN_MS, start, until
from page_oracle import ACTS, Oracle, oracle_server

from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, PieceKind

playwright = import_playwright()
pytestmark = [*IN_BROWSER, pytest.mark.asyncio(loop_scope="module")]
LONG_WORD = "antidisestablishmentarianism" * 8
MEANT_TO_SCROLL = "#tries, #strip, .job-answer pre, .wide"
FAULTY = """<!doctype html><style>a:focus { outline: none } button { outline: 3px solid #777 !important }</style>
<p style="color: #777; background: #fff">4.48 : 1, which is too little</p> <p style="color: #767676">4.54 : 1</p>
<p style="opacity: 0.5">half of black</p> <div style="width: 150vw">wide</div>
<a href="#">no ring</a> <div style="overflow: hidden"><button>cut</button></div>"""


def answer_with_jobs(turn: MicroTurnInput) -> MicroTurnOutput:
    """Talks, and asks the background for something of each kind."""
    output = answer(turn)
    written = [piece for piece in output.pieces if piece.kind is PieceKind.TEXT]
    asked = [piece for each in ACTS if each.index == turn.index for piece in each.pieces]
    return replace(output, pieces=(*written, *asked))


@pytest_asyncio.fixture(loop_scope="module")
async def busy_page(browser) -> AsyncIterator[Any]:
    """In the middle of a conversation: captions of both sides, jobs with all that they can show, a notice."""
    expect = playwright.expect
    oracle = Oracle()
    context = await browser.new_context(permissions=["microphone"], reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    settings = json.dumps(json.dumps({"transport": "websocket"}))
    await page.add_init_script(
        f"localStorage.setItem('microturn.settings', {settings});"
        "navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    async with oracle_server(oracle, PageEngine(answer_with_jobs)) as url:
        await page.goto(url)
        await start(page)
        await page.get_by_label("Type to the model").fill(LONG_WORD)
        await page.keyboard.press("Enter")
        for kind in (".you", ".model .mark-cut", ".note"):
            await expect(page.locator(f".caption{kind}").first).to_be_visible(timeout=WITHIN_MS)
        for text in ("done", "needs your word", "working"):
            await expect(page.locator(".job-state", has_text=text).first).to_be_visible(timeout=WITHIN_MS)
        await expect(page.locator(".job-answer[aria-busy=true]")).to_be_visible(timeout=WITHIN_MS)
        await page.locator("#screen").click()
        await expect(page.locator("#notice")).to_be_visible(timeout=WITHIN_MS)
        yield page
        oracle.may_end.set()
        await context.close()


async def open_settings(page: Any) -> None:
    await page.get_by_role("button", name="Settings").click()
    await page.locator("#tools summary").click()
    await playwright.expect(page.locator(".tool select").first).to_be_visible()


async def test_nothing_overflows_a_phone_in_the_middle_of_a_conversation(busy_page) -> None:
    page = busy_page

    async def assert_it_fits() -> None:
        for scheme in ("light", "dark"):
            for width in (320, 390):
                await page.emulate_media(color_scheme=scheme)
                await page.set_viewport_size({"width": width, "height": 700})
                assert await wide_elements(page, MEANT_TO_SCROLL) == [], (scheme, width)

    await assert_it_fits()
    await open_settings(page)
    await assert_it_fits()


async def test_text_stands_out_in_light_and_dark(busy_page) -> None:
    page = busy_page

    async def assert_it_is_read() -> None:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            assert await faint_text(page) == [], scheme

    await assert_it_is_read()
    await open_settings(page)
    await assert_it_is_read()
    await page.get_by_role("button", name="Done").click()
    await page.get_by_role("button", name="Mute", exact=True).click()
    await assert_it_is_read()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await assert_it_is_read()


async def test_what_finds_faults_finds_them(browser) -> None:
    page = await browser.new_page()
    await page.set_content(FAULTY)
    assert await faint_text(page) == ["4.48 p 4.48 : 1, which is too little", "3.98 p half of black"]
    assert await wide_elements(page, "none") == ["the page", "div wide"]
    assert await tab_stops(page) == {"no ring": ["no outline"], "cut": ["a cut outline"]}
    await page.close()


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_key_tab_goes_through_the_page_in_order_and_shows_where_it_is(page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    tries = [f"{phrase} while it counts" if phrase == "Stop." else phrase for phrase in TRIES]
    end = [*tries, "captions", "text", "Send", "follow", "strip"]
    stops = await tab_stops(page)
    assert list(stops) == ["Skip to the conversation", "open-settings", "talk", *end]
    assert not any(stops.values()), stops
    await start(page)
    stops = await tab_stops(page)
    assert list(stops) == ["Skip to the conversation", "open-settings", "talk", "mute", "camera", "screen", *end]
    assert not any(stops.values()), stops


async def test_focus_is_seen_on_what_jobs_bring_and_in_the_dark(busy_page) -> None:
    page = busy_page
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        stops = await tab_stops(page)
        assert {name: faults for name, faults in stops.items() if faults} == {}, scheme
        assert {"Not now", "the forecast", "gloves"} <= set(stops)
    await open_settings(page)
    stops = await tab_stops(page)
    assert {name: faults for name, faults in stops.items() if faults} == {}
    assert (next(iter(stops)), next(reversed(stops))) == ("microphone-choice", "Done")


async def test_every_control_has_a_name_and_a_role_and_the_page_its_landmarks(busy_page) -> None:
    page = busy_page
    nodes = await told(page)

    def names(role: str) -> list[str]:
        return [node["name"] for node in nodes if node["role"] == role]

    assert len(names("banner")) == len(names("main")) == 1
    assert names("region") == [
        "Controls",
        "Things to try a click asks for you",
        "Conversation",
        "In the background",
        "Micro-turns 200 ms each",
    ]
    levels = [(node["level"], node["name"]) for node in nodes if node["role"] == "heading"]
    assert levels == [(1, "microturn"), *((2, name) for name in names("region")[1:])]
    assert unnamed_controls(nodes) == []
    assert {"Stop", "Mute", "Camera", "Screen", "Settings", "Send", "Pause"} <= set(names("button"))
    assert names("textbox") == ["Type to the model"]
    assert names("meter") == ["Level of your microphone", "Level of the model's voice"]
    (asking,) = (name for name in names("DisclosureTriangle") if "forget my notes" in name)
    assert "needs your word" in asking
    await open_settings(page)
    nodes = await told(page)
    assert unnamed_controls(nodes) == []
    assert names("dialog") == ["Settings"]
    assert {"Microphone", "Speaker", "Camera", "Appearance", "forget notes"} <= set(names("combobox"))
    assert len(names("checkbox")) == 2


def unnamed_controls(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What takes the focus and has no name, or no role."""
    focusable = [node for node in nodes if node.get("focusable")]
    return [node for node in focusable if not node["name"] or node["role"] in ("generic", "none")]


async def test_a_conversation_with_the_keyboard_alone(page, engine: PageEngine) -> None:
    expect = playwright.expect
    status = page.locator("#status")

    async def tab_to(id_: str) -> None:
        """Forwards, or from the end of the page on from its beginning."""
        while await page.evaluate("document.activeElement.id") != id_:
            await page.keyboard.press("Tab")

    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # skips to the conversation
    await expect(page.locator("#talk")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(status).to_have_text("Listening", timeout=WITHIN_MS)
    await tab_to("mute")
    await page.keyboard.press("Space")
    await expect(status).to_have_text("Muted")
    await expect(page.locator("#mute")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(status).to_have_text("Listening")
    await tab_to("text")
    await page.keyboard.type("hello there, mm")
    await page.keyboard.press("Enter")
    await expect(page.locator(".caption.note", has_text="hello there, mm")).to_be_visible(timeout=WITHIN_MS)
    await expect(status).to_have_text("Listening")
    await tab_to("open-settings")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#open-settings")).to_be_focused()
    await tab_to("talk")
    await page.keyboard.press("Space")
    await expect(status).to_have_text("Stopped")
    await expect(page.locator("#talk")).to_be_focused()
    await until(lambda: engine.scripted.sessions[0].is_closed)
