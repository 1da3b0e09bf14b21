"""Who may connect: the key, the host that a browser believes to be talking to, and the page that it comes from."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from microturn.server.keys import ANYBODY, ClientSecrets, Holder, KeyRing, Right, digest_of

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""How a browser, which cannot set headers, hands over a key: OpenAI's own convention."""


_SENDABLE_KEY = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token in the sense of RFC 9110, which a subprotocol's name has to be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a connection is not accepted."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Access:
    """The rules of one server.

    Raises:
        ValueError: reachable beyond this machine, and no key; a key that a browser cannot send.
    """

    host: str
    """The address that the server listens on."""
    key: str | None = field(default=None, repr=False)
    """One key with all rights. Only its hash is compared."""
    holders: Mapping[bytes, Holder] = field(default_factory=dict[bytes, Holder], repr=False)
    """More keys, as ``keys.read_keys`` gives them."""
    secrets: ClientSecrets = field(default_factory=ClientSecrets, repr=False)
    """Those made so far."""
    _ring: KeyRing = field(init=False, repr=False)

    def __post_init__(self) -> None:
        own = {digest_of(self.key): Holder(name="key")} if self.key else {}
        object.__setattr__(self, "_ring", KeyRing({**self.holders, **own}))
        if not self.needs_key and not is_loopback(self.host):
            raise ValueError(
                f"--host {self.host} is reachable from other machines and needs a key: "
                "set MICROTURN_API_KEY or --key, or listen on 127.0.0.1"
            )

        if self.key and not _SENDABLE_KEY.fullmatch(self.key):
            raise ValueError(
                "the key holds characters that browsers cannot send: use letters, digits, '-', '_' and '.'"
            )

    @property
    def needs_key(self) -> bool:
        """Whether a key has to be shown."""
        return len(self._ring) > 0

    def refusal(self, connection: HTTPConnection) -> Refusal | None:
        """Why this connection is refused; None when it may come in."""
        admitted = self.admit(connection)
        return admitted if isinstance(admitted, Refusal) else None

    def admit(self, connection: HTTPConnection, right: Right = Right.CONNECT) -> Holder | Refusal:
        """Whose connection it is, or why it is refused."""
        asked_host = urlsplit(f"//{connection.headers.get('host', '')}")
        # Only our own name may lead here: a foreign page could make its own domain resolve to this machine.
        if is_loopback(self.host) and not is_loopback(asked_host.hostname or ""):
            return Refusal(status=403, code="wrong_host", message="this server answers to localhost and 127.0.0.1 only")
        origin = connection.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != asked_host.netloc:
            return Refusal(
                status=403, code="wrong_origin", message="pages of another site may not connect: use this server's page"
            )
        if not self.needs_key:
            return ANYBODY
        key = _offered_key(connection)
        holder = self._ring.holder_of(key) or self.secrets.holder_of(key, time.time())
        if holder is None:
            return Refusal(
                status=401, code="invalid_api_key", message="wrong or missing key: send Authorization: Bearer KEY"
            )
        if right not in holder.rights:
            return Refusal(
                status=403, code="no_right", message=f"this key has no right to {right}: use one that has it"
            )
        return holder


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    if host.strip("[]").lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def chosen_subprotocol(connection: HTTPConnection) -> str | None:
    """The subprotocol to accept: the first that is not a key."""
    return next((name for name in _subprotocols(connection) if not name.startswith(KEY_SUBPROTOCOL)), None)


def _offered_key(connection: HTTPConnection) -> str:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    offered = (name for name in _subprotocols(connection) if name.startswith(KEY_SUBPROTOCOL))
    return next(offered, "").removeprefix(KEY_SUBPROTOCOL)


def _subprotocols(connection: HTTPConnection) -> list[str]:
    header = connection.headers.get("sec-websocket-protocol", "")
    return [name.strip() for name in header.split(",") if name.strip()]
