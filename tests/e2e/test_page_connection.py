"""The connection as the page shows it, and what becomes of a conversation whose connection is cut."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from browser_needs import IN_BROWSER, import_playwright, needs_webrtc
from page_engine import PageEngine
from page_harness import KEEP_PEERS, WITHIN_MS, page_server, start, until_in_page

from microturn.errors import SessionClosedError
from microturn.server import vacancy
from microturn.server.limits import Limits
from microturn.server.vacancy import Lack
from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.trace import TurnTrace

playwright = import_playwright()
pytestmark = [*IN_BROWSER, pytest.mark.asyncio(loop_scope="module")]
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


@needs_webrtc
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


class Lacking(ScriptedEngine):
    """Lives, and has no room for another session."""

    lack: Lack = "full"

    async def counts(self) -> Mapping[str, Any]:
        if self.lack == "stopping":
            raise SessionClosedError("the engine is closed")
        if self.lack == "not_answering":
            await asyncio.Event().wait()
        return {"num_sessions": int(self.lack == "full"), "max_sessions": 1, "is_admitting": self.lack != "overloaded"}


async def test_a_server_without_room_says_why(browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that answered 503 was called full."""
    words: dict[Lack, str] = {
        "full": "The server is full.",
        "overloaded": "The server is overloaded",
        "stopping": "The server is shutting down.",
        "not_answering": "The model behind the server does not answer.",
    }
    assert set(words) == set(get_args(Lack))
    engine = Lacking()
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    await page.add_init_script("""localStorage.setItem('microturn.settings', '{"transport": "websocket"}')""")
    await page.route_web_socket("**/v1/live/sessions", lambda route: route.close(code=4000))
    async with page_server(engine) as url:
        await page.goto(url)
        for lack, reason in words.items():
            engine.lack = lack
            if lack == "not_answering":
                monkeypatch.setattr(vacancy, "_ANSWER_WITHIN_MS", 1)
            await page.get_by_role("button", name="Start", exact=True).click()
            await playwright.expect(page.get_by_role("alert")).to_contain_text(reason, timeout=WITHIN_MS)
        await context.close()


async def test_a_full_server_says_so(browser) -> None:
    async with page_server(ScriptedEngine(), limits=Limits(max_connections=1)) as url:
        context = await browser.new_context(permissions=["microphone"])
        await context.add_init_script("""localStorage.setItem('microturn.settings', '{"transport": "websocket"}')""")
        talking, refused = await context.new_page(), await context.new_page()
        await talking.goto(url)
        await start(talking)
        await refused.goto(url)
        await refused.get_by_role("button", name="Start", exact=True).click()
        await playwright.expect(refused.get_by_role("alert")).to_contain_text("The server is full.", timeout=WITHIN_MS)
        await context.close()


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
