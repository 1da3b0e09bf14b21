"""The page in a real browser, served by the real server: sound goes in, captions and micro-turns come out."""

import asyncio
import re

import numpy as np
import pytest
from browser_needs import IN_BROWSER, import_playwright
from page_engine import PageEngine
from page_harness import WITHIN_MS, page_server, until, until_in_page

playwright = import_playwright()
pytestmark = [*IN_BROWSER, pytest.mark.asyncio(loop_scope="module")]

THIRTY_OR_MORE = re.compile(r"^([3-9]\d|\d{3,})$")


async def test_a_conversation(page, engine: PageEngine) -> None:
    expect = playwright.expect
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await expect(page.locator(".caption.you").first).to_contain_text("count to ten", timeout=WITHIN_MS)
    await expect(page.locator("#level-model")).to_have_attribute(
        "aria-valuenow", re.compile("[1-9]"), timeout=WITHIN_MS
    )
    await expect(page.locator(".caption.model").first).to_contain_text("one two three four five six", timeout=WITHIN_MS)
    await expect(page.locator(".caption.you").nth(1)).to_contain_text("stop", timeout=WITHIN_MS)
    await expect(page.locator(".caption.model .mark-cut").first).to_have_text("cut off", timeout=WITHIN_MS)
    await expect(page.locator(".caption.note").first).to_contain_text("Stopped at six.", timeout=WITHIN_MS)
    await expect(page.locator("#strip")).to_have_attribute("data-turns", THIRTY_OR_MORE, timeout=WITHIN_MS)

    # The keyboard walks the strip and reads each micro-turn out.
    await page.locator("#strip").focus()
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#detail")).to_contain_text("% of its time")
    await expect(page.locator("#follow")).to_have_text("Follow")

    await page.get_by_label("Type to the model").fill("hello there")
    await page.keyboard.press("Enter")
    await expect(page.locator(".caption.you", has_text="hello there")).to_be_visible()
    await expect(page.locator(".caption.note", has_text="You typed: hello there")).to_be_visible(timeout=WITHIN_MS)

    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.locator("#status")).to_have_text("Stopped")
    session = engine.scripted.sessions[0]
    heard = np.concatenate([turn.audio for turn in session.inputs])
    spectrum = np.abs(np.fft.rfft(heard[16_000:32_000]))
    assert spectrum.argmax() == pytest.approx(300, abs=2), "the microphone's tone, resampled twice, is still itself"


async def test_muted_means_silent(page, engine: PageEngine) -> None:
    expect = playwright.expect
    await page.get_by_role("button", name="Start", exact=True).click()
    mute = page.get_by_role("button", name="Mute", exact=True)
    await expect(mute).to_be_enabled(timeout=WITHIN_MS)
    await mute.click()
    await expect(page.get_by_role("button", name="Unmute", exact=True)).to_be_visible()
    await expect(page.locator("#status")).to_have_text("Muted")
    session = engine.scripted.sessions[0]
    num_turns = len(session.inputs)
    await expect(page.locator("#strip")).to_have_attribute(
        "data-turns", re.compile(f"^({'|'.join(str(num_turns + more) for more in range(4, 12))})$"), timeout=WITHIN_MS
    )
    assert not session.inputs[-1].audio.any()


async def test_a_blocked_microphone_is_explained(browser, url: str) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    # The fake device's dialogue always agrees; this is what a browser answers when its user does not.
    await page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    await page.goto(url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await playwright.expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked", timeout=WITHIN_MS)
    await playwright.expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()


async def test_without_a_microphone_it_can_be_typed_to(browser, url: str) -> None:
    """No device, or none allowed: what needs no microphone still works, once the user says so."""
    expect = playwright.expect
    context = await browser.new_context()
    page = await context.new_page()
    await page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))"
    )
    await page.goto(url)
    await page.get_by_label("Type to the model").fill("hello there")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("No microphone was found", timeout=WITHIN_MS)
    await page.get_by_role("button", name="Go on without a microphone").click()
    await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await expect(page.get_by_role("alert")).to_be_hidden()
    await expect(page.get_by_role("button", name="Mute", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".caption.note", has_text="You typed: hello there")).to_be_visible(timeout=WITHIN_MS)
    await context.close()


