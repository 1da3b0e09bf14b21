"""Takes the pictures of the page in docs/images: desktop and phone, light and dark, in a scripted session.

.venv/bin/python web/screenshots.py [FOLDER]
"""

import asyncio
import math
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.async_api import Browser, Page, async_playwright, expect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from page_engine import PageEngine  # noqa: E402

from microturn.background.backends.tools_only import ToolsBackend  # noqa: E402
from microturn.background.coordinator import Coordinator  # noqa: E402
from microturn.background.tools import builtin_tools  # noqa: E402
from microturn.server.serve import Listening, serve  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
SHOTS = {
    "page-light": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "light"},
    "page-dark": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "dark"},
    "phone-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2},
}
WITHIN_MS = 120_000
Shots = Callable[[Browser, str, Path], Awaitable[None]]


def draw_scene(path: Path) -> None:
    """A quiet table with a cup and a ball that rolls, for the fake camera to film."""
    with path.open("wb") as file:
        for step in range(60):
            image = Image.new("RGB", (640, 480), "#d9cfc0")
            pen = ImageDraw.Draw(image)
            pen.rectangle((380, 40, 580, 210), fill="#bcd3dc", outline="#f3ede2", width=10)
            pen.rectangle((0, 330, 640, 480), fill="#a5795a")
            pen.rounded_rectangle((150, 230, 270, 350), 18, fill="#2c7f7b")
            pen.arc((250, 255, 310, 320), 270, 90, fill="#2c7f7b", width=14)
            x = 340 + 90 * math.sin(2 * math.pi * step / 60)
            pen.ellipse((x, 300, x + 70, 370), fill="#d8704a")
            image.save(file, "JPEG", quality=85)


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


async def shoot_tools(browser: Browser, url: str, folder: Path) -> None:
    """The settings where a background has tools."""
    context = await browser.new_context(permissions=["microphone", "camera"], **SHOTS["page-dark"])
    page = await context.new_page()
    await hold(page, url)
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_text("what the background may use").click()
    await page.screenshot(path=folder / "tools-dark.png")
    await context.close()
    print("tools-dark", flush=True)


async def film_page(url: str, arguments: list[str], folder: Path, shots: Shots) -> None:
    async with async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=WITHIN_MS)
        await shots(browser, url, folder)
        await browser.close()


async def film_served(folder: Path, shots: Shots, background: Coordinator | None = None) -> None:
    ready: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve(PageEngine(), Listening(port=0), background=background, on_ready=ready.put_nowait, stop=stop)
    )
    with tempfile.TemporaryDirectory() as scratch:
        draw_scene(Path(scratch) / "table.mjpeg")
        film = f"--use-file-for-fake-video-capture={scratch}/table.mjpeg"
        await film_page(await ready.get(), [*ARGUMENTS, film], folder, shots)
    stop.set()
    await serving


async def main(folder: Path) -> None:
    await film_served(folder, shoot)
    await film_served(folder, shoot_tools, Coordinator(ToolsBackend(), builtin_tools()))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
