"""Jobs of the background on the page: a real server, a real coordinator, a backend that answers from a script."""

import os
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from browser_needs import CHROMIUM, IN_BROWSER, import_playwright
from page_oracle import Oracle, oracle_server

playwright = import_playwright()
pytestmark = IN_BROWSER
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
WITHIN_MS = 90_000


@pytest_asyncio.fixture
async def oracle() -> Oracle:
    return Oracle()


@pytest_asyncio.fixture
async def url(oracle: Oracle) -> AsyncIterator[str]:
    async with oracle_server(oracle) as address:
        yield address


@pytest_asyncio.fixture
async def page(url: str) -> AsyncIterator[Any]:
    async with playwright.async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS, timeout=WITHIN_MS)
        context = await browser.new_context(permissions=["microphone"], viewport={"width": 1280, "height": 1000})
        page = await context.new_page()
        page.set_default_timeout(WITHIN_MS)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: message.type == "error" and problems.append(message.text))
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        await page.add_init_script("""localStorage.setItem('microturn.settings', '{"transport": "websocket"}')""")
        await page.goto(url)
        await page.get_by_role("button", name="Start", exact=True).click()
        yield page
        await browser.close()
        assert problems == []
        assert [each for each in requests if not each.startswith((url, "data:image/png"))] == []


async def test_jobs_answers_cards_and_a_decision(page: Any) -> None:
    expect = playwright.expect
    job = page.locator(".job")
    weather, timer, notes = (job.filter(has_text=text) for text in ("cold", "the tea", "my notes"))

    # The answer, whole, and nothing in it that acts.
    await expect(weather.locator(".job-state")).to_have_text("done", timeout=WITHIN_MS)
    await expect(weather.locator(".job-meta")).to_contain_text("1,234 tokens · $0.0123")
    await expect(weather.locator("td").nth(1)).to_have_text("-3")
    await expect(weather.locator("pre").first).to_have_text('print("-3 °C" < "0 °C")')
    await expect(weather.get_by_role("link", name="the forecast")).to_have_attribute("rel", "noopener noreferrer")
    await expect(weather.get_by_role("link", name="click")).to_have_count(0)
    picture = weather.get_by_role("img", name="red", exact=True)
    assert await picture.evaluate("image => image.naturalWidth") == 16
    await expect(weather.locator("script, .job-answer img:not([alt=red])")).to_have_count(0)
    await expect(weather.locator(".job-answer")).to_contain_text("<script>")

    # Its cards; what is none is left as code.
    await expect(weather.get_by_role("img", name="Highs Mon: -3 °C")).to_be_visible()
    await expect(weather.locator(".answer-card")).to_have_count(2)
    await expect(weather.locator("pre").nth(1)).to_contain_text("not a card")
    hat = weather.get_by_label("<b>hat</b>")
    await expect(hat).to_be_checked()
    await weather.get_by_label("gloves").check()

    # A timer counts down.
    await expect(timer.get_by_role("timer")).to_have_text(re.compile(r"4:\d\d"), timeout=WITHIN_MS)  # it runs
    await expect(timer.locator(".job-steps")).to_contain_text("set timer ok")

    # A tool that asks waits for the click.
    ask = notes.get_by_role("group", name="May I use forget notes?")
    await expect(ask).to_be_visible(timeout=WITHIN_MS)
    if folder := os.environ.get("MICROTURN_SHOTS"):
        await page.screenshot(path=f"{folder}/jobs.png", full_page=True)
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.screenshot(path=f"{folder}/jobs-phone.png", full_page=True)
    await ask.get_by_role("button", name="Allow in this conversation").click()
    await expect(notes.locator(".job-state")).to_have_text("done", timeout=WITHIN_MS)
    await expect(notes.locator(".job-answer")).to_have_text("0 notes forgotten.")
    await expect(ask).to_be_hidden()

    await expect(weather.get_by_label("gloves")).to_be_checked()
    assert await page.title() == "microturn"
    box = await page.locator("section.jobs").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= await page.evaluate("innerWidth")


async def test_a_tool_that_is_never_to_be_used_is_chosen_in_the_settings(page: Any) -> None:
    expect = playwright.expect
    notes = page.locator(".job").filter(has_text="my notes")
    await expect(notes.get_by_role("group", name="May I use forget notes?")).to_be_visible(timeout=WITHIN_MS)
    await page.get_by_role("button", name="Settings").click()
    settings = page.get_by_role("dialog")
    await settings.locator("summary").press("Enter")
    choice = settings.get_by_role("combobox", name="forget notes")
    await expect(choice).to_have_value("ask")
    await expect(settings.get_by_role("combobox", name="calculate")).to_have_count(0)
    await expect(settings.locator(".tool").filter(has_text="calculate")).to_contain_text("whoever runs the server")
    if folder := os.environ.get("MICROTURN_SHOTS"):
        await choice.scroll_into_view_if_needed()
        await page.screenshot(path=f"{folder}/tools.png")
        await page.emulate_media(color_scheme="dark")
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.screenshot(path=f"{folder}/tools-phone-dark.png")
    await choice.select_option("Never")
    await expect(notes.locator(".job-steps")).to_contain_text("forget notes denied", timeout=WITHIN_MS)
    await expect(choice).to_have_value("deny")
    await page.keyboard.press("Escape")
    await expect(settings).to_be_hidden()


async def test_an_answer_grows_until_it_is_whole(page: Any, oracle: Oracle) -> None:
    expect = playwright.expect
    answer = page.locator(".job").filter(has_text="a story").locator(".job-answer")
    await expect(answer).to_have_attribute("aria-busy", "true", timeout=WITHIN_MS)
    await expect(answer.locator("em")).to_have_text("a time")
    await expect(answer.locator("li")).to_have_text("there was a")
    if folder := os.environ.get("MICROTURN_SHOTS"):
        await page.locator(".jobs").screenshot(path=f"{folder}/partial.png")
        await page.emulate_media(color_scheme="dark")
        await page.locator(".jobs").screenshot(path=f"{folder}/partial-dark.png")
    await answer.locator("em").evaluate("element => { element.dataset.isSame = 'yes' }")
    oracle.may_end.set()
    await expect(answer.locator("li")).to_have_text("there was a hen", timeout=WITHIN_MS)
    await expect(answer).not_to_have_attribute("aria-busy", "true")
    await expect(answer.locator("em")).to_have_attribute("data-is-same", "yes")  # what was there has stayed
