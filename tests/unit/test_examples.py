"""The committed example recordings: small, complete, listed, and playable by ``microturn run``."""

import json
from pathlib import Path

import pytest

from microturn.media.reading import open_recording
from microturn.media.text_events import read_text_events

FOLDER = Path(__file__).resolve().parents[2] / "examples"
INDEX = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
MOST_BYTES, MOST_BYTES_IN_ALL = 100_000, 1_500_000


def recordings() -> list[Path]:
    return sorted(path for path in FOLDER.iterdir() if path.suffix in (".ogg", ".webm"))


def test_they_are_small_and_all_of_them_are_listed() -> None:
    sizes = [path.stat().st_size for path in recordings()]
    assert max(sizes) <= MOST_BYTES
    assert sum(sizes) <= MOST_BYTES_IN_ALL
    assert {path.name for path in recordings()} == {entry["file"] for entry in INDEX.values()}


def test_the_readme_has_a_command_for_each() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name, entry in INDEX.items():
        text = f" --text examples/{name}.jsonl" if entry["has_text"] else ""
        assert f"microturn run examples/{entry['file']}{text} --out out/{name}`" in readme


@pytest.mark.parametrize("name", INDEX)
def test_each_can_be_played(name: str) -> None:
    recording = open_recording(FOLDER / INDEX[name]["file"])
    assert recording.has_sound
    assert recording.has_pictures == INDEX[name]["file"].endswith(".webm")
    assert (FOLDER / f"{name}.jsonl").exists() == INDEX[name]["has_text"]
    if INDEX[name]["has_text"]:
        assert read_text_events(FOLDER / f"{name}.jsonl")
