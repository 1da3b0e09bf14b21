"""The page: whole, self-contained, safe with any text, of sane size; its sound is the conversation's."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import av
import numpy as np
import pytest

from microturn.timeline import sound
from microturn.timeline.drawing import draw_timeline
from microturn.timeline.sound import OUTLINE_STEP_MS, Track, embedded_sound, outline
from microturn.timeline.summary import TurnSummary
from microturn.timeline.thumbnails import MAX_THUMBNAILS, ThumbnailStrip
from microturn.turns.micro_turn import Piece, PieceKind, Role, TextEvent
from microturn.turns.timing import IN_HZ, OUT_HZ
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

SILENCE = np.zeros(IN_HZ, np.float32)


class Page(HTMLParser):
    """Elements of a page, with the text of its scripts and the transcript."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._into = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._into = dict(attrs).get("id") or ("span" if tag == "span" else tag)

    def handle_data(self, data):
        self.texts[self._into] = self.texts.get(self._into, "") + data

    @property
    def data(self) -> dict:
        return json.loads(self.texts["data"])


def turns(num: int, **contents) -> list[TurnSummary]:
    return [TurnSummary(index=index, trace=TurnTrace(index=index, prefill_ms=30.0), **contents) for index in range(num)]


def sine(seconds: float, rate_hz: int, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 300 * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def decoded(address: tuple[str, str]) -> tuple[np.ndarray, int]:
    """(2, num_samples) and the rate."""
    with av.open(io.BytesIO(base64.b64decode(address[1]))) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=OUT_HZ)
        parts = [out.to_ndarray() for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        parts += [out.to_ndarray() for out in resampler.resample(None)]
    return np.concatenate(parts, axis=1), OUT_HZ


# The page


def test_the_page_asks_nothing_of_anybody():
    text = draw_timeline(turns(5), SILENCE, sine(1, OUT_HZ), "talk.wav")
    page = Page(text)
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none';")
    assert not [tag for tag, _ in page.tags if tag in {"link", "iframe", "object", "embed"}]
    addresses = [a[key] for _, a in page.tags for key in ("src", "href", "srcset", "action") if a.get(key)]
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"""(?:url\(|@import|fetch\(|https?://)""", text)


def test_any_text_is_shown_as_it_is():
    nasty = '</script><script>alert("1")</script><!-- {{DATA}} & <b>'
    events = (TextEvent(role=Role.USER, text=nasty),)
    summary = TurnSummary(
        index=0, hear=nasty, say=nasty, events=events, pieces=(Piece(kind=PieceKind.TEXT, text=nasty),)
    )
    page = Page(draw_timeline([summary], SILENCE, SILENCE, nasty, note=nasty))
    plain = Page(draw_timeline(turns(1), SILENCE, SILENCE, "a"))
    count = [tag for tag, _ in page.tags].count("script")
    assert count == [tag for tag, _ in plain.tags].count("script")
    assert page.texts["h1"].strip() == nasty
    assert page.data["turns"][0][4]["hear"] == nasty
    assert nasty in page.texts["span"]


def test_what_a_turn_holds_is_in_the_data():
    summary = TurnSummary(
        index=1, level_db=-23.4, num_frames=2, hear=" stop", is_clear=True, trace=TurnTrace(index=1, flow_ms=7.25)
    )
    data = Page(draw_timeline([TurnSummary(index=0), summary], SILENCE, SILENCE, "a")).data
    assert data["turns"] == [[0, -100, 0, 0], [1, -23, [0, 0, 0, 7.2, 0], 2, {"hear": " stop", "clear": 1}]]
    assert data["heard"] == [[200, 1, "stop"]]
    assert data["durationMs"] == 1000


