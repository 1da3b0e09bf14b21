"""Takes the pictures of the page in docs/images: desktop and phone, light and dark, in the middle of a scripted session.

.venv/bin/python web/screenshots.py [FOLDER]
"""

import asyncio
import re
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from page_engine import PageEngine  # noqa: E402

from microturn.server.serve import serve  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
SHOTS = {
    "page-light": {"viewport": {"width": 1280, "height": 940}, "color_scheme": "light"},
    "page-dark": {"viewport": {"width": 1280, "height": 940}, "color_scheme": "dark"},
    "phone-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2},
}
WITHIN_MS = 120_000


async def hold(page: Page, url: str) -> None:
    """A conversation of some seconds, with the camera on."""
    await page.goto(url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#status")).to_have_text("Listening", timeout=WITHIN_MS)
    await page.locator("#camera").click(timeout=WITHIN_MS)
    await expect(page.locator(".caption.note").first).to_be_visible(timeout=WITHIN_MS)
    await expect(page.locator("#strip")).to_have_attribute(
        "data-turns", re.compile(r"^([5-9]\d|\d{3,})$"), timeout=WITHIN_MS
    )
    await expect(page.locator("#quality")).to_be_visible(timeout=WITHIN_MS)


async def shoot(browser: Browser, url: str, folder: Path) -> None:
    for name, options in SHOTS.items():
        context = await browser.new_context(permissions=["microphone", "camera"], **options)
        page = await context.new_page()
        await hold(page, url)
        await page.screenshot(path=folder / f"{name}.png", full_page=name.startswith("phone"))
        if name == "page-dark":
            await page.get_by_role("button", name="Settings").click()
            await page.screenshot(path=folder / "settings-dark.png")
        await context.close()
        print(name, flush=True)


async def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ready: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(PageEngine(), port=0, on_ready=ready.put_nowait, stop=stop))
    async with async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=WITHIN_MS)
        await shoot(browser, await ready.get(), folder)
        await browser.close()
    stop.set()
    await serving


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"))
