"""How much one address and one key may have at once, and how often an address may guess."""

from collections import Counter, OrderedDict

from microturn.server.limits import Limits, MessageRate

_MAX_ADDRESSES = 4_096
"""Addresses whose failures are remembered; the oldest is forgotten."""


class Admission:
    """Counts connections, and failures to show a key. This machine's own address has no limit of its own."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._by_holder: Counter[str] = Counter()
        self._failures: OrderedDict[str, MessageRate] = OrderedDict()

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
