"""Keys: kept as hashes, compared in constant time, each with a name and rights; and short-lived client secrets.

Keys that we make hold 256 random bits, so one SHA-256 is enough to keep them: there is nothing to guess. A key is shown
once, when it is made; the file holds its hash.
"""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from microturn.errors import MicroturnError

KEY_PREFIX = "mt_"
SECRET_PREFIX = "ek_"
MIN_SECRET_S, DEFAULT_SECRET_S, MAX_SECRET_S = 10, 600, 7_200
"""How long a client secret may last, as in OpenAI's API."""
MAX_SECRETS = 4_096
"""Secrets that are valid at once; the oldest goes first."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Right(StrEnum):
    """What a key may be used for."""

    CONNECT = "connect"  # hold sessions
    MINT = "mint"  # make client secrets
    METRICS = "metrics"  # read figures about the server
    CONTROL = "control"  # attach to, fork and end the key's own sessions by their id


ALL_RIGHTS = frozenset(Right)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Whose key it is."""

    name: str
    rights: frozenset[Right] = ALL_RIGHTS


class RightsError(ValueError):
    """Rights were asked for that cannot be handed out."""


ANYBODY = Holder(name="anybody")
"""Whoever reaches a server without keys, which listens on its own machine only."""


class KeyRing:
    """The keys that a server takes.

    Args:
        holders: By SHA-256 of the key.
    """

    def __init__(self, holders: Mapping[bytes, Holder]) -> None:
        self._holders = dict(holders)

    def __len__(self) -> int:
        return len(self._holders)

    def holder_of(self, key: str) -> Holder | None:
        """Whose key it is; None for nobody's. Takes the same time whichever it is."""
        digest = digest_of(key)
        found: Holder | None = None
        for known, holder in self._holders.items():
            if hmac.compare_digest(known, digest):
                found = holder
        return found


def digest_of(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


def read_keys(path: Path) -> dict[bytes, Holder]:
    """The keys of a file: a name, ``sha256:`` with the hash, and the rights on each line.

    Raises:
        MicroturnError: the file cannot be read, or a line is none of ours.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise MicroturnError(f"{path} cannot be read ({error.strerror}): make it with 'microturn keys add'") from None
    holders: dict[bytes, Holder] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, kept, rights = line.split()
            digest = bytes.fromhex(kept.removeprefix("sha256:"))
            holder = Holder(name=name, rights=frozenset(Right(right) for right in rights.split(",")))
            if len(digest) != hashlib.sha256().digest_size:
                raise ValueError(kept)
        except ValueError:
            raise MicroturnError(
                f"line {number} of {path} is no key: write 'name sha256:HEX connect,mint,metrics,control'"
            ) from None
        holders[digest] = holder
    return holders


def add_key(path: Path, name: str, rights: frozenset[Right]) -> str:
    """Make a key and append its hash to a file that only its owner can read; returns the key, which is kept nowhere.

    Raises:
        ValueError: a name that does not fit on a line, or that the file has.
        MicroturnError: the file cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a key: use up to 64 letters, digits, '.', '_' and '-'")
    if path.exists() and any(holder.name == name for holder in read_keys(path).values()):
        raise ValueError(f"{path} has a key for {name!r}: take its line out first, or choose another name")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    path.touch(mode=0o600, exist_ok=True)
    with path.open("a") as file:
        file.write(f"{name} sha256:{digest_of(key).hex()} {','.join(sorted(rights))}\n")
    return key


CLIENT_RIGHTS = frozenset({Right.CONNECT})
"""What a client secret may do unless more is asked for."""


class ClientSecrets:
    """Secrets for browsers and phones: they end soon, and connect only, unless more is asked for. Kept in memory, as
    hashes."""

    def __init__(self) -> None:
        self._secrets: OrderedDict[bytes, tuple[float, Holder]] = OrderedDict()

    def mint(self, maker: Holder, *, lasts_s: int, now_s: float, rights: frozenset[Right] = CLIENT_RIGHTS) -> str:
        """A new secret, whose sessions count as its maker's.

        Who may mint may hand out ``connect``: an application's backend need not hold sessions itself. Every other right
        has to be the maker's own. None can be handed ``mint``: a secret that makes secrets would never end.

        Raises:
            ValueError: too short or too long a life.
            RightsError: rights that this maker cannot hand out.
        """
        if not MIN_SECRET_S <= lasts_s <= MAX_SECRET_S:
            raise ValueError(f"a secret for {lasts_s} s: choose {MIN_SECRET_S} to {MAX_SECRET_S}")
        if not rights:
            raise RightsError("a secret without rights opens nothing: name one, or leave rights out")
        if refused := sorted(rights - ((maker.rights | CLIENT_RIGHTS) - {Right.MINT})):
            raise RightsError(f"this key cannot hand out {', '.join(refused)}: choose among its own rights but mint")
        self._expire(now_s)
        secret = SECRET_PREFIX + secrets.token_urlsafe(32)
        self._secrets[digest_of(secret)] = (
            now_s + lasts_s,
            Holder(name=maker.name, rights=rights),
        )
        if len(self._secrets) > MAX_SECRETS:
            self._secrets.popitem(last=False)
        return secret

    def holder_of(self, secret: str, now_s: float) -> Holder | None:
        """Whose it is, and what it may do; None when it is none, or over."""
        self._expire(now_s)
        # The hash of 256 random bits is looked up: what timing could tell about a hash does not lead to its secret.
        found = self._secrets.get(digest_of(secret))
        return found[1] if found else None

    def _expire(self, now_s: float) -> None:
        for digest in [digest for digest, (end_s, _) in self._secrets.items() if end_s <= now_s]:
            del self._secrets[digest]
