"""A page that is open in a real browser, over a WebSocket unless a test chooses otherwise, and what serves it."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from browser_needs import CHROMIUM
from page_engine import PageEngine
from page_harness import BROWSER_ARGUMENTS, WITHIN_MS, page_server
from page_sound import MICROPHONE_HZ, write_microphone


@pytest.fixture
def engine() -> PageEngine:
    return PageEngine()


@pytest_asyncio.fixture(loop_scope="module")
async def url(engine: PageEngine) -> AsyncIterator[str]:
    async with page_server(engine) as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory):
    from playwright.async_api import async_playwright

    microphone = tmp_path_factory.mktemp("sound") / "microphone.wav"
    tone = 0.27 * np.sin(2 * np.pi * 300 * np.arange(2 * MICROPHONE_HZ) / MICROPHONE_HZ)
    write_microphone(microphone, tone.astype(np.float32))
    async with async_playwright() as tools:
        launched = await tools.chromium.launch(
            executable_path=str(CHROMIUM),
            timeout=120_000,
            args=[*BROWSER_ARGUMENTS, f"--use-file-for-fake-audio-capture={microphone}"],
        )
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser, url: str):
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.add_init_script(
        "localStorage.getItem('microturn.settings') ??"
        """localStorage.setItem('microturn.settings', '{"transport": "websocket"}')"""
    )
    await page.goto(url)
    yield page
    await context.close()
    assert page.problems == []
    assert all(each.startswith(url) for each in requests), "the page must not reach out of this machine"
