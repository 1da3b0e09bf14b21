"""The client's parts that need no server of ours."""

import asyncio
import contextlib
import io
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from openai.types.live import InputTranscriptDeltaEvent, OutputTranscriptDeltaEvent
from rich.console import Console
from typer.testing import CliRunner

from microturn.cli import app
from microturn.client.address import parse_address
from microturn.client.echo_gate import EchoGate
from microturn.client.live_client import WIRE_HZ, connect
from microturn.client.pacing import CHUNK_SAMPLES, Pace
from microturn.client.sound_card import SoundCard, load_sounddevice
from microturn.client.speaker_buffer import SpeakerBuffer
from microturn.client.talk import converse, send_microphone
from microturn.client.transcript import Transcript
from microturn.errors import MediaError, MicroturnError, MissingDependencyError
from microturn.protocol.extensions import TurnEvent, TurnPiece
from microturn.protocol.live import ServerEvent
from microturn.server.serve import page_url
from microturn.server.tls import self_signed
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


def test_any_key_comes_through_the_address_of_the_page() -> None:
    """A '&' cut it off, and a '+' became a space."""
    assert parse_address(page_url("127.0.0.1", 8710, "a&b+c%d#e")).key == "a&b+c%d#e"


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


@contextlib.asynccontextmanager
async def refusing_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A proxy that lets nobody through, with a status that only proxies use."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 520 Web server is down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=tls)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_status_that_is_not_in_the_list_is_told_in_the_words_of_who_sent_it() -> None:
    async with refusing_server() as port:
        with pytest.raises(MicroturnError, match=r"refused \(520\): Web server is down"):
            await connect(f"http://127.0.0.1:{port}").__aenter__()


async def test_https_needs_no_certificate_of_ours_where_the_system_knows_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with refusing_server(tls) as port:
        client = connect(f"https://127.0.0.1:{port}")
        with pytest.raises(MicroturnError, match=r"not trusted here .*--cert"):
            await client.__aenter__()
        with pytest.raises(MicroturnError, match="520"):
            await connect(
                f"https://127.0.0.1:{port}", tls=ssl.create_default_context(cafile=str(certificate))
            ).__aenter__()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pytest.raises(MicroturnError, match="520"):
            await client.__aenter__()


def test_a_certificate_for_an_address_that_shows_none_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="https"):
        connect("http://127.0.0.1:8710", tls=ssl.create_default_context())


class Library(ModuleType):
    """In place of sounddevice: a microphone that hears what it is told to."""

    PortAudioError = OSError

    InputStream = OutputStream = staticmethod(lambda **options: contextlib.nullcontext())


@pytest.fixture
async def card(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SoundCard]:
    monkeypatch.setitem(sys.modules, "sounddevice", Library("sounddevice"))
    with SoundCard() as opened:
        yield opened


def hear(card: SoundCard, values: range) -> None:
    for value in values:
        card._listen(np.full((CHUNK_SAMPLES, 1), value, np.float32), CHUNK_SAMPLES, None, None)


class Recorder:
    """In place of a client: keeps the first sample of what is sent, and answers with one event, then nothing."""

    resource = None

    def __init__(self, *events: ServerEvent) -> None:
        self.sent: list[float] = []
        self.events = events
        self.has_told = asyncio.Event()

    async def __aenter__(self) -> "Recorder":
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[ServerEvent]:
        for event in self.events:
            yield event
        self.has_told.set()
        await asyncio.Event().wait()

    async def send_audio(self, samples: np.ndarray) -> None:
        self.sent.append(float(samples[0]))

    async def close(self) -> None:
        pass


async def test_what_the_microphone_heard_before_the_session_is_not_sent_and_later_sound_goes_at_once(
    card: SoundCard,
) -> None:
    session = Recorder()
    hear(card, range(40))
    await asyncio.sleep(0)
    sending = asyncio.create_task(send_microphone(session, card))  # pyright: ignore[reportArgumentType]
    await asyncio.sleep(0)
    hear(card, range(100, 130))
    for _ in range(100):
        await asyncio.sleep(0)
    sending.cancel()
    assert session.sent == list(range(100, 130))


@pytest.mark.parametrize(("gate", "sent"), [(EchoGate(), 0.0), (None, 0.5)], ids=["speaker", "headphones"])
async def test_the_microphone_is_shut_to_the_speaker_unless_there_are_headphones(
    monkeypatch: pytest.MonkeyPatch, gate: EchoGate | None, sent: float
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Library("sounddevice"))
    with SoundCard(gate=gate) as card:
        sound = np.full((CHUNK_SAMPLES, 1), 0.5, np.float32)
        card.speaker.push(np.full(WIRE_HZ, 0.5, np.float32))
        for _ in range(3):
            card._play(np.empty_like(sound), CHUNK_SAMPLES, None, None)
        hearing = asyncio.ensure_future(anext(card.heard()))
        await asyncio.sleep(0)
        card._listen(sound, CHUNK_SAMPLES, None, None)
        assert (await hearing == sent).all()


@pytest.mark.parametrize("has_headphones", [False, True])
def test_talk_gates_the_microphone_unless_it_is_told_of_headphones(
    monkeypatch: pytest.MonkeyPatch, has_headphones: bool
) -> None:
    gates: list[EchoGate | None] = []

    def no_card(microphone: str | None, speaker: str | None, gate: EchoGate | None) -> SoundCard:
        gates.append(gate)
        raise MediaError("no sound card")

    monkeypatch.setattr("microturn.client.talk.SoundCard", no_card)
    asked = CliRunner().invoke(app, ["talk", *(["--headphones"] if has_headphones else [])])
    assert isinstance(asked.exception, MediaError)
    assert [gate is None for gate in gates] == [has_headphones]


async def test_a_conversation_that_is_broken_off_still_prints_what_was_said(
    card: SoundCard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Recorder(heard(" hello there", 0))
    talking = asyncio.create_task(
        converse(session, Console(file=io.StringIO()), None, tmp_path / "reply.wav", (None, None))  # pyright: ignore[reportArgumentType]
    )
    await session.has_told.wait()
    talking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talking
    assert "hello there" in capsys.readouterr().out
