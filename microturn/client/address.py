"""From the address that `microturn serve` prints to the one that a client connects to."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

LIVE_PATH = "/v1/live/sessions"
DEFAULT_URL = "http://127.0.0.1:8710"
_SCHEMES = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a server's live surface is."""

    url: str
    """``ws://`` or ``wss://``."""
    key: str | None
    """The key that the address carries after its ``#``, as the page's does."""


def parse_address(text: str) -> Address:
    """Read an address: of a server, of its page with ``#key=``, or of the live surface itself.

    Raises:
        ValueError: no address of a server.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(f"{text!r} is not the address of a server: give one like {DEFAULT_URL}")
    path = parts.path.rstrip("/").removesuffix(LIVE_PATH).removesuffix("/v1")
    key = parse_qs(parts.fragment).get("key", [None])[0]
    return Address(url=f"{scheme}://{parts.netloc}{path}{LIVE_PATH}", key=key)