async def test_what_is_typed_starts_the_conversation(page) -> None:
    text = page.get_by_label("Type to the model")
    await text.fill("hello there")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")  # impatient: it is said once all the same
    await playwright.expect(page.locator(".caption.note", has_text="You typed: hello there")).to_be_visible(
        timeout=WITHIN_MS
    )
    await playwright.expect(page.locator(".caption.you", has_text="hello there")).to_have_count(1)
    await playwright.expect(text).to_have_value("")


async def test_start_works_again_while_the_browser_still_asks(browser, url: str) -> None:
    """Stopped before the question for the microphone was answered, Start was a dead button until it was."""
    expect = playwright.expect
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    await page.add_init_script(
        "const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); let isFirst = true;"
        "navigator.mediaDevices.getUserMedia = (wish) =>"
        "  isFirst ? new Promise(() => (isFirst = false)) : ask(wish);"
    )
    await page.goto(url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#status")).to_have_text("Connecting")
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await context.close()


async def test_paused_the_micro_turns_stand_still(page) -> None:
    """Also in the first seconds, when they do not fill the strip yet."""
    expect = playwright.expect
    await page.get_by_role("button", name="Start", exact=True).click()
    strip = page.locator("#strip")
    await expect(strip).to_have_attribute("data-turns", re.compile(r"^([3-9]|\d{2,})$"), timeout=WITHIN_MS)
    await page.get_by_role("button", name="Pause", exact=True).click()
    num_turns = int(await strip.get_attribute("data-turns"))
    await strip.scroll_into_view_if_needed()
    box = await strip.bounding_box()

    async def turn_below_the_pointer(nudge: int) -> str:
        await page.mouse.move(box["x"] + box["width"] - 10 + nudge, box["y"] + 60)
        await expect(page.locator("#detail")).to_contain_text("·")
        return (await page.locator("#detail").text_content()).split()[0]

    before = await turn_below_the_pointer(0)
    more = "|".join(str(num_turns + num) for num in range(4, 30))
    await expect(strip).to_have_attribute("data-turns", re.compile(f"^({more})$"), timeout=WITHIN_MS)
    assert await turn_below_the_pointer(1) == before
    await page.get_by_role("button", name="Follow", exact=True).click()
    nudge = 0
    async with asyncio.timeout(WITHIN_MS / 1000):
        while await turn_below_the_pointer(nudge) <= before:  # the strip moves on with the page's next frame
            nudge = 1 - nudge


async def test_a_model_that_does_not_see_says_so(browser, engine: PageEngine) -> None:
    expect = playwright.expect
    context = await browser.new_context(permissions=["microphone", "camera"])
    async with page_server(engine, can_see=False) as url:
        page = await context.new_page()
        await page.goto(url)
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.locator("#camera")).to_be_enabled(timeout=WITHIN_MS)
        await page.locator("#camera").click()
        await expect(page.locator("#notice")).to_contain_text("has not learnt to see", timeout=WITHIN_MS)
        await context.close()


@pytest.mark.parametrize("transport", ["auto", "websocket"])
async def test_a_missing_and_a_wrong_key_are_explained(browser, engine: PageEngine, transport: str) -> None:
    """In words for somebody with a browser: the server's own speak of headers."""
    expect = playwright.expect
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    await page.add_init_script(f"""localStorage.setItem('microturn.settings', '{{"transport": "{transport}"}}')""")
    async with page_server(engine, key="a&b+c%d") as url:
        address = url.split("#", maxsplit=1)[0]
        alert = page.get_by_role("alert")
        await page.goto(address)
        await expect(alert).to_contain_text("needs its key", timeout=WITHIN_MS)  # before it asks for the microphone
        await page.goto(f"{address}#key=wrong")
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(alert).to_contain_text("did not accept this key", timeout=WITHIN_MS)
        await page.goto(url)
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
        await context.close()


async def test_a_failed_session_is_explained(page, engine: PageEngine) -> None:
    await page.get_by_role("button", name="Start", exact=True).click()
    await playwright.expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    engine.scripted.sessions[0].fail(RuntimeError("broken"))
    # It tries to go on, is told that this session is over, and says so.
    await playwright.expect(page.get_by_role("alert")).to_contain_text("conversation was lost", timeout=WITHIN_MS)
    await playwright.expect(page.locator("#status")).to_have_text("Not connected")


