"""The relay at work: sessions in, replies out, on the sessions' own clock.

What a step computes is timed by the wall clock, and the answer begins to be heard that much later than the moment at
which the step could begin. Voice activity is followed as the sound comes and costs nothing extra. The answer is spoken
sentence by sentence, while the language model goes on; when the user speaks up, what was not yet heard is dropped.
Typed and reported texts are put to the language model like speech. Pictures are not seen.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from microturn.clock import Clock, SystemClock
from microturn.evals.relay.listening import WINDOW_MS, WINDOW_SAMPLES, Heard, Listener
from microturn.evals.relay.parts import Message, RelayParts, load_parts
from microturn.evals.relay.reply_track import ReplyTrack
from microturn.evals.subject import Session
from microturn.evals.wer import normal_words
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS, ms_of_ns, turn_of_ms, turn_start_ms

MOST_WORDS = 80
"""An answer is cut off there: small models ramble."""
MOST_MESSAGES = 8
"""So many past messages go to the language model, beside the instructions."""
_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+|\n+")


class _Job(NamedTuple):
    """Something to be answered."""

    at_ms: float
    """Media time at which its answer can begin to be computed."""
    text: str
    spent_ms: float


class RelaySubject:
    """A subject of the evaluation that is a chain of models."""

    is_sighted = False

    def __init__(self, parts: RelayParts, clock: Clock | None = None) -> None:
        self._parts = parts
        self._clock = clock or SystemClock()
        self.name = f"relay: {parts.name}"

    @classmethod
    def load(cls, weights: str | None = None) -> "RelaySubject":
        """The real parts, with a language model of one's own if its GGUF file is given.

        Raises:
            MissingDependencyError: a part is not installed.
        """
        return cls(load_parts(weights))

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        """One session after the other: a relay's latency is that of one session alone on the machine."""
        return [_Conversation(self._parts, self._clock, session).run() for session in sessions]


class _Conversation:
    """One session."""

    def __init__(self, parts: RelayParts, clock: Clock, session: Session) -> None:
        self._parts = parts
        self._clock = clock
        self._session = session
        self._listener = Listener(parts.new_activity(), self._is_complete)
        self._track = ReplyTrack(len(session))
        self._hears: list[tuple[int, str]] = []
        self._history: list[Message] = []
        self._answered_ms = 0.0
        self._deciding_ms = 0.0

    def run(self) -> list[MicroTurnOutput]:
        sound = np.concatenate([turn.audio for turn in self._session])
        texts = [(turn_start_ms(t.index + 1), event.text) for t in self._session for event in t.events]
        for first in range(0, len(sound) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
            now_ms = first / WINDOW_SAMPLES * WINDOW_MS + WINDOW_MS
            while texts and texts[0][0] <= now_ms:
                at_ms, text = texts.pop(0)
                self._answer(_Job(at_ms, text, 0.0))
            self._deciding_ms = 0.0
            turn = self._listener.hear(sound[first : first + WINDOW_SAMPLES])
            if turn is None:
                continue
            if turn.heard is Heard.BEGAN:
                self._track.cut(now_ms)
            else:
                self._transcribe(turn.samples, now_ms)
        return self._track.outputs(self._hears)

    def _is_complete(self, samples: NDArray[np.float32]) -> bool:
        start_ns = self._clock.now_ns()
        is_complete = self._parts.is_complete(samples)
        self._deciding_ms = ms_of_ns(self._clock.now_ns() - start_ns)
        return is_complete

    def _transcribe(self, samples: NDArray[np.float32], now_ms: float) -> None:
        start_ns = self._clock.now_ns()
        text = " ".join(normal_words(self._parts.recognise(samples)))
        spent_ms = self._deciding_ms + ms_of_ns(self._clock.now_ns() - start_ns)
        if text:
            self._hears.append((turn_of_ms(now_ms + spent_ms), text))
            self._answer(_Job(now_ms, text, spent_ms))

    def _answer(self, job: _Job) -> None:
        if heard := self._track.words_after(self._answered_ms):
            self._history.append(Message("assistant", heard))
        self._history.append(Message("user", job.text))
        self._answered_ms = job.at_ms
        start_ns, num_words = self._clock.now_ns(), 0
        for sentence in sentences(self._parts.chat.stream(self._history[-MOST_MESSAGES:])):
            speakable = [word for word in normal_words(sentence) if word.isascii()]
            words = speakable[: MOST_WORDS - num_words]
            if not words:
                continue
            num_words += len(words)
            utterance = self._parts.voice.say(" ".join(words))
            ready_ms = job.at_ms + job.spent_ms + ms_of_ns(self._clock.now_ns() - start_ns)
            self._track.say(utterance, max(ready_ms, float(TURN_MS)))
            if num_words >= MOST_WORDS:
                break


def sentences(pieces: Iterator[str]) -> Iterator[str]:
    """A stream of text, cut into sentences as soon as each is over."""
    text = ""
    for piece in pieces:
        *whole, text = _SENTENCE_END.split(text + piece)
        yield from whole
    yield text
