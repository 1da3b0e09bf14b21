"""A server as a subject: anything that speaks GPT-Live, ours or another's, over a WebSocket and in real time.

Each session is a connection of its own that streams the user's sound at the pace of a microphone. What comes back is
put where it was heard: sound by when it came, captions with the sound that they came with. A server of ours also tells
of each micro-turn: what it took down and wrote lies there, and a ``clear`` drops what is not yet played. Pictures are
not sent.

Times in an answer are reply time, one micro-turn before playback, as for every other subject; what the network adds
counts.
"""

import asyncio
import json
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from microturn.clock import Clock, SystemClock
from microturn.data.acoustics import resample
from microturn.errors import MicroturnError
from microturn.evals.subject import Session
from microturn.protocol.codec import AudioCodec, from_base64, to_base64
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.timing import IN_HZ, OUT_HZ, OUT_SAMPLES_PER_TURN, TEXT_LEAD_MS, TURN_MS, ms_of_ns

_CODEC = AudioCodec(encoding="audio/pcm", rate_hz=OUT_HZ)
_CHUNK_MS = 40
_START_WITHIN_S = 20.0
_TAIL_S = 1.0
"""How long answers are waited for after the user's last sound."""


@dataclass(kw_only=True)
class Heard:
    """What one session got back."""

    num_turns: int
    clock: Clock = field(default_factory=SystemClock)
    start_ns: int = 0
    sound: NDArray[np.float32] = field(init=False)
    """As it would have been played, from the start of the session."""
    begin: int = 0
    end: int = 0
    """Where in it the latest piece lies."""
    hear: dict[int, str] = field(default_factory=dict[int, str])
    captions: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """Words said, each with the time at which their sound begins to be played."""
    pieces: dict[int, list[Piece]] = field(default_factory=dict[int, list[Piece]])
    clears: set[int] = field(default_factory=set[int])
    has_turns: bool = False
    """The server tells of each micro-turn."""

    def __post_init__(self) -> None:
        self.sound = np.zeros((self.num_turns + 1) * OUT_SAMPLES_PER_TURN, np.float32)

    def now_ms(self) -> float:
        return ms_of_ns(self.clock.now_ns() - self.start_ns)

    def play(self, samples: NDArray[np.float32]) -> None:
        """Sound that came now: it is played at once, or after what is still being played."""
        begin = max(self.end, round(self.now_ms() * OUT_HZ / 1000))
        room = self.sound[begin : begin + len(samples)]
        room += samples[: len(room)]
        self.begin, self.end = begin, begin + len(samples)

    def clear(self) -> None:
        """Drops sound that is not yet played, and the captions of it."""
        now_ms = self.now_ms()
        now = round(now_ms * OUT_HZ / 1000)
        self.sound[now:] = 0.0
        self.begin, self.end = min(self.begin, now), min(self.end, now)
        self.captions = [(playing_ms, text) for playing_ms, text in self.captions if playing_ms < now_ms]

    @property
    def playing_ms(self) -> float:
        """When the latest sound begins to be played."""
        return self.begin * 1000 / OUT_HZ if self.end else self.now_ms()

    def put(self, texts: dict[int, str], reply_ms: float, text: str) -> None:
        turn = min(max(0, int(reply_ms // TURN_MS)), self.num_turns - 1)
        texts[turn] = texts.get(turn, "") + text

    def outputs(self) -> list[MicroTurnOutput]:
        made: list[MicroTurnOutput] = []
        say: dict[int, str] = {}
        for playing_ms, text in self.captions:
            self.put(say, playing_ms - TURN_MS - TEXT_LEAD_MS, text)
        for k in range(self.num_turns):
            sound = self.sound[(k + 1) * OUT_SAMPLES_PER_TURN : (k + 2) * OUT_SAMPLES_PER_TURN]
            made.append(
                MicroTurnOutput(
                    index=k,
                    hear=self.hear.get(k, ""),
                    say=say.get(k, ""),
                    pieces=tuple(self.pieces.get(k, ())),
                    is_clear=k in self.clears,
                    audio=sound if sound.any() else None,
                )
            )
        return made


class LiveSubject:
    """A server at an address.

    Args:
        url: ``ws://HOST:PORT/v1/live/sessions`` or ``wss://``; the path may be left out.
        key: what it asks for.
        model: what is asked for there.
    """

    is_sighted = False

    def __init__(self, url: str, *, key: str | None = None, model: str = "nano") -> None:
        rest = url.partition("://")[2]
        self._url = url if "/" in rest.rstrip("/") else url.rstrip("/") + "/v1/live/sessions"
        self._key, self._model = key, model
        self.name = url

    def answer(self, sessions: Sequence[Session]) -> list[list[MicroTurnOutput]]:
        """All of them at once, in real time. Raises MicroturnError when the server cannot be talked to."""

        async def hold_all() -> list[list[MicroTurnOutput]]:
            return list(await asyncio.gather(*(self._hold(session) for session in sessions)))

        return asyncio.run(hold_all())

    async def _hold(self, session: Session) -> list[MicroTurnOutput]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        heard = Heard(num_turns=len(session))
        try:
            async with connect(self._url, additional_headers=headers, max_size=None) as socket:
                await self._start(socket)
                heard.start_ns = heard.clock.now_ns()
                listening = asyncio.create_task(listen(socket, heard))
                try:
                    await _speak(socket, session, heard)
                    await asyncio.sleep(_TAIL_S)
                finally:
                    listening.cancel()
        except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise MicroturnError(f"{self._url} cannot be talked to ({why}): is a server running there?") from error
        return heard.outputs()

    async def _start(self, socket: ClientConnection) -> None:
        audio = {"format": {"type": "audio/pcm", "rate": OUT_HZ}}
        await _send(socket, type="session.start", session={"model": self._model, "audio": audio})
        async with asyncio.timeout(_START_WITHIN_S):
            while (event := json.loads(await socket.recv()))["type"] != "session.started":
                if event["type"] == "error":
                    raise MicroturnError(f"{self._url} refused a session: {event['error']['message']}")
        await _send(socket, type="microturn.extensions.enable", turns=True)  # another's server refuses, and goes on


async def _speak(socket: ClientConnection, session: Session, heard: Heard) -> None:
    sound = resample(np.concatenate([turn.audio for turn in session]), IN_HZ, OUT_HZ)
    chunk = OUT_HZ * _CHUNK_MS // 1000
    for begin in range(0, len(sound), chunk):
        if begin % OUT_SAMPLES_PER_TURN == 0:
            await _give_texts(socket, session[begin // OUT_SAMPLES_PER_TURN])
        await asyncio.sleep(max(0.0, (begin + chunk) / OUT_HZ - heard.now_ms() / 1000))
        await _send(
            socket, type="session.input_audio.append", audio=to_base64(_CODEC.encode(sound[begin : begin + chunk]))
        )


async def _give_texts(socket: ClientConnection, turn: MicroTurnInput) -> None:
    for event in turn.events:
        await _send(socket, **_text_message(event))


def _text_message(event: TextEvent) -> dict[str, Any]:
    """A text event as the wire has it. Reports of a background, which a server has itself, go in as words to say."""
    if event.role is Role.USER:
        return {"type": "microturn.text", "text": event.text}
    if event.role is Role.SYSTEM:
        return {"type": "session.instructions.append", "content": event.text, "delegation_id": None}
    words = event.text.partition(": ")[2] or event.text
    return {"type": "session.commentary.append", "content": words, "delegation_id": None}


async def listen(messages: AsyncIterable[str | bytes], heard: Heard) -> None:
    """Takes in what a server sends."""
    async for message in messages:
        event = json.loads(message)
        match event["type"]:
            case "session.output_audio.delta":
                heard.play(_CODEC.decode(from_base64(event["delta"], param="delta")))
            case "microturn.extensions.enabled":
                heard.has_turns = True
            case "microturn.turn":
                _take_turn(event, heard)
            case "session.input_transcript.delta" if not heard.has_turns:
                heard.put(heard.hear, heard.now_ms() - TURN_MS, event["delta"])
            case "session.output_transcript.delta":
                heard.captions.append((heard.playing_ms, event["delta"]))
            case _:
                pass


def _take_turn(event: dict[str, Any], heard: Heard) -> None:
    k = event["index"]
    if event["clear"]:
        heard.clear()
    if k >= heard.num_turns:
        return
    heard.hear[k] = event["hear"]
    heard.pieces[k] = [
        Piece(kind=PieceKind(piece["kind"]), text=piece["text"], is_end=piece["is_end"]) for piece in event["pieces"]
    ]
    if event["clear"]:
        heard.clears.add(k)


async def _send(socket: ClientConnection, **event: Any) -> None:
    await socket.send(json.dumps(event))
