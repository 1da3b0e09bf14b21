"""What leaves the page as sound: nothing while it is muted, what the browser's canceller lets through, and the recorded
phrases of the things to try."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from browser_needs import IN_BROWSER, import_playwright, needs_webrtc
from numpy.typing import NDArray
from page_engine import PageEngine
from page_harness import (
    CLIPS,
    KEEP_DEVICES,
    KEEP_PEERS,
    TRIES,
    WITHIN_MS,
    start,
    until,
    until_in_page,
)
from page_sound import decoded

from microturn.testing.scripted_engine import ScriptedSession
from microturn.turns.timing import IN_HZ

playwright = import_playwright()
pytestmark = [*IN_BROWSER, pytest.mark.asyncio(loop_scope="module")]
ABOVE_THE_TONE_HZ = 500
BLOCK_SAMPLES = IN_HZ // 50
TONE_RMS = 0.27 / np.sqrt(2)
"""The fake microphone's, which never pauses."""
SOUND_SENT = """
async () => [...(await window.peers[0].getStats()).values()].find((report) => report.type === "media-source")
"""
"""The browser's own account of what goes out."""


async def converse(page: Any, engine: PageEngine) -> ScriptedSession:
    """Begin a conversation, and wait until the microphone is heard in it."""
    await start(page)
    (session,) = engine.scripted.sessions
    await until(lambda: bool(session.inputs) and not is_silent(session))
    return session


def is_silent(session: ScriptedSession) -> bool:
    """Whether the engine's latest micro-turn holds no sound at all."""
    return not session.inputs[-1].audio.any()


def heard(session: ScriptedSession, first_turn: int = 0) -> NDArray[np.float32]:
    """All that the engine was given from a micro-turn on, as (num_samples,)."""
    return np.concatenate([turn.audio for turn in session.inputs[first_turn:]])


