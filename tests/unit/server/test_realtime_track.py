"""What a Realtime client over WebRTC is told of the sound on its track: begun, played out, or dropped."""

import json
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from microturn.clock import SystemClock
from microturn.server.limits import Limits
from microturn.server.playout import PlayedTurn
from microturn.server.realtime.conversation import Conversation
from microturn.server.realtime.responses import END_AFTER_TURNS, Responses
from microturn.server.realtime.settings import RealtimeSettings
from microturn.server.realtime.usage import UsageMeter
from microturn.server.wire import REALTIME, Wire
from microturn.turns.timing import OUT_SAMPLES_PER_TURN

LOUD = np.full(OUT_SAMPLES_PER_TURN, 0.5, dtype=np.float32)
EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
TOLD = ("response.done", "output_audio_buffer.")


class Outbox:
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> str | None:
        raise AssertionError

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))


class Sink:
    """A track that keeps what it is given."""

    def __init__(self) -> None:
        self.played: list[bool] = []
        """Whether each micro-turn sounded."""
        self.num_cleared = 0

    buffered_ms = 0.0

    def play(self, samples: NDArray[np.float32] | None) -> None:
        self.played.append(samples is not None)

    def clear(self) -> None:
        self.num_cleared += 1


class Call:
    """The responses of a call, and what its client is told."""

    def __init__(self) -> None:
        numbers = count()
        self._outbox, self.sink = Outbox(), Sink()
        self._wire: Wire[Any] = Wire(self._outbox, REALTIME, Limits(), SystemClock(), lambda: f"event_{next(numbers)}")
        settings = RealtimeSettings(model="nano", voice="nano")
        self.responses = Responses(self._wire, Conversation(self._wire), settings, UsageMeter(), self.sink)
        self._indices = count()

    def play(self, *turns: str) -> None:
        """Micro-turns in their time: words, or none for silence."""
        for words in turns:
            audio = LOUD if words else None
            self.responses.play(PlayedTurn(index=next(self._indices), audio=audio, caption=words))

    async def told(self) -> list[str]:
        """The ends of responses and what became of the track, each with the number of its response."""
        self._wire.finish()
        await self._wire.run_sender()
        for event in self._outbox.sent:
            EVENT.validate_python(event)
        ids = [each["response"]["id"] for each in self._outbox.sent if each["type"] == "response.created"]
        return [
            f"{each['type'].rpartition('.')[2]} {ids.index(each.get('response_id') or each['response']['id'])}"
            for each in self._outbox.sent
            if each["type"].startswith(TOLD)
        ]


async def test_it_stops_when_all_was_said() -> None:
    call = Call()
    call.play("", " hello", " you", *[""] * END_AFTER_TURNS, "")
    assert await call.told() == ["started 0", "done 0", "stopped 0"]
    assert call.sink.played == [False, True, True, False, False, False, False]


async def test_a_pause_within_it_stops_nothing() -> None:
    call = Call()
    call.play(" hello", "", " you")
    assert await call.told() == ["started 0"]


async def test_what_is_on_the_track_plays_out_when_its_response_is_cancelled() -> None:
    call = Call()
    call.play(" hello")
    call.responses.cancel()
    assert await call.told() == ["started 0", "done 0"]
    call.play(" and so on", " and on")
    assert await call.told() == ["started 0", "done 0", "stopped 0"]
    assert call.sink.num_cleared == 0
    assert call.sink.played == [True, False, False]


async def test_the_client_cuts_it_off_after_cancelling() -> None:
    call = Call()
    call.play(" hello")
    call.responses.cancel()
    call.responses.clear()
    call.responses.clear()
    assert await call.told() == ["started 0", "done 0", "cleared 0"]
    assert call.sink.num_cleared == 2
    call.play(" and so on", *[""] * END_AFTER_TURNS, " new")
    assert await call.told() == ["started 0", "done 0", "cleared 0", "started 1"]


async def test_to_cut_it_off_is_to_cancel_it_too() -> None:
    call = Call()
    call.play(" hello")
    call.responses.clear()
    call.play(" and so on")
    assert await call.told() == ["started 0", "done 0", "cleared 0"]
    assert call.sink.played == [True, False]


async def test_an_interruption_clears_it() -> None:
    call = Call()
    call.play(" hello")
    call.responses.interrupted()
    call.play("")
    assert await call.told() == ["started 0", "done 0", "cleared 0"]


async def test_one_response_stops_before_the_next_starts() -> None:
    call = Call()
    call.play(" hello")
    call.responses.request(None)
    call.play(" again")
    assert await call.told() == ["started 0", "done 0", "stopped 0", "started 1"]


async def test_there_is_nothing_to_tell_of_silence() -> None:
    call = Call()
    call.play("", "")
    call.responses.clear()
    assert await call.told() == []
