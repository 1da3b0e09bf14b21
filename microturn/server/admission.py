"""How much one address and one key may have at once, and in a second, and how often an address may guess."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from enum import StrEnum

from starlette.requests import HTTPConnection

from microturn.errors import ProtocolError
from microturn.server.keys import ANYBODY
from microturn.server.limits import Limits, MessageRate, SharedLimits

_MAX_ADDRESSES = 4_096
"""Addresses that are remembered; the oldest is forgotten."""
_SCOPE_KEY = "microturn.allowance"


class Good(StrEnum):
    """What is rationed."""

    REQUESTS = "requests"
    MESSAGES = "messages"
    CHARS = "characters"
    MEDIA_BYTES = "bytes of media"


class Share:
    """The buckets of one key or one address.

    Args:
        whose: As an error names it.
    """

    def __init__(self, whose: str, limits: SharedLimits) -> None:
        self.whose = whose
        self.per_s = {
            Good.REQUESTS: limits.max_requests_per_s,
            Good.MESSAGES: limits.max_messages_per_s,
            Good.CHARS: limits.max_chars_per_s,
            Good.MEDIA_BYTES: limits.max_media_bytes_per_s,
        }
        self._buckets = {good: MessageRate(per_s, int(per_s * limits.burst_s)) for good, per_s in self.per_s.items()}

    def has(self, good: Good, now_ns: int, cost: int) -> bool:
        """Whether so much is left."""
        return self._buckets[good].admits(now_ns, cost=0, at_least=cost)

    def take(self, good: Good, now_ns: int, cost: int) -> None:
        """Take so much."""
        self._buckets[good].admits(now_ns, cost)


class Allowance:
    """What one connection may use of what its key and its address have together."""

    def __init__(self, shares: Sequence[Share] = ()) -> None:
        self._shares = shares

    def shortage(self, good: Good, now_ns: int, cost: int = 1) -> ProtocolError | None:
        """Take from every share; where one has too little left, take nothing, and say whose and what to do."""
        for share in self._shares:
            if not share.has(good, now_ns, cost):
                return ProtocolError(
                    f"more than {share.per_s[good]:.0f} {good} a second from all connections of this {share.whose}: "
                    "send less, and this again in a second",
                    code="rate_limit_exceeded",
                )
        for share in self._shares:
            share.take(good, now_ns, cost)
        return None


UNLIMITED = Allowance()
"""For who shares with nobody."""


def allowance_of(connection: HTTPConnection) -> Allowance:
    """What the gate has let a connection have."""
    return connection.scope.get(_SCOPE_KEY, UNLIMITED)


def give_allowance(connection: HTTPConnection, allowance: Allowance) -> None:
    """Let a connection have it; whoever holds the connection finds it by ``allowance_of``."""
    connection.scope[_SCOPE_KEY] = allowance


class Admission:
    """Counts connections, what they use, and failures to show a key. This machine's own address has no limit of its
    own, and a server without keys none for its key.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._by_holder: Counter[str] = Counter()
        self._failures: OrderedDict[str, MessageRate] = OrderedDict()
        self._address_shares: OrderedDict[str, Share] = OrderedDict()
        self._holder_shares: dict[str, Share] = {}

    def allowance(self, address: str | None, holder: str | None) -> Allowance:
        """What a connection shares with others of its address, None for this machine, and of its key, None for none."""
        shares: list[Share] = []
        if holder is not None and holder != ANYBODY.name:
            share = self._holder_shares.get(holder) or Share("key", self._limits.per_key)
            shares.append(self._holder_shares.setdefault(holder, share))
        if address is not None:
            share = self._address_shares.pop(address, None) or Share("address", self._limits.per_address)
            self._address_shares[address] = share
            if len(self._address_shares) > _MAX_ADDRESSES:
                self._address_shares.popitem(last=False)
            shares.append(share)
        return Allowance(shares)

    def admits(self, address: str | None, holder: str) -> bool:
        """Whether another connection is within the limits. None is this machine."""
        is_full = address is not None and self._by_address[address] >= self._limits.max_connections_per_address
        return not is_full and self._by_holder[holder] < self._limits.max_connections_per_key

    def enter(self, address: str | None, holder: str) -> None:
        """Count a connection in."""
        if address is not None:
            self._by_address[address] += 1
        self._by_holder[holder] += 1

    def leave(self, address: str | None, holder: str) -> None:
        """Count a connection out."""
        for counter, name in ((self._by_address, address), (self._by_holder, holder)):
            if name is not None:
                counter[name] -= 1
                if counter[name] <= 0:
                    del counter[name]

    def is_blocked(self, address: str | None, now_ns: int) -> bool:
        """Whether an address has shown too many wrong keys to be heard now."""
        rate = None if address is None else self._failures.get(address)
        return rate is not None and not rate.admits(now_ns, cost=0, at_least=1)

    def may_guess(self, address: str | None, now_ns: int) -> bool:
        """Take note of a wrong key; False once an address has shown too many."""
        if address is None:
            return True
        rate = self._failures.pop(address, None)
        if rate is None:
            per_s = self._limits.max_wrong_keys_per_minute / 60
            rate = MessageRate(per_s, self._limits.max_wrong_keys_per_minute)
        self._failures[address] = rate
        if len(self._failures) > _MAX_ADDRESSES:
            self._failures.popitem(last=False)
        return rate.admits(now_ns)
