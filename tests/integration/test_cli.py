"""The command line: commands answer, and what goes wrong is one line with a remedy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from microturn.cli import app

runner = CliRunner()


def microturn(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "microturn.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_command_explains_itself() -> None:
    top = runner.invoke(app, ["--help"])
    assert top.exit_code == 0
    for command in ("run", "serve", "talk", "doctor", "eval", "bench", "plan", "data", "train"):
        assert command in top.output
        assert runner.invoke(app, [command, "--help"]).exit_code == 0


def test_scenarios_are_listed() -> None:
    listed = runner.invoke(app, ["data", "scenarios"])
    assert listed.exit_code == 0
    assert "count-aloud" in listed.output


@pytest.mark.parametrize("geometry", ["nano", "small"])
def test_a_plan_is_drawn(geometry: str) -> None:
    planned = runner.invoke(app, ["plan", geometry, "--device", "h100", "--count", "8"])
    assert planned.exit_code == 0
    assert "fits" in planned.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no-such-file.wav"], "no-such-file.wav"),
        (["plan", "nano", "--device", "abacus"], "choose one of"),
        (["talk", "--url", "ftp://nowhere"], "8710"),
        (["talk", "--file", "no-such-file.wav", "--url", "http://127.0.0.1:9"], "microturn serve"),
        (["eval", "juggling"], "juggling"),
        (["eval", "chained-tools", "--background-api", "responces"], "choose chat or responses"),
        (["serve", "--background-api", "responces"], "choose chat or responses"),
        (["serve", "--threads", "0"], "--threads"),
        (["bench", "engine", "--model", "no-such-model"], "no-such-model"),
        (["train", "no-such-recipe", "--shards", "a", "--prepared", "b", "--run", "c"], "choose one of"),
    ],
)
def test_what_goes_wrong_is_said_in_words(arguments: list[str], said: str) -> None:
    failed = microturn(*arguments)
    assert failed.returncode not in (0, -9)
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_corrupt_checkpoint_is_refused(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json", "mel.json", "vocoder.safetensors"):
        (tmp_path / name).write_bytes(b"\x00" * 40)
    (tmp_path / "config.json").write_text(json.dumps({"hello": 1}))
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"RIFF")
    failed = microturn("run", str(recording), "--model", str(tmp_path))
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
