"""Sound between the event loop, which brings it in steps of a micro-turn, and the speaker's thread, which takes it."""

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

_PRIME_MS = 60
"""Silence before each stretch of speech: room for jitter."""
_MAX_BUFFERED_MS = 1_000
"""More than this is a delay that nobody wants: the oldest goes."""


class SpeakerBuffer:
    """Bounded, thread-safe, emptied at once by ``clear``."""

    def __init__(self, rate_hz: int) -> None:
        self._prime_samples = rate_hz * _PRIME_MS // 1000
        self._max_samples = rate_hz * _MAX_BUFFERED_MS // 1000
        self._pieces: deque[NDArray[np.float32]] = deque()
        self._num_samples = 0
        self._lock = threading.Lock()
        self.num_dropped_samples = 0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Play (num_samples,) after what waits."""
        with self._lock:
            if not self._num_samples:
                self._append(np.zeros(self._prime_samples, np.float32))
            self._append(samples)
            while self._num_samples > self._max_samples:
                dropped = self._pieces.popleft()
                self._num_samples -= len(dropped)
                self.num_dropped_samples += len(dropped)

    def clear(self) -> None:
        """Forget what waits."""
        with self._lock:
            self._pieces.clear()
            self._num_samples = 0

    def take(self, num_samples: int) -> NDArray[np.float32]:
        """The next (num_samples,), silence where nothing waits."""
        out = np.zeros(num_samples, np.float32)
        filled = 0
        with self._lock:
            while self._pieces and filled < num_samples:
                piece = self._pieces.popleft()
                part, rest = piece[: num_samples - filled], piece[num_samples - filled :]
                out[filled : filled + len(part)] = part
                filled += len(part)
                if len(rest):
                    self._pieces.appendleft(rest)
            self._num_samples -= filled
        return out

    def _append(self, samples: NDArray[np.float32]) -> None:
        self._pieces.append(samples)
        self._num_samples += len(samples)
