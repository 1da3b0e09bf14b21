"""What tests in a real browser need; each is skipped where something of it is missing."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next((path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/google-chrome")) if path.exists()), None)
IN_BROWSER = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"),
]
"""Marks of every test in a browser."""
needs_recogniser = pytest.mark.skipif(
    importlib.util.find_spec("faster_whisper") is None, reason="no recogniser: pip install 'microturn[eval]'"
)
needs_webrtc = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("microturn.server.webrtc", "aiortc"))), reason="no WebRTC in this build"
)
TRANSPORTS = ("websocket", pytest.param("webrtc", marks=needs_webrtc))
"""Each that the server has, as parameters of a test."""


def import_playwright(api: str = "async_api") -> Any:
    """What drives the browser; where it is not installed, the module that asks for it is skipped."""
    __tracebackhide__ = True  # a report names that module
    return pytest.importorskip(f"playwright.{api}", reason="playwright is not installed: pip install playwright")
