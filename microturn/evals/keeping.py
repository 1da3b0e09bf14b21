"""Keeps each example of a run in a folder, so that a failure can be looked at and listened to.

A folder an example: ``verdict.json`` (what the suites thought), ``timeline.html``, ``mix.wav`` (the user left, the
reply right, as they were heard), ``reply.wav``, ``turns.jsonl`` (one line a micro-turn) and ``reference.jsonl``, the
same for the reply that was wanted.
"""

import json
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from microturn.evals.exchange import Exchange, Verdict
from microturn.media.mixing import ConversationWriter
from microturn.timeline.drawing import draw_timeline
from microturn.timeline.summary import TurnSummary
from microturn.timeline.thumbnails import ThumbnailStrip
from microturn.turns.micro_turn import MicroTurnOutput


def keep(folder: Path, exchange: Exchange, verdicts: Mapping[str, Verdict]) -> None:
    """Writes one example into a folder of its own. ``verdicts`` has one entry for each suite that judged it."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = {suite: _judged(verdict) for suite, verdict in verdicts.items()}
    (folder / "verdict.json").write_text(json.dumps(judged, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    turns = _records(exchange, exchange.outputs)
    _write_lines(folder / "turns.jsonl", turns)
    _write_lines(folder / "reference.jsonl", _records(exchange, exchange.case.episode.outputs))
    with ConversationWriter.writing(folder / "reply.wav", folder / "mix.wav") as conversation:
        for turn, output in zip(exchange.case.episode.inputs, exchange.outputs, strict=True):
            conversation.add(turn, output)
    strip = ThumbnailStrip()
    for turn in exchange.case.episode.inputs:
        for frame in turn.frames:
            strip.add(frame)
    page = draw_timeline(
        turns,
        np.concatenate([turn.audio for turn in exchange.case.episode.inputs]),
        _samples(folder / "reply.wav"),
        exchange.case.key,
        thumbnails=strip.thumbnails,
        note="; ".join(f"{suite}: {_opinion(verdict)}" for suite, verdict in verdicts.items()),
    )
    (folder / "timeline.html").write_text(page, encoding="utf-8")


def _records(exchange: Exchange, outputs: Sequence[MicroTurnOutput]) -> list[TurnSummary]:
    inputs = exchange.case.episode.inputs
    return [TurnSummary.of(turn, output) for turn, output in zip(inputs, outputs, strict=True)]


def _write_lines(path: Path, turns: Sequence[TurnSummary]) -> None:
    path.write_text("".join(turn.to_json() + "\n" for turn in turns), encoding="utf-8")


def _judged(verdict: Verdict) -> dict[str, object]:
    return {
        "is_right": verdict.is_right,
        "kind": verdict.kind,
        "problems": list(verdict.problems),
        **verdict.figures,
        **{name: list(values) for name, values in verdict.samples.items()},
    }


def _opinion(verdict: Verdict) -> str:
    return "right" if verdict.is_right else ", ".join(verdict.problems) or "wrong"


def _samples(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
