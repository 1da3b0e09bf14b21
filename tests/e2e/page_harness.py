"""The page's server and its browser, for tests that drive both."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from microturn.server.serve import Listening, serve

CHROMIUM = next((path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/google-chrome")) if path.exists()), None)
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
HAS_WEBRTC = all(map(importlib.util.find_spec, ("microturn.server.webrtc", "aiortc")))


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
