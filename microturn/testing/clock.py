"""A clock that a test moves by hand."""

from microturn.turns.timing import ns_of_ms


class ManualClock:
    """Stands still until it is advanced."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance_ms(self, span_ms: float) -> int:
        """Moves on by a span and returns the new time in nanoseconds."""
        if span_ms < 0:
            raise ValueError(f"a clock cannot go back by {-span_ms} ms: advance by a span of 0 or more")
        self._now_ns += ns_of_ms(span_ms)
        return self._now_ns

    def advance_to_ns(self, time_ns: int) -> int:
        """Moves on to a moment and returns it; a moment in the past changes nothing."""
        self._now_ns = max(self._now_ns, time_ns)
        return self._now_ns
