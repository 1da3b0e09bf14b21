"""The connection as the page shows it, and what becomes of a conversation whose connection is cut."""

import asyncio
import json
import re

import pytest
from page_engine import PageEngine
from page_harness import CHROMIUM, HAS_WEBRTC, KEEP_PEERS, WITHIN_MS, page_server, start, until_in_page

from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.trace import TurnTrace

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: pip install playwright")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"),
]
POOR_MS = 500
"""A round trip that nobody calls good."""


def measured(transport: str) -> re.Pattern[str]:
    """What the sign says of a connection that could be measured."""
    return re.compile(
        rf"(Good|Fair|Poor) connection over {transport}: round trip \d+ ms.*, micro-turns up to \d+ ms late"
    )


async def test_the_quality_of_the_connection_is_shown(page) -> None:
    expect = playwright.expect
    sign = page.locator("#quality")
    await expect(sign).to_be_hidden()
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(sign).to_have_attribute("aria-label", measured("WebSocket"), timeout=WITHIN_MS)

    async def answer_late(route) -> None:
        await asyncio.sleep(POOR_MS / 1000)  # the network's, not the test's
        await route.continue_()

    await page.route("**/healthz", answer_late)
    await expect(sign).to_have_attribute("data-grade", "poor", timeout=WITHIN_MS)
    await expect(sign).to_have_text("Poor connection", timeout=WITHIN_MS)
    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(sign).to_be_hidden()
    await page.unroute_all(behavior="wait")


@pytest.mark.skipif(not HAS_WEBRTC, reason="no WebRTC in this build")
async def test_a_conversation_whose_webrtc_is_cut_goes_on_over_a_websocket(
    browser, url: str, engine: PageEngine
) -> None:
    expect = playwright.expect
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    settings = json.dumps(json.dumps({"transport": "webrtc"}))
    await page.add_init_script(f"localStorage.setItem('microturn.settings', {settings}); {KEEP_PEERS}")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.goto(url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator(".caption.you").first).to_contain_text("count to ten", timeout=WITHIN_MS)
    await expect(page.locator("#quality")).to_have_attribute("aria-label", measured("WebRTC"), timeout=WITHIN_MS)
    assert sockets == []
    num_lines = await page.locator(".caption").count()

    async with page.expect_websocket(timeout=WITHIN_MS):
        await page.evaluate("window.peers[0].close()")
    await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await expect(page.locator("#notice")).to_be_hidden()
    await expect(page.locator("#quality")).to_have_attribute("aria-label", measured("WebSocket"), timeout=WITHIN_MS)
    await page.get_by_label("Type to the model").fill("are you still there")
    await page.keyboard.press("Enter")
    note = page.locator(".caption.note", has_text="You typed: are you still there")
    await expect(note).to_be_visible(timeout=WITHIN_MS)
    await expect(page.locator("#level-model")).to_have_attribute(
        "aria-valuenow", re.compile("[1-9]"), timeout=WITHIN_MS
    )
    assert await page.locator(".caption").count() > num_lines, "what was said before still stands"
    await expect(page.locator(".caption.you").first).to_contain_text("count to ten")
    assert len(await page.evaluate("window.peers")) == 1
    await context.close()

    (session,) = engine.scripted.sessions
    assert [turn.index for turn in session.inputs] == list(range(len(session.inputs)))


async def test_a_busy_server_is_named_for_as_long_as_it_is_busy(browser) -> None:
    """Its own notice, and no other, goes with it: the end of an overload wiped away whatever stood there, and a
    conversation that was stopped under load left the notice behind."""
    expect = playwright.expect
    rung = 0
    engine = ScriptedEngine(trace=lambda index: TurnTrace(index=index, overload_rung=rung))
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    await page.add_init_script(
        "navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    async with page_server(engine) as url:
        await page.goto(url)
        await start(page)
        notice = page.locator("#notice")

        async def turns_go_by() -> None:
            num_turns = len(engine.sessions[0].inputs)
            await until_in_page(page, "(num) => document.querySelector('#strip').dataset.turns > num + 2", num_turns)

        await turns_go_by()
        await expect(notice).to_be_hidden()
        rung = 1
        await expect(notice).to_contain_text("The server is busy", timeout=WITHIN_MS)
        rung = 0
        await expect(notice).to_be_hidden(timeout=WITHIN_MS)

        rung = 2
        await expect(notice).to_contain_text("The server is busy", timeout=WITHIN_MS)
        await page.locator("#screen").click()
        await expect(notice).to_have_text("The screen was not shared.", timeout=WITHIN_MS)
        rung = 0
        await turns_go_by()
        await expect(notice).to_have_text("The screen was not shared.")
        await page.keyboard.press("Escape")
        await expect(notice).to_be_hidden()

        rung = 1
        await expect(notice).to_contain_text("The server is busy", timeout=WITHIN_MS)
        await page.get_by_role("button", name="Stop", exact=True).click()
        await expect(notice).to_be_hidden()
        await context.close()