async def test_without_its_server_the_sound_does_not_start_and_the_page_says_why(browser, engine: PageEngine) -> None:
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    async with page_server(engine) as url:
        await page.goto(url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await playwright.expect(page.get_by_role("alert")).to_contain_text("cannot be reached", timeout=WITHIN_MS)
    await context.close()


async def test_a_lost_connection_comes_back_by_itself(page, engine: PageEngine) -> None:
    sockets = []
    await page.route_web_socket("**/v1/live/sessions", lambda route: sockets.append(route) or route.connect_to_server())
    await page.reload()
    await page.get_by_role("button", name="Start", exact=True).click()
    await playwright.expect(page.locator(".caption.you").first).to_contain_text("count", timeout=WITHIN_MS)
    await sockets[0].close(code=4000)
    await playwright.expect(page.locator(".caption.model", has_text="six").first).to_be_visible(timeout=WITHIN_MS)
    assert len(sockets) == 2
    await playwright.expect(page.locator("#status")).to_have_text("Listening")
    (session,) = engine.scripted.sessions
    assert [turn.index for turn in session.inputs] == list(range(len(session.inputs)))


async def test_the_camera_is_seen_and_put_away(page, engine: PageEngine) -> None:
    expect = playwright.expect
    await page.context.grant_permissions(["microphone", "camera"])
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#camera")).to_be_enabled(timeout=WITHIN_MS)
    await page.locator("#camera").click()
    await expect(page.locator("#camera")).to_have_attribute("aria-pressed", "true", timeout=WITHIN_MS)
    await expect(page.get_by_label("What is sent")).to_be_visible()
    await expect(page.locator("#lanes")).to_contain_text("sees", timeout=WITHIN_MS)
    await until(lambda: bool(engine.frames))
    await page.locator("#camera").click()
    await expect(page.get_by_label("What is sent")).to_be_hidden()
    (frame, *_) = engine.frames
    height, width, _ = frame.pixels.shape
    assert max(height, width) == 320
    assert frame.pixels.std() > 10, "the fake camera's picture is not one flat colour"


async def test_the_screen_is_seen_and_put_away(page, engine: PageEngine) -> None:
    """The browser's fake display stands for a screen; its dialogue agrees to what it offers first."""
    expect = playwright.expect
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#screen")).to_be_enabled(timeout=WITHIN_MS)
    await page.locator("#screen").click()
    await expect(page.locator("#screen")).to_have_attribute("aria-pressed", "true", timeout=WITHIN_MS)
    await expect(page.locator("#camera")).to_have_attribute("aria-pressed", "false")
    await expect(page.get_by_label("What is sent")).to_be_visible()
    await expect(page.locator("#lanes")).to_contain_text("sees", timeout=WITHIN_MS)
    await until(lambda: bool(engine.frames))
    # Its user ends the sharing in the browser's own bar.
    await page.evaluate(
        "document.querySelector('#video').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
    )
    await expect(page.locator("#notice")).to_contain_text("no longer shared")
    await expect(page.locator("#screen")).to_have_attribute("aria-pressed", "false")
    await expect(page.get_by_label("What is sent")).to_be_hidden()
    (frame, *_) = engine.frames
    height, width, _ = frame.pixels.shape
    assert max(height, width) == 512
    assert frame.pixels.std() > 10, "the fake display's picture is not one flat colour"


async def test_a_screen_that_is_not_shared_is_no_error(page) -> None:
    expect = playwright.expect
    await page.evaluate(
        "() => { navigator.mediaDevices.getDisplayMedia = () =>"
        " Promise.reject(new DOMException('', 'NotAllowedError')); }"
    )
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#screen")).to_be_enabled(timeout=WITHIN_MS)
    await page.locator("#screen").click()
    await expect(page.locator("#notice")).to_have_text("The screen was not shared.", timeout=WITHIN_MS)
    await expect(page.locator("#screen")).to_have_attribute("aria-pressed", "false")
    await expect(page.locator("#status")).to_have_text("Listening")


async def test_the_settings_are_kept(page) -> None:
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_label("Appearance").select_option("dark")
    await page.get_by_role("button", name="Done").click()
    await page.reload()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == "rgb(16, 19, 24)"


ANSWERER = """
async ({ sdp, sessionStarted }) => {
  // The server's half of WebRTC, played in the page: it answers, begins the session, and listens.
  const peer = (window.answerer = new RTCPeerConnection());
  const context = new AudioContext();
  const [tone, out] = [context.createOscillator(), context.createMediaStreamDestination()];
  tone.connect(out);
  tone.start();
  window.received = [];
  peer.ondatachannel = ({ channel }) => {
    channel.onmessage = ({ data }) => window.received.push(JSON.parse(data).type);
    const begin = () => channel.send(JSON.stringify(sessionStarted));
    channel.readyState === "open" ? begin() : (channel.onopen = begin);
  };
  await peer.setRemoteDescription({ type: "offer", sdp });
  peer.addTrack(out.stream.getAudioTracks()[0], out.stream);
  await peer.setLocalDescription(await peer.createAnswer());
  await new Promise((resolve) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
    setTimeout(resolve, 2000);
  });
  return peer.localDescription.sdp;
}
"""
SESSION_STARTED = {
    "type": "session.started",
    "event_id": "e1",
    "session": {"id": "live_1", "expires_at": 0, "model": "nano", "status": "active", "store": True},
}


async def offer_webrtc(page) -> None:
    health = {"status": "ok", "key_required": False, "transports": ["websocket", "webrtc"]}
    await page.route("**/healthz", lambda route: route.fulfill(json=health))
    await page.evaluate("localStorage.setItem('microturn.settings', '{}')")
    await page.reload()


async def test_sound_and_events_over_webrtc(page) -> None:
    expect = playwright.expect

    async def answer(route) -> None:
        asked = route.request.post_data_json
        assert asked["transport"]["type"] == "webrtc"
        sdp = await page.evaluate(ANSWERER, {"sdp": asked["transport"]["sdp"], "sessionStarted": SESSION_STARTED})
        await route.fulfill(status=201, json={"session": {"id": "live_1"}, "transport": {"type": "webrtc", "sdp": sdp}})

    await offer_webrtc(page)
    await page.route("**/v1/live/sessions", answer)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await expect(page.get_by_text("Recording", exact=True)).to_be_visible()
    await expect(page.locator("#level-model")).to_have_attribute(
        "aria-valuenow", re.compile("[1-9]"), timeout=WITHIN_MS
    )
    await page.get_by_role("button", name="Mute", exact=True).click()
    await until_in_page(page, "window.received.includes('session.input_audio.mute')")
    assert "microturn.extensions.enable" in await page.evaluate("window.received")
    packets = await page.evaluate(
        "async () => [...(await window.answerer.getStats()).values()]"
        ".find((report) => report.type === 'inbound-rtp').packetsReceived"
    )
    assert packets > 0


async def test_without_a_way_through_it_falls_back_to_the_websocket(browser, url: str) -> None:
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    await page.goto(url)
    await offer_webrtc(page)
    await page.route("**/v1/live/sessions", lambda route: route.fulfill(status=503, json={}))
    await page.get_by_role("button", name="Start", exact=True).click()
    await playwright.expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await playwright.expect(page.locator(".caption.you").first).to_contain_text("count", timeout=WITHIN_MS)
    await context.close()


async def test_a_recording_server_shows_it_before_the_first_word(browser, engine: PageEngine) -> None:
    context = await browser.new_context(permissions=["microphone"])
    async with page_server(engine, is_recorded=True) as url:
        page = await context.new_page()
        await page.goto(url)
        await playwright.expect(page.get_by_text("Recording", exact=True)).to_be_visible(timeout=WITHIN_MS)
        await page.get_by_role("button", name="Start", exact=True).click()
        await playwright.expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
        await playwright.expect(page.get_by_text("Recording", exact=True)).to_be_visible()
        await context.close()


async def test_a_server_that_is_gone_is_named(browser, engine: PageEngine) -> None:
    context = await browser.new_context(permissions=["microphone"])
    async with page_server(engine) as url:
        page = await context.new_page()
        await page.goto(url)
        # The sound needs a file of the server's; what fails here is the session.
        await page.route("**/healthz", lambda route: route.abort())
        await page.route("**/v1/**", lambda route: route.abort())
        await page.route_web_socket("**/v1/live/sessions", lambda route: route.close(code=4000))
        await page.get_by_role("button", name="Start", exact=True).click()
        await playwright.expect(page.get_by_role("alert")).to_contain_text("cannot be reached", timeout=WITHIN_MS)
        await context.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_overflows(browser, url: str, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 800})
    page = await context.new_page()
    await page.goto(url)
    await playwright.expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    for name in ("control", "conversation", "try", "turns"):
        box = await page.locator(f"section.{name}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
