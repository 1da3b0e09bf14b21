"""Keeps the model from hearing itself where there are no headphones: the microphone is shut while the speaker plays.

This is no echo canceller. While something plays, silence is sent in place of the microphone, unless that is clearly
louder than the echo has been so far: whoever speaks up is heard, and the echo beneath them too. How loud the echo is in
this room, at this volume, is learnt from the first second of playing on. No clock and no thread in here: sound counts.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from microturn.client.live_client import WIRE_HZ

MARGIN_DB = 9.0
"""What is louder than the echo by so much is the user."""
_QUIET_DB = -60.0
"""What plays below this is silence."""
_ECHO_WITHIN_MS = 400
"""Buffers of the speaker and the microphone, and the room: echo comes no later."""
_LEARN_FROM_MS = 1_000
"""Before so much has been played, the microphone stays shut whatever it hears."""
_LEARN_OVER_MS = 5_000
_OPEN_AFTER_MS = 600
"""The pauses between words of somebody who is heard are shorter."""
_RELEARN_AFTER_MS = 2_000
"""Somebody who is heard for so long over a voice that does not stop is rather the echo: the volume was turned up."""
_ECHO_PERCENTILE = 95


class EchoGate:
    """Decides for each piece of the microphone's sound whether it is sent.

    ``played`` is told what goes to the speaker, ``passed`` what the microphone hears, both as it happens.
    """

    def __init__(self, rate_hz: int = WIRE_HZ) -> None:
        self._rate_hz = rate_hz
        self._played: deque[tuple[float, float]] = deque()
        """Level in dB and length in ms of what was played within ``_ECHO_WITHIN_MS``."""
        self._echoes: deque[tuple[float, float]] = deque()
        """How much louder, in dB, the microphone was than the speaker, and for how many ms: the last that were shut."""
        self._open_ms = 0.0
        """How long the gate stays open without anybody being loud."""
        self._over_ms = 0.0
        """How long somebody has been heard while something plays."""

    def played(self, samples: NDArray[np.float32]) -> None:
        """Take note of what the speaker gives, (num_samples,)."""
        self._played.append((_level_db(samples), self._length_ms(samples)))
        _keep_last(self._played, _ECHO_WITHIN_MS)

    def passed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is sent of what the microphone hears, (num_samples,): itself, or silence."""
        length_ms = self._length_ms(samples)
        playing_db = max((level for level, _ in self._played), default=_QUIET_DB)
        if playing_db <= _QUIET_DB:
            self._open_ms = self._over_ms = 0.0
            return samples
        gain_db = _level_db(samples) - playing_db
        echo_db = self._echo_db()
        is_loud = echo_db is not None and gain_db > echo_db + MARGIN_DB
        self._open_ms = _OPEN_AFTER_MS if is_loud else self._open_ms - length_ms
        if self._open_ms <= 0:
            self._over_ms = 0.0
            self._echoes.append((gain_db, length_ms))
            _keep_last(self._echoes, _LEARN_OVER_MS)
            return np.zeros_like(samples)
        self._over_ms += length_ms
        if self._over_ms > _RELEARN_AFTER_MS:
            self._echoes.clear()
            self._open_ms = 0.0
        return samples

    def _echo_db(self) -> float | None:
        """Level of the echo against what is played; None while too little is known."""
        if sum(length_ms for _, length_ms in self._echoes) < _LEARN_FROM_MS:
            return None
        return float(np.percentile([level for level, _ in self._echoes], _ECHO_PERCENTILE))

    def _length_ms(self, samples: NDArray[np.float32]) -> float:
        return len(samples) * 1000 / self._rate_hz


def _level_db(samples: NDArray[np.float32]) -> float:
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * float(np.log10(max(power, 1e-10)))


def _keep_last(pieces: deque[tuple[float, float]], span_ms: float) -> None:
    """Drop the oldest pieces beyond a span of time."""
    total_ms = sum(length_ms for _, length_ms in pieces)
    while pieces and total_ms - pieces[0][1] >= span_ms:
        total_ms -= pieces.popleft()[1]
