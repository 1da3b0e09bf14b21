"""The page's server and its browser, for tests that drive both."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from microturn.server.serve import Listening, serve

BROWSER_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream=device-count=2",
    "--use-fake-ui-for-media-stream",
]
WITHIN_MS = 60_000
CLIPS = Path(__file__).parents[2] / "web" / "public" / "clips"
TRIES = {
    "Count to ten.": "count-to-ten.mp3",
    "Stop.": "stop.mp3",
    "Count by twos.": "count-by-twos.mp3",
    "Say breathe every four seconds.": "breathe.mp3",
    "In five seconds, say tea is ready.": "tea-is-ready.mp3",
    "Repeat after me: the tea is hot.": "repeat-after-me.mp3",
}
"""What the page offers to ask, and the recording that asks it."""
KEEP_DEVICES = """
window.tracks = [];
window.sinks = [];
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await ask(wish);
  window.tracks.push(...stream.getTracks());
  return stream;
};
const setSinkId = AudioContext.prototype.setSinkId;
AudioContext.prototype.setSinkId = function (id) {
  window.sinks.push(id);
  return setSinkId.call(this, id);
};
"""
"""Runs before the page's own code; keeps every device track that the page was given, and every speaker it chose."""
KEEP_PEERS = """
window.peers = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) {
    super(...given);
    window.peers.push(this);
  }
};
"""
"""Runs before the page's own code; keeps every WebRTC connection that the page opened."""


@asynccontextmanager
async def page_server(engine: Any, *, key: str | None = None, **options: Any) -> AsyncIterator[str]:
    """The address of a server around an engine."""
    ready: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve(engine, Listening(port=0, key=key), on_ready=ready.put_nowait, stop=stop, **options)
    )
    try:
        yield await ready.get()
    finally:
        stop.set()
        await serving


async def start(page: Any) -> None:
    """Press Start, and wait until the page listens."""
    from playwright.async_api import expect

    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something in the server, which runs beside the test."""
    async with asyncio.timeout(WITHIN_MS / 1000):
        while not is_so():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)


async def until_in_page(page: Any, expression: str, arg: Any = None) -> None:
    """Wait for something in the page. Its content security policy lets no test wait for it in there."""
    async with asyncio.timeout(WITHIN_MS / 1000):
        while not await page.evaluate(expression, arg):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)
