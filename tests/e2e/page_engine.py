"""A scripted engine with something to see: a user who asks it to count, a model that counts and is cut off."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np

from microturn.testing.scripted_engine import Answer, ScriptedEngine, ScriptedSession
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind
from microturn.turns.timing import OUT_HZ, OUT_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

HEARD = {2: " count", 3: " to", 4: " ten", 22: " stop"}
SAID = {6: " one", 8: " two", 10: " three", 13: " four", 15: " five", 17: " six"}
CUT_OFF_AT = 23
NOTE_AT = 26
ASK_AT = 29


def answer(turn: MicroTurnInput) -> MicroTurnOutput:
    """The same seven seconds for ever."""
    at = turn.index % 36
    is_speaking = 6 <= at < CUT_OFF_AT
    time_s = np.arange(OUT_SAMPLES_PER_TURN) / OUT_HZ
    tone = 0.2 * np.sin(2 * np.pi * 220 * time_s) * np.sin(np.pi * time_s / time_s[-1])
    notes = [f"You typed: {event.text}" for event in turn.events] + ["Stopped at six."] * (at == NOTE_AT)
    asks = [Piece(kind=PieceKind.ACT, text="ask 1: what comes after six")] * (at == ASK_AT)
    return MicroTurnOutput(
        index=turn.index,
        hear=HEARD.get(at, ""),
        say=SAID.get(at, ""),
        audio=tone.astype(np.float32) if is_speaking else None,
        is_clear=at == CUT_OFF_AT,
        pieces=(*(Piece(kind=PieceKind.TEXT, text=text) for text in notes), *asks),
    )


class _Session:
    """A scripted session with believable costs."""

    def __init__(self, session: ScriptedSession, frames: list[VideoFrame]) -> None:
        self._session = session
        self.frames = frames
        self.push_audio, self.push_text, self.restrain = session.push_audio, session.push_text, session.restrain
        self.close, self.park, self.past = session.close, session.park, session.past
        self.resume_token, self.next_sample = session.resume_token, session.next_sample

    def push_frame(self, frame: VideoFrame) -> None:
        self.frames.append(frame)
        self._session.push_frame(frame)

    async def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        wobble = itertools.cycle([0.0, 2.1, 0.7, 3.4, 1.2, 9.0, 0.3])
        async for output, trace in self._session.outputs():
            extra_ms = next(wobble)
            flow_ms, vocoder_ms = (24.0 + extra_ms, 8.5) if output.is_speaking else (0.0, 0.0)
            yield (
                output,
                replace(
                    trace,
                    features_ms=0.6,
                    prefill_ms=7.5 + extra_ms,
                    decode_ms=4.0 * bool(output.hear or output.say),
                    flow_ms=flow_ms,
                    vocoder_ms=vocoder_ms,
                ),
            )


class PageEngine:
    """What the page is shown with."""

    def __init__(self, answer: Answer = answer) -> None:
        self.scripted = ScriptedEngine(answer)
        self.frames: list[VideoFrame] = []
        """Every picture that came."""

    async def open(self, instructions: str | None = None, seed: int | None = None) -> _Session:
        return _Session(await self.scripted.open(instructions, seed), self.frames)

    async def resume(self, resume_token: str) -> _Session:
        return _Session(await self.scripted.resume(resume_token), self.frames)

    async def fork(self, resume_token: str) -> _Session:
        return _Session(await self.scripted.fork(resume_token), self.frames)
