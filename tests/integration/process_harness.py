"""`microturn serve` as a process of its own."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from microturn.model import checkpoint
from microturn.testing.tiny_model import tiny_parts

WITHIN_S = 300.0
"""Two starts of a process with a model on a busy machine."""
PROGRAM = """
import sys
from microturn.cli import main
sys.argv[0] = "microturn"
main()
"""


def save_tiny(folder: Path) -> Path:
    """A whole checkpoint in miniature."""
    folder.mkdir()
    parts = tiny_parts(seed=3, eviction_turns=None)
    checkpoint.save(parts.model, folder)
    parts.tokenizer.save(folder / "tokenizer.json")
    parts.vocoder.save(folder / "vocoder.safetensors")
    (folder / "mel.json").write_text(json.dumps(parts.statistics.to_json()))
    return folder


@asynccontextmanager
async def served(
    options: dict[str, object], program: str = PROGRAM
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """The server's process and its address, with one thread on a free port; it is killed if it has not ended before."""
    arguments = {"--port": 0, "--threads": 1, **options}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", program, "serve"),
        *(str(each) for pair in arguments.items() for each in pair),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        log = ""
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/", log)):
            line = await process.stderr.readline()
            assert line, f"the server ended: {log}"
            log += line.decode()
        draining = asyncio.create_task(process.stderr.read())
        yield process, found[0].replace("http", "ws") + "v1/live/sessions"
        draining.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
