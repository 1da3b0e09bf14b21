"""The wheel carries the weights, the pages and the mark of typed code, and works away from the clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (
    *(
        f"microturn/server/page/{name}"
        for name in ("index.html", "page.js", "page.css", "worklets.js", "clips/stop.mp3")
    ),
    "microturn/timeline/page/page.html",
)
TYPED = "microturn/py.typed"
"""Tells type checkers that the annotations are meant for them."""
WEIGHTS = ("config.json", "model.safetensors", "tokenizer.json", "mel.json", "vocoder.safetensors", "README.md")

pytest.importorskip("hatchling", reason="hatchling is not installed: pip install 'microturn[dev]'")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("microturn-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_it_carries_what_it_needs(unpacked: Path) -> None:
    needed = [TYPED, *PAGES, *(f"microturn/checkpoints/nano/{name}" for name in WEIGHTS)]
    assert [name for name in needed if not (unpacked / name).is_file()] == []


def test_nano_answers_from_it(unpacked: Path, tmp_path: Path) -> None:
    program = (
        "import numpy as np, microturn\n"
        f"assert microturn.__file__.startswith({str(unpacked)!r}), microturn.__file__\n"
        "from microturn.engine.loading import load_checkpoint\n"
        "from microturn.engine.offline import answer_stream\n"
        "from microturn.engine.runner import ModelRunner\n"
        "from microturn.turns.micro_turn import MicroTurnInput\n"
        "silence = (MicroTurnInput(index=k, audio=np.zeros(3200, np.float32)) for k in range(5))\n"
        "print(sum(not r.output.is_speaking for r in answer_stream(ModelRunner(load_checkpoint()), silence)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "5"
