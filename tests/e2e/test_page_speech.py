"""Speech through the page in both directions, heard by an independent recogniser: a spoken file as the microphone, a
film as the camera, a recorded sentence as the model's answer; over each transport that the server has."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from browser_needs import CHROMIUM, IN_BROWSER, TRANSPORTS, import_playwright, needs_recogniser
from numpy.typing import NDArray
from page_harness import BROWSER_ARGUMENTS, CLIPS, page_server
from page_sound import KEEP_WHAT_IS_PLAYED, MICROPHONE_HZ, decoded, played, write_microphone
from PIL import Image

from microturn.evals.recogniser import Recogniser
from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_HZ, OUT_HZ, OUT_SAMPLES_PER_TURN

playwright = import_playwright()
pytestmark = [*IN_BROWSER, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), needs_recogniser]
WITHIN_MS = 120_000
EIGHTY_OR_MORE = re.compile(r"^([89]\d|\d{3,})$")
ANSWERS_FROM = (15, 33, 51)
"""The micro-turns in which the model starts to speak, the same sentence each time: the question has been asked by then.
A machine that is busy for a moment drops some milliseconds of what a browser plays, here or there; not three times the
same ones."""


def answering(clip: Path) -> ScriptedEngine:
    """A model that says one recorded sentence, three times over."""
    speech = decoded(clip, OUT_HZ)
    turns = [speech[start : start + OUT_SAMPLES_PER_TURN] for start in range(0, len(speech), OUT_SAMPLES_PER_TURN)]
    turns[-1] = np.pad(turns[-1], (0, OUT_SAMPLES_PER_TURN - len(turns[-1])))

    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        place = turn.index - max((start for start in ANSWERS_FROM if start <= turn.index), default=turn.index + 1)
        is_speaking = 0 <= place < len(turns)
        said = {0: " one moment", len(turns): ""}.get(place, "")
        return MicroTurnOutput(index=turn.index, say=said, audio=turns[place] if is_speaking else None)

    return ScriptedEngine(answer)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[object]:
    folder = tmp_path_factory.mktemp("devices")
    question = decoded(CLIPS / "count-by-twos.mp3", MICROPHONE_HZ)
    write_microphone(folder / "microphone.wav", np.concatenate([question, np.zeros(MICROPHONE_HZ, np.float32)]))
    with (folder / "camera.mjpeg").open("wb") as film:
        for _ in range(30):
            Image.new("RGB", (320, 240), (200, 40, 40)).save(film, "JPEG")
    devices = [
        f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}",
        f"--use-file-for-fake-video-capture={folder / 'camera.mjpeg'}",
    ]
    async with playwright.async_playwright() as tools:
        launched = await tools.chromium.launch(
            executable_path=str(CHROMIUM), timeout=WITHIN_MS, args=[*BROWSER_ARGUMENTS, *devices]
        )
        yield launched
        await launched.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_each_side_understands_the_other(browser, transport: str) -> None:
    expect = playwright.expect
    engine = answering(CLIPS / "tea-is-ready.mp3")
    context = await browser.new_context(permissions=["microphone", "camera"])
    page = await context.new_page()
    settings = json.dumps(json.dumps({"transport": transport}))
    await page.add_init_script(f"localStorage.setItem('microturn.settings', {settings}); {KEEP_WHAT_IS_PLAYED}")
    async with page_server(engine) as url:
        await page.goto(url)
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
        await page.locator("#camera").click()
        await expect(page.locator(".caption.model").first).to_contain_text("one moment", timeout=WITHIN_MS)
        (session,) = engine.sessions
        # Every answer whole, and time for what a jitter buffer holds back.
        await expect(page.locator("#strip")).to_have_attribute("data-turns", EIGHTY_OR_MORE, timeout=WITHIN_MS)
        answer = await played(page)
        await context.close()

    recogniser = Recogniser.load()

    def words(samples: NDArray[np.float32]) -> set[str]:
        return {word.text.lower().strip(".,") for word in recogniser.transcribe(samples, IN_HZ)}

    assert {"seconds", "say", "ready"} <= words(answer)
    assert "count" in words(np.concatenate([turn.audio for turn in session.inputs]))
    frames = [frame for turn in session.inputs for frame in turn.frames]
    assert frames
    red, green, _ = frames[-1].pixels.reshape(-1, 3).mean(axis=0)
    assert red > 150
    assert green < 90
