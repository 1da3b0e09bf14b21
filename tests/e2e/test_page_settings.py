"""What can be chosen on the page: the dialogue itself, the devices, and the key that mutes."""

import re

import pytest
from browser_needs import IN_BROWSER, import_playwright
from page_engine import PageEngine
from page_harness import KEEP_DEVICES, WITHIN_MS, start, until, until_in_page

from microturn.server.eagerness import RESTRAINT

playwright = import_playwright()
pytestmark = [*IN_BROWSER, pytest.mark.asyncio(loop_scope="module")]


async def choose(page, device: str, option: str) -> None:
    """In the dialogue, as a user would."""
    await page.get_by_role("button", name="Settings").click()
    await page.locator(f"#{device}-choice").select_option(label=option)
    await page.get_by_role("button", name="Done").click()


async def test_the_dialogue_obeys_the_mouse(page) -> None:
    """One listener for clicks beside the dialogue cancelled every click within it: no box could be ticked, and Done
    did nothing."""
    expect = playwright.expect
    dialogue, cleaned = page.locator("#settings"), page.get_by_label("Remove echo and noise")
    await page.get_by_role("button", name="Settings").click()
    await expect(cleaned).to_be_checked()
    await cleaned.click()
    await expect(cleaned).not_to_be_checked()
    await page.get_by_role("button", name="Done").click()
    await expect(dialogue).to_be_hidden()
    await page.reload()
    await page.get_by_role("button", name="Settings").click()
    await expect(dialogue).to_be_visible()
    await expect(cleaned).not_to_be_checked()
    await page.mouse.click(4, 4)
    await expect(dialogue).to_be_hidden()


async def test_the_key_that_mutes_can_be_switched_off(page) -> None:
    """Who dictates to the computer says letters that were not meant for the page (WCAG 2.1.4)."""
    expect = playwright.expect
    status, mute = page.locator("#status"), page.locator("#mute")
    await start(page)
    await expect(mute).to_have_attribute("aria-keyshortcuts", "m")
    await page.keyboard.press("m")
    await expect(status).to_have_text("Muted")
    await page.keyboard.press("m")
    await expect(status).to_have_text("Listening")
    await page.get_by_label("Type to the model").press("m")
    await expect(page.get_by_label("Type to the model")).to_have_value("m")
    await expect(status).to_have_text("Listening")

    await page.get_by_role("button", name="Settings").click()
    await page.get_by_label("The key M mutes").uncheck()
    await page.get_by_role("button", name="Done").click()
    await expect(mute).to_have_attribute("title", "Mute")
    assert await mute.get_attribute("aria-keyshortcuts") is None
    await page.keyboard.press("m")
    await expect(status).to_have_text("Listening")
    await mute.click()
    await expect(status).to_have_text("Muted")
    await page.keyboard.press("m")
    await expect(status).to_have_text("Muted")

    await page.reload()
    await page.get_by_role("button", name="Settings").click()
    await expect(page.get_by_label("The key M mutes")).not_to_be_checked()


async def test_how_readily_it_answers_is_chosen_at_any_time(page, engine: PageEngine) -> None:
    async def choose_eagerness(option: str) -> None:
        await choose(page, "eagerness", option)

    await choose_eagerness("It leaves you time to think")
    await start(page)
    (session,) = engine.scripted.sessions
    await until(lambda: session.restraint == RESTRAINT["low"])
    await choose_eagerness("It answers as soon as it can")
    await until(lambda: session.restraint == RESTRAINT["high"])
    await page.reload()
    await page.get_by_role("button", name="Settings").click()
    await playwright.expect(page.locator("#eagerness-choice")).to_have_value("high")


async def test_devices_are_changed_in_the_middle_of_a_conversation(page, engine: PageEngine) -> None:
    expect = playwright.expect
    await page.add_init_script(KEEP_DEVICES)
    await page.context.grant_permissions(["microphone", "camera"])
    await page.reload()
    await start(page)

    await choose(page, "microphone", "Fake Audio Input 2")
    await until_in_page(page, "window.tracks.at(-1).label === 'Fake Audio Input 2'")
    await until_in_page(page, "window.tracks[0].readyState === 'ended'")
    session = engine.scripted.sessions[0]
    later = "|".join(str(len(session.inputs) + more) for more in range(4, 40))
    await expect(page.locator("#strip")).to_have_attribute("data-turns", re.compile(f"^({later})$"), timeout=WITHIN_MS)
    assert session.inputs[-1].audio.any(), "the other microphone is heard"

    await choose(page, "speaker", "Fake Audio Output 1")
    chosen = await page.locator("#speaker-choice").input_value()
    await until_in_page(page, "(id) => window.sinks.at(-1) === id", chosen)

    await page.locator("#camera").click()
    await expect(page.locator("#camera")).to_have_attribute("aria-pressed", "true", timeout=WITHIN_MS)
    before = await page.evaluate("window.tracks.at(-1).label")
    labels = await page.locator("#camera-choice option").all_text_contents()
    other = next(label for label in labels[1:] if label != before)
    await choose(page, "camera", other)
    await until_in_page(page, "(label) => window.tracks.at(-1).label === label", other)
    await expect(page.locator("#camera")).to_have_attribute("aria-pressed", "true", timeout=WITHIN_MS)
    assert await page.evaluate("document.querySelector('#video').srcObject.getVideoTracks()[0].label") == other

    await page.reload()
    await page.get_by_role("button", name="Settings").click()
    for choice, name in (("#microphone-choice", "Fake Audio Input 2"), ("#camera-choice", other)):
        await expect(page.locator(f"{choice} option:checked")).to_have_text(name)


async def test_a_chosen_device_that_is_gone_gives_way_to_the_system_s(page) -> None:
    await page.evaluate(
        """localStorage.setItem('microturn.settings', '{"transport": "websocket", "microphoneId": "gone"}')"""
    )
    await page.add_init_script(KEEP_DEVICES)
    await page.reload()
    await start(page)
    assert await page.evaluate("window.tracks.length") == 1
    await page.get_by_role("button", name="Settings").click()
    await playwright.expect(page.locator("#microphone-choice option:checked")).to_have_text("As the system")