def likeness(sound: NDArray[np.float32], clip: NDArray[np.float32]) -> float:
    """How well a clip is found within a longer sound, from 0 to 1, the microphone's tone apart."""
    sound = np.pad(sound, (0, len(clip)))  # it may be the shorter one
    size = len(sound) + len(clip)
    spectra = [np.fft.rfft(samples, size) for samples in (sound, clip)]
    for spectrum in spectra:
        spectrum[: ABOVE_THE_TONE_HZ * size // IN_HZ] = 0
    high_sound, high_clip = (np.fft.irfft(spectrum, size) for spectrum in spectra)
    products = np.fft.irfft(spectra[0] * spectra[1].conj(), size)[: len(sound) - len(clip)]
    energy = np.concatenate([[0], np.cumsum(high_sound**2)])
    energies = (energy[len(clip) :] - energy[: -len(clip)])[: len(products)]
    return float(np.max(products / np.sqrt(np.maximum(energies, 1e-3) * np.sum(high_clip**2))))


@needs_webrtc
async def test_what_is_said_while_muted_never_leaves_over_webrtc(browser, url: str, engine: PageEngine) -> None:
    """Neither does the page send it, nor does the server let it through; unmuted, it is heard again."""
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    settings = json.dumps(json.dumps({"transport": "webrtc"}))
    await page.add_init_script(f"localStorage.setItem('microturn.settings', {settings}); {KEEP_PEERS}")
    await page.goto(url)
    session = await converse(page, engine)

    await page.get_by_role("button", name="Mute", exact=True).click()
    await until(lambda: is_silent(session))
    first_muted = len(session.inputs) - 1
    await until_in_page(page, f"async () => (await ({SOUND_SENT})()).audioLevel === 0")
    sent = await page.evaluate(SOUND_SENT)
    await until(lambda: len(session.inputs) >= first_muted + 15)
    assert not heard(session, first_muted).any()
    assert (await page.evaluate(SOUND_SENT))["totalAudioEnergy"] == sent["totalAudioEnergy"]

    await page.get_by_role("button", name="Unmute", exact=True).click()
    await until(lambda: not is_silent(session))
    num_turns = len(session.inputs)
    await until(lambda: len(session.inputs) >= num_turns + 10)
    assert np.abs(np.fft.rfft(heard(session, num_turns)[:IN_HZ])).argmax() == pytest.approx(300, abs=2)
    assert (await page.evaluate(SOUND_SENT))["totalAudioEnergy"] > sent["totalAudioEnergy"]
    await context.close()


async def test_muted_the_microphone_stays_shut_while_a_phrase_is_said(page, engine: PageEngine) -> None:
    session = await converse(page, engine)
    await page.get_by_role("button", name="Mute", exact=True).click()
    await until(lambda: is_silent(session))
    first_muted = len(session.inputs) - 1
    example = page.get_by_role("button", name="Count to ten.")
    await example.click()
    await playwright.expect(example).not_to_have_attribute("aria-busy", "true", timeout=WITHIN_MS)
    await until(lambda: is_silent(session))
    sound = heard(session, first_muted)
    blocks = sound[: len(sound) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES)
    levels = np.sqrt(np.mean(blocks**2, axis=1))
    assert levels.max() > TONE_RMS / 10, "the phrase is heard"
    assert levels[levels > 0].min() < TONE_RMS / 10, "between its words there is no tone"
    await playwright.expect(page.locator("#status")).to_have_text("Muted")


async def test_muted_a_phrase_is_heard_though_another_ends_before_it(page, engine: PageEngine) -> None:
    """The end of the one muted the other."""
    first_ended = asyncio.Event()

    async def load_late(route) -> None:
        await first_ended.wait()
        await route.continue_()

    clip = TRIES["In five seconds, say tea is ready."]
    await page.route(f"**/clips/{clip}", load_late)
    session = await converse(page, engine)
    await page.get_by_role("button", name="Mute", exact=True).click()
    await until(lambda: is_silent(session))
    first_muted = len(session.inputs) - 1
    late, early = (page.get_by_role("button", name=phrase) for phrase in ("say tea is ready.", "Stop."))
    await late.click()
    await early.click()
    await playwright.expect(early).not_to_have_attribute("aria-busy", "true", timeout=WITHIN_MS)
    first_ended.set()
    await playwright.expect(late).not_to_have_attribute("aria-busy", "true", timeout=WITHIN_MS)
    num_turns = len(session.inputs)
    await until(lambda: len(session.inputs) >= num_turns + 5)  # what is under way
    assert likeness(heard(session, first_muted), decoded(CLIPS / clip, IN_HZ)) > 0.5


async def test_the_browser_takes_echo_and_noise_away_unless_it_is_told_not_to(page) -> None:
    """By default, at once when the box is changed, and from the beginning in the next conversation."""
    cleaning = """() => {
      const { echoCancellation, noiseSuppression, autoGainControl } = window.tracks.at(-1).getSettings();
      return { echoCancellation, noiseSuppression, autoGainControl };
    }"""
    all_on = {"echoCancellation": True, "noiseSuppression": True, "autoGainControl": True}
    all_off = dict.fromkeys(all_on, False)
    await page.add_init_script(KEEP_DEVICES)
    await page.reload()
    await start(page)
    assert await page.evaluate(cleaning) == all_on

    await page.get_by_role("button", name="Settings").click()
    await page.get_by_label("Remove echo and noise").uncheck()
    await until_in_page(page, "window.tracks.length === 2 && window.tracks[0].readyState === 'ended'")
    assert await page.evaluate(cleaning) == all_off
    await page.get_by_label("Remove echo and noise").check()
    await until_in_page(page, "window.tracks.length === 3 && window.tracks[1].readyState === 'ended'")
    assert await page.evaluate(cleaning) == all_on

    await page.get_by_label("Remove echo and noise").uncheck()
    await page.reload()
    await start(page)
    assert await page.evaluate(cleaning) == all_off


@pytest.mark.parametrize(("phrase", "clip"), TRIES.items())
async def test_one_click_asks_for_you(page, engine: PageEngine, phrase: str, clip: str) -> None:
    """From standing: the conversation starts, and this recording goes into it beside the microphone."""
    assert await page.locator("#tries q").all_text_contents() == list(TRIES)
    example = page.get_by_role("button", name=phrase)
    await example.click()
    await playwright.expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await playwright.expect(example).not_to_have_attribute("aria-busy", "true", timeout=WITHIN_MS)
    (session,) = engine.scripted.sessions
    num_turns = len(session.inputs)
    await until(lambda: len(session.inputs) >= num_turns + 5)  # what is under way
    sound = heard(session)
    found = {each: likeness(sound, decoded(CLIPS / each, IN_HZ)) for each in TRIES.values()}
    assert max(found, key=found.__getitem__) == clip, found
    assert found[clip] > 0.5
