"""All of it at once: a spoken request into a browser's microphone, the server, the weights that ship, and an
independent recogniser that listens to the browser's speaker; over each transport that the server has."""

import json
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from browser_needs import CHROMIUM, IN_BROWSER, TRANSPORTS, import_playwright, needs_recogniser
from page_harness import BROWSER_ARGUMENTS, page_server
from page_sound import KEEP_WHAT_IS_PLAYED, MICROPHONE_HZ, decoded, played, write_microphone
from spoken_count import COUNTED, REQUEST, check_heard

from microturn.engine.engine import Engine
from microturn.engine.journal import NullJournal
from microturn.engine.loading import load_checkpoint
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.evals.recogniser import Recogniser
from microturn.evals.wer import normal_words
from microturn.turns.timing import IN_HZ

playwright = import_playwright()
pytestmark = [*IN_BROWSER, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), needs_recogniser]
LEAD_S, REST_S = 3, 16
"""Silence until the connection stands, and while the model counts."""
WITHIN_MS = 90_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    runner = ModelRunner(load_checkpoint(), RunnerSettings(num_slots=2))
    async with Engine(runner, NullJournal()) as engine, page_server(engine) as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[object]:
    microphone = tmp_path_factory.mktemp("sound") / "microphone.wav"
    lead, rest = (np.zeros(seconds * MICROPHONE_HZ, np.float32) for seconds in (LEAD_S, REST_S))
    write_microphone(microphone, np.concatenate([lead, decoded(REQUEST, MICROPHONE_HZ), rest]))
    async with playwright.async_playwright() as tools:
        launched = await tools.chromium.launch(
            executable_path=str(CHROMIUM),
            timeout=WITHIN_MS,
            args=[*BROWSER_ARGUMENTS, f"--use-file-for-fake-audio-capture={microphone}"],
        )
        yield launched
        await launched.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_asked_aloud_nano_counts_aloud(browser, url: str, transport: str) -> None:
    expect = playwright.expect
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    settings = json.dumps(json.dumps({"transport": transport}))
    await page.add_init_script(f"localStorage.setItem('microturn.settings', {settings}); {KEEP_WHAT_IS_PLAYED}")
    await page.goto(url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator(".caption.you").first).to_contain_text("count", timeout=WITHIN_MS)
    await expect(page.locator(".caption.model", has_text=COUNTED).first).to_be_visible(timeout=WITHIN_MS)
    answer = await played(page)
    await context.close()

    text = " ".join(word.text for word in Recogniser.load().transcribe(answer, IN_HZ))
    check_heard(normal_words(text))