def test_the_conversation_is_there_without_scripts():
    summaries = [
        TurnSummary(index=0, hear=" count to two"),
        TurnSummary(
            index=5, say=" one", is_speaking=True, pieces=(Piece(kind=PieceKind.ACT, text="ask 1: wea", is_end=False),)
        ),
        TurnSummary(index=6, is_clear=True, pieces=(Piece(kind=PieceKind.ACT, text="ther"),)),
    ]
    page = Page(draw_timeline(summaries, SILENCE, SILENCE, "a"))
    assert [a["class"] for tag, a in page.tags if tag == "li"] == ["user", "wrote", "cleared", "model"]
    assert "ask 1: weather" in page.texts["span"]


def test_an_empty_session_draws():
    page = Page(draw_timeline([], np.zeros(0, np.float32), np.zeros(0, np.float32), "nothing", has_sound=False))
    assert page.data["turns"] == []
    assert not page.texts.get("sound", "").strip()


def test_half_an_hour_stays_small():
    busy = [
        TurnSummary(
            index=index, hear=" word", say=" word", is_speaking=True, trace=TurnTrace(index=index, prefill_ms=30.123)
        )
        for index in range(9000)
    ]
    long_silence = np.zeros(1800 * 1000, np.int16)
    text = draw_timeline(busy, long_silence, long_silence, "long", user_hz=1000, reply_hz=1000, has_sound=False)
    assert len(text) < 4_000_000


# Its sound


def test_an_outline_follows_the_peaks():
    samples = np.concatenate([np.zeros(1600), np.full(1600, 0.25), np.full(7, -1.0)]).astype(np.float32)
    values = outline(Track(samples=samples, rate_hz=16_000))
    steps = 1600 * 1000 // 16_000 // OUTLINE_STEP_MS
    assert values.tolist() == [0] * steps + [128] * steps + [255]


def test_embedded_sound_holds_both_sides_each_leaning_to_its_own():
    user = Track(samples=sine(2.0, IN_HZ), rate_hz=IN_HZ)
    reply = Track(samples=(sine(1.0, OUT_HZ) * 32767).astype(np.int16), rate_hz=OUT_HZ)
    media_type, encoded = embedded_sound(user, reply)
    assert media_type == "audio/webm"
    assert len(encoded) < 40_000
    samples, _ = decoded((media_type, encoded))
    assert samples.shape[1] == pytest.approx(2.0 * OUT_HZ, abs=0.05 * OUT_HZ)
    tail = samples[:, round(1.3 * OUT_HZ) : round(1.8 * OUT_HZ)]
    left, right = np.sqrt((tail**2).mean(axis=1))
    assert left > 1.8 * right > 0.05, "after a second only the user sounds, mostly on the left"


def test_without_opus_the_sound_is_a_wav(monkeypatch):
    def refuse(*_: object) -> bytes:
        raise ValueError("no libopus")

    monkeypatch.setattr(sound, "_opus", refuse)
    address = embedded_sound(Track(samples=sine(1.0, IN_HZ), rate_hz=IN_HZ), Track(samples=SILENCE, rate_hz=IN_HZ))
    assert address[0] == "audio/wav"
    samples, _ = decoded(address)
    assert samples.shape[1] == pytest.approx(OUT_HZ, abs=4)


def test_thumbnails_stay_few_however_long_the_session():
    strip = ThumbnailStrip()
    pixels = np.zeros((6, 8, 3), np.uint8)
    for index in range(5 * MAX_THUMBNAILS):
        strip.add(VideoFrame(time_ms=index * 100.0, pixels=pixels))
    times_ms = np.array([thumbnail.time_ms for thumbnail in strip.thumbnails])
    assert MAX_THUMBNAILS / 4 < len(times_ms) <= MAX_THUMBNAILS
    assert times_ms[0] == 0
    assert len(set(np.diff(times_ms))) == 1, "evenly spread"
    assert times_ms[-1] > 5 * MAX_THUMBNAILS * 100 * 0.98
    assert strip.thumbnails[0].data_uri.startswith("data:image/jpeg;base64,")
