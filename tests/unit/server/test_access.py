"""Who may connect."""

import pytest
from starlette.requests import HTTPConnection

from microturn.server.access import Access, is_loopback


def connection(**headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "websocket", "path": "/", "headers": raw})


LOCAL = Access(host="127.0.0.1")
OPEN = Access(host="0.0.0.0", key="k3y")


@pytest.mark.parametrize("host", ["127.0.0.1:8710", "localhost:8710", "[::1]:8710"])
def test_local_programs_and_our_page_come_in(host: str) -> None:
    assert LOCAL.refusal(connection(host=host)) is None
    assert LOCAL.refusal(connection(host=host, origin=f"http://{host}")) is None


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", ""])
def test_other_origins_stay_out(origin: str) -> None:
    refusal = LOCAL.refusal(connection(host="127.0.0.1:8710", origin=origin))
    assert refusal is not None
    assert refusal.code == "wrong_origin"


def test_a_foreign_name_that_resolves_to_this_machine_stays_out() -> None:
    refusal = LOCAL.refusal(connection(host="evil.example", origin="http://evil.example"))
    assert refusal is not None
    assert refusal.code == "wrong_host"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic k3y", "k3y"])
def test_beyond_this_machine_the_key_decides(authorization: str) -> None:
    refusal = OPEN.refusal(connection(host="talk.example", authorization=authorization))
    assert refusal is not None
    assert refusal.status == 401


def test_a_key_comes_by_header_or_by_subprotocol() -> None:
    assert OPEN.refusal(connection(host="talk.example", authorization="Bearer k3y")) is None
    protocols = "microturn.v1, openai-insecure-api-key.k3y"
    assert OPEN.refusal(connection(host="talk.example", sec_websocket_protocol=protocols)) is None


def test_a_key_that_browsers_cannot_send_is_refused() -> None:
    with pytest.raises(ValueError, match="letters"):
        Access(host="127.0.0.1", key="a/b=")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.8.9.1", True), ("::1", True), ("0.0.0.0", False), ("example.org", False), ("", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
