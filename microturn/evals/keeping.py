"""Keeps each example of a run in a folder, so that a failure can be looked at and listened to.

A folder an example: ``verdict.json`` (what the suites thought), ``turns.jsonl`` (one line a micro-turn), ``mix.wav``
(the user left, the reply right, as they were heard) and, where a drawer is given, ``timeline.html``.
"""

import json
import wave
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from microturn.evals.exchange import Exchange, Verdict
from microturn.evals.recogniser import resample
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import IN_HZ, OUT_HZ, OUT_SAMPLES_PER_TURN, turn_start_ms

Draw = Callable[[Exchange, Path], None]
"""Draws an exchange's timeline into a file."""


def keep(folder: Path, exchange: Exchange, verdicts: Mapping[str, Verdict], draw: Draw | None = None) -> None:
    """Writes one example into a folder of its own. ``verdicts`` has one entry for each suite that judged it."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = {
        suite: {
            "is_right": verdict.is_right,
            "kind": verdict.kind,
            "problems": list(verdict.problems),
            **verdict.figures,
            **{name: list(values) for name, values in verdict.samples.items()},
        }
        for suite, verdict in verdicts.items()
    }
    (folder / "verdict.json").write_text(json.dumps(judged, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "turns.jsonl").write_text("".join(turn_lines(exchange)), encoding="utf-8")
    write_mix(folder / "mix.wav", exchange)
    if draw is not None:
        draw(exchange, folder / "timeline.html")


def turn_lines(exchange: Exchange) -> list[str]:
    """One line of JSON a micro-turn: what was said to the model, what it answered, what it should have answered."""
    episode = exchange.case.episode
    lines: list[str] = []
    for k, (output, wanted) in enumerate(zip(exchange.outputs, episode.outputs, strict=True)):
        words = [w.text for w in episode.heard if turn_start_ms(k) <= w.start_ms < turn_start_ms(k + 1)]
        line = {"index": k, "time_ms": turn_start_ms(k), "user": " ".join(words)}
        line |= _shown(output) | {"reference": _shown(wanted)}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return lines


def write_mix(path: Path, exchange: Exchange) -> None:
    """A stereo recording at 24 kHz: the user left, the reply right, each when it was heard."""
    user = resample(np.concatenate([turn.audio for turn in exchange.case.episode.inputs]), IN_HZ, OUT_HZ)
    silence = np.zeros(OUT_SAMPLES_PER_TURN, np.float32)
    sounds = [silence, *(silence if o.audio is None else o.audio for o in exchange.outputs)]
    reply = np.concatenate(sounds)[: len(user)]
    _write_wav(path, np.stack([user, reply], axis=1))


def _write_wav(path: Path, samples_N2: NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(OUT_HZ)
        file.writeframes(np.round(np.clip(samples_N2, -1, 1) * 32767).astype("<i2").tobytes())


def _shown(output: MicroTurnOutput) -> dict[str, str | bool | Sequence[str]]:
    shown: dict[str, str | bool | Sequence[str]] = {
        "hear": output.hear,
        "say": output.say,
        "pieces": [piece.text for piece in output.pieces],
        "is_clear": output.is_clear,
        "is_speaking": output.is_speaking,
    }
    return {name: value for name, value in shown.items() if value}
