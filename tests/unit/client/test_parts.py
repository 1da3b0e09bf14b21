"""The client's parts that need no server."""

import numpy as np
import pytest
from openai.types.live import InputTranscriptDeltaEvent, OutputTranscriptDeltaEvent

from microturn.client.address import parse_address
from microturn.client.pacing import Pace
from microturn.client.sound_card import load_sounddevice
from microturn.client.speaker_buffer import SpeakerBuffer
from microturn.client.transcript import Transcript
from microturn.errors import MissingDependencyError
from microturn.protocol.extensions import TurnEvent, TurnPiece
from microturn.testing.clock import ManualClock

HZ = 1_000


@pytest.mark.parametrize(
    ("text", "url", "key"),
    [
        ("http://127.0.0.1:8710", "ws://127.0.0.1:8710/v1/live/sessions", None),
        ("http://localhost:8710/#key=abc", "ws://localhost:8710/v1/live/sessions", "abc"),
        ("https://[::1]:9/v1", "wss://[::1]:9/v1/live/sessions", None),
        ("wss://host/under/v1/live/sessions", "wss://host/under/v1/live/sessions", None),
        ("localhost:8710", "ws://localhost:8710/v1/live/sessions", None),
    ],
)
def test_every_form_of_an_address_leads_to_the_live_surface(text: str, url: str, key: str | None) -> None:
    address = parse_address(text)
    assert (address.url, address.key) == (url, key)


@pytest.mark.parametrize("text", ["", "ftp://host", "http://"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="8710"):
        parse_address(text)


def test_the_speaker_hears_pieces_without_a_gap_after_a_little_silence() -> None:
    buffer = SpeakerBuffer(HZ)
    buffer.push(np.ones(50, np.float32))
    buffer.push(np.ones(50, np.float32))
    played = np.concatenate([buffer.take(30) for _ in range(8)])
    assert played.tolist() == [0.0] * 60 + [1.0] * 100 + [0.0] * 80


def test_clear_silences_the_speaker_at_once_and_too_much_loses_the_oldest() -> None:
    buffer = SpeakerBuffer(HZ)
    for _ in range(30):
        buffer.push(np.ones(100, np.float32))
    assert buffer.num_dropped_samples == 2_060
    buffer.clear()
    assert not buffer.take(500).any()


def heard(text: str, start_ms: int) -> InputTranscriptDeltaEvent:
    return InputTranscriptDeltaEvent(
        type="session.input_transcript.delta", event_id="e", delta=text, start_ms=start_ms, end_ms=start_ms + 200
    )


def said(text: str, start_ms: int) -> OutputTranscriptDeltaEvent:
    return OutputTranscriptDeltaEvent(
        type="session.output_transcript.delta", event_id="e", delta=text, start_ms=start_ms, end_ms=start_ms + 200
    )


def turn(end_ms: int, **more: object) -> TurnEvent:
    figures = {"compute_ms": 1.0, "budget_share": 0.0, "latency_ms": 1.0, "phases_ms": {}, "overload_rung": 0}
    flags = dict.fromkeys(("clear", "speaking", "late", "forced"), False)
    fields = {
        "event_id": "e",
        "index": 0,
        "start_ms": end_ms - 200,
        "end_ms": end_ms,
        "hear": "",
        "say": "",
        "pieces": [],
    }
    return TurnEvent.model_validate({**figures, **flags, **fields, **more})


def test_words_join_into_lines_and_a_pause_begins_another() -> None:
    transcript = Transcript()
    for event in (heard(" count", 0), said(" one", 400), heard(" please", 400), heard(" stop", 5_000)):
        transcript.add(event)
    assert [(line.who, line.text) for line in transcript.lines] == [
        ("you", "count please"),
        ("model", "one"),
        ("you", "stop"),
    ]


def test_what_was_cut_off_is_marked_and_written_text_joins_over_turns() -> None:
    transcript = Transcript()
    transcript.add(said(" one two", 0))
    transcript.add(turn(400, clear=True))
    transcript.add(said(" sorry", 600))
    transcript.add(turn(800, pieces=[TurnPiece(kind="text", text="a li", is_end=False)]))
    transcript.add(turn(1_000, pieces=[TurnPiece(kind="text", text="st", is_end=True)]))
    assert [(line.text, line.is_cut_off) for line in transcript.lines] == [
        ("one two", True),
        ("sorry", False),
        ("a list", False),
    ]


async def test_the_pace_is_that_of_the_clock() -> None:
    clock = ManualClock()
    waits_s: list[float] = []

    async def wait(seconds: float) -> None:
        waits_s.append(seconds)
        clock.advance_ms(seconds * 1000)

    pace = Pace(clock, wait)
    await pace.after(24_000)
    clock.advance_ms(1_500)  # a stall: what follows goes at once until the time is made up
    await pace.after(24_000)
    await pace.after(24_000)
    assert waits_s == pytest.approx([1.0, 0.5])


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    with pytest.raises(MissingDependencyError, match=r"microturn\[talk\]"):
        load_sounddevice()
