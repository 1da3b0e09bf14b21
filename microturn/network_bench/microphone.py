"""What a client on a bench says and hears, by the clock, whatever carries it."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microturn.evals.exchange import LONGEST_LATENCY_MS

_LOUD = 0.01
"""Speech is louder than this somewhere in a piece of sound."""
_OVER_AFTER_S = 2.5
"""An answer is over when neither sound nor words have come for so long: slow counting pauses for less."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back to one request."""

    heard: str
    """The transcript of the request."""
    text: str
    """Of the captions."""
    latency_ms: float | None
    """From the last sample of the request to the first sound, by the clock; None if no sound came."""


class Microphone:
    """A queue of what is to be said, with silence after it, at one sample rate."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._waiting = np.zeros(0, np.float32)
        self._left_to_end: int | None = None
        self._ended_s: asyncio.Future[float] | None = None

    def say(self, sound: NDArray[np.float32], end_ms: float) -> asyncio.Future[float]:
        """Speak next. The result is the time of the clock at which ``end_ms`` of the sound has been taken."""
        self._waiting = np.concatenate([self._waiting, sound])
        self._left_to_end = round(end_ms * self.sample_rate / 1000)
        self._ended_s = asyncio.get_running_loop().create_future()
        return self._ended_s

    def take(self, num_samples: int) -> NDArray[np.float32]:
        """The next (num_samples,) in [-1, 1]."""
        piece, self._waiting = self._waiting[:num_samples], self._waiting[num_samples:]
        if self._left_to_end is not None and self._ended_s is not None:
            self._left_to_end -= num_samples
            if self._left_to_end <= 0:
                self._ended_s.set_result(time.monotonic() + self._left_to_end / self.sample_rate)
                self._left_to_end = None
        return np.pad(piece, (0, num_samples - len(piece)))


class Earphone:
    """Notes when sound and words come back."""

    def __init__(self) -> None:
        self._transcript = ""
        self._words: list[tuple[float, str]] = []
        self._loud_s: list[float] = []
        self._came = asyncio.Event()

    def hear(self, samples: NDArray[np.float32]) -> None:
        """A piece of the model's sound, (num_samples,) in [-1, 1]."""
        if np.abs(samples).max(initial=0.0) > _LOUD:
            self._loud_s.append(time.monotonic())
            self._came.set()

    def read(self, text: str) -> None:
        """A piece of the model's captions."""
        self._words.append((time.monotonic(), text))
        self._came.set()

    def transcribe(self, text: str) -> None:
        """A piece of what the model has understood of the request."""
        self._transcript += text

    def forget(self) -> None:
        """A new request begins: what is transcribed from now on belongs to it."""
        self._transcript = ""

    async def answer(self, since_s: float, within_s: float) -> Answer:
        """What comes back after a moment, once it is over. ``within_s`` bounds the wait."""
        deadline_s = time.monotonic() + within_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._came.clear()
            quiet_s = _OVER_AFTER_S if self._has_come(since_s) else LONGEST_LATENCY_MS / 1000 + _OVER_AFTER_S
            try:
                await asyncio.wait_for(self._came.wait(), min(quiet_s, left_s))
            except TimeoutError:
                break
        first_s = next((at_s for at_s in self._loud_s if at_s >= since_s), None)
        text = "".join(text for at_s, text in self._words if at_s >= since_s)
        latency_ms = None if first_s is None else (first_s - since_s) * 1000
        return Answer(heard=self._transcript.strip(), text=text.strip(), latency_ms=latency_ms)

    def _has_come(self, since_s: float) -> bool:
        return any(at_s >= since_s for at_s in self._loud_s)
