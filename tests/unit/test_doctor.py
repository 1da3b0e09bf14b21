"""The doctor names what is wrong, and what to do."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from microturn.doctor.checks import check_machine, check_port, check_sound, check_weights
from microturn.doctor.finding import Verdict
from microturn.doctor.speed import check_speed


@contextmanager
def http_server(body: bytes) -> Iterator[int]:
    """Something that answers everything with one body."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
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
