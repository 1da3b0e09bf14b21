"""The doctor names what is wrong, and what to do."""

import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from microturn.doctor.checks import check_machine, check_sound, check_weights
from microturn.doctor.finding import Verdict
from microturn.doctor.network import Extra, check_extras, check_port, check_udp
from microturn.doctor.speed import check_speed, speed_of
from microturn.engine.ladder import Budget
from microturn.engine.step import RowIn, RowOut
from microturn.server.tls import self_signed
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import OUT_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace


@contextmanager
def http_server(body: bytes, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """Something that answers everything with one body, in the clear or with a certificate."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_free_port_is_good() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (finding,) = check_port("127.0.0.1", port)
    assert finding.verdict is Verdict.GOOD


def test_our_own_server_on_the_port_is_good_and_another_program_is_not() -> None:
    with http_server(json.dumps({"status": "ok", "model": "nano"}).encode()) as port:
        (finding,) = check_port("127.0.0.1", port)
        assert finding.verdict is Verdict.GOOD
        assert "nano" in finding.text
    with http_server(b"<html>") as port:
        (finding,) = check_port("127.0.0.1", port)
        assert finding.verdict is Verdict.BAD
        assert "--port" in finding.remedy


def test_our_own_server_with_a_certificate_of_its_own_is_good(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    body = json.dumps({"status": "ok", "model": "nano"}).encode()
    with http_server(body, self_signed(tmp_path, "127.0.0.1")) as port:
        (finding,) = check_port("127.0.0.1", port)
    assert finding.verdict is Verdict.GOOD
    assert f"nano on https://127.0.0.1:{port}" in finding.text


def test_a_program_on_the_port_that_speaks_no_http_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_hang_up_on, args=(listener, 2), daemon=True).start()
        (finding,) = check_port("127.0.0.1", listener.getsockname()[1])
    assert finding.verdict is Verdict.BAD


def _hang_up_on(listener: socket.socket, times: int) -> None:
    for _ in range(times):
        caller, _ = listener.accept()
        caller.sendall(b"220 mail\r\n")
        caller.close()


def test_datagrams_arrive_here_and_not_at_another_machine_s_address() -> None:
    (here,) = check_udp()
    assert here.verdict is Verdict.GOOD
    (elsewhere,) = check_udp("192.0.2.1")
    assert elsewhere.verdict is Verdict.NOTE
    assert "WebSocket" in elsewhere.remedy


def test_what_is_not_installed_is_named_with_what_goes_without_it() -> None:
    there = Extra(name="json", packages=("json",), purpose="no JSON")
    gone = Extra(name="WebRTC", packages=("json", "no_such_package", "no_such.part"), purpose="a WebSocket")
    installed, missing = check_extras((there, gone))
    assert installed.verdict is Verdict.GOOD
    assert missing.verdict is Verdict.NOTE
    assert missing.text == "no_such_package, no_such.part not installed: a WebSocket"
    assert "microturn[serve]" in missing.remedy


def test_an_address_that_is_not_this_machine_s_is_bad() -> None:
    (finding,) = check_port("192.0.2.1", 8710)
    assert finding.verdict is Verdict.BAD
    assert "--host" in finding.remedy


def test_sound_devices_are_listed_by_the_number_that_talk_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [
        {"name": "Built-in", "max_input_channels": 1, "max_output_channels": 0},
        {"name": "Phones", "max_input_channels": 0, "max_output_channels": 2},
    ]
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(query_devices=lambda: devices))
    microphone, speaker = check_sound()
    assert (microphone.text, speaker.text) == ("0: Built-in", "1: Phones")


def test_without_the_sound_library_the_page_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    (finding,) = check_sound()
    assert finding.verdict is Verdict.NOTE
    assert "microturn[talk]" in finding.remedy


def test_weights_that_are_not_there_are_bad_and_their_speed_is_not_measured(tmp_path: Path) -> None:
    (finding,) = check_weights(tmp_path)
    assert finding.verdict is Verdict.BAD
    assert "config.json" in finding.text
    assert list(check_speed(tmp_path)) == []


def test_the_machine_is_described() -> None:
    python, cores = check_machine()
    assert python.verdict is Verdict.GOOD
    assert cores.text[0].isdigit()


class Clockwork:
    """A runner whose micro-turns take as long as it is told; it says what it is given to say."""

    model_hash = "clockwork"

    def __init__(self, *, listening_ms: float, speaking_ms: float, can_speak: bool = True) -> None:
        self._costs_ms = (listening_ms, speaking_ms)
        self._can_speak = can_speak
        self._is_speaking = False

    def open(self, seed: int) -> int:
        return 0

    def release(self, slot: int) -> None:
        pass

    def step(self, rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        (row,) = rows
        self._is_speaking |= self._can_speak and any(event.script for event in row.input.events)
        index = row.input.index
        audio = np.zeros(OUT_SAMPLES_PER_TURN, np.float32) if self._is_speaking else None
        trace = TurnTrace(index=index, decode_ms=self._costs_ms[self._is_speaking])
        return [RowOut(output=MicroTurnOutput(index=index, audio=audio), tokens=(), trace=trace)]


@pytest.mark.parametrize(
    ("speaking_ms", "verdict"), [(60.0, Verdict.GOOD), (190.0, Verdict.NOTE), (210.0, Verdict.BAD)]
)
def test_a_machine_that_listens_in_time_has_to_speak_in_time_too(speaking_ms: float, verdict: Verdict) -> None:
    found = speed_of(Clockwork(listening_ms=20.0, speaking_ms=speaking_ms))  # pyright: ignore[reportArgumentType]
    assert found.verdict is verdict
    assert "listening takes 20 ms" in found.text
    assert f"speaking takes {speaking_ms:.0f} ms" in found.text


def test_weights_that_never_speak_are_noted() -> None:
    found = speed_of(Clockwork(listening_ms=20.0, speaking_ms=0.0, can_speak=False))  # pyright: ignore[reportArgumentType]
    assert found.verdict is Verdict.NOTE
    assert "no micro-turn of speaking" in found.text


@pytest.mark.slow
def test_nano_is_measured_listening_and_speaking() -> None:
    (found,) = check_speed(None)
    assert "of listening takes" in found.text
    assert "of speaking takes" in found.text
