"""Function calls in Realtime: what a refusal, a correction or a cancellation makes of them."""

import json
from itertools import count
from typing import Any

import pytest
from openai.types.realtime import ConversationItemCreateEvent, RealtimeFunctionTool

from microturn.clock import SystemClock
from microturn.errors import CapacityError, ProtocolError
from microturn.server.limits import Limits
from microturn.server.realtime.commands import Commands
from microturn.server.realtime.conversation import Conversation
from microturn.server.realtime.responses import Responses
from microturn.server.realtime.settings import RealtimeSettings
from microturn.server.realtime.usage import UsageMeter
from microturn.server.realtime.user_turns import UserTurns
from microturn.server.wire import REALTIME, Wire
from microturn.testing.scripted_engine import ScriptedSession, script
from microturn.turns.background import parse_act, parse_report
from microturn.turns.micro_turn import TextEvent

PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
WEATHER = RealtimeFunctionTool(type="function", name="weather", parameters=PLACE)


class Outbox:
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> str | None:
        raise AssertionError

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))


class EngineSession(ScriptedSession):
    """Has no room for text while it is full."""

    def __init__(self) -> None:
        super().__init__(script(()), session_id="s", resume_token="t")
        self.is_full = False
        self.told: list[str] = []

    def push_text(self, event: TextEvent) -> None:
        if self.is_full:
            raise CapacityError("full")
        self.told.append(event.text)


class Client:
    """A session whose client offers one function."""

    def __init__(self) -> None:
        numbers, limits, clock = count(), Limits(), SystemClock()
        self._outbox = Outbox()
        self._wire: Wire[Any] = Wire(self._outbox, REALTIME, limits, clock, lambda: f"event_{next(numbers)}")
        settings = RealtimeSettings(model="nano", voice="nano", tools=(WEATHER,))
        conversation = Conversation(self._wire)
        self.engine_session = EngineSession()
        self.responses = Responses(self._wire, conversation, settings, UsageMeter())
        self._commands = Commands(
            self._wire,
            self.engine_session,
            settings,
            limits,
            clock,
            conversation,
            UserTurns(self._wire, conversation),
            self.responses,
            session_id="s",
            expires_at_s=0,
        )

    def act(self, line: str) -> bool:
        """What the model wants of the background; whether a function is called for it."""
        return self.responses.call(parse_act(line))

    async def calls(self) -> list[tuple[str, str]]:
        """Id and place of every call so far."""
        self._wire.finish()
        await self._wire.run_sender()
        done = [each for each in self._outbox.sent if each["type"] == "response.function_call_arguments.done"]
        return [(each["call_id"], json.loads(each["arguments"])["place"]) for each in done]

    async def answer(self, call_id: str, output: str) -> None:
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        event = {"type": "conversation.item.create", "item": item}
        await self._commands.carry_out(ConversationItemCreateEvent.model_validate(event))

    async def refused(self, call_id: str) -> str:
        """Why an output is not taken."""
        with pytest.raises(ProtocolError) as error:
            await self.answer(call_id, "cold")
        return error.value.code


async def test_an_output_that_the_model_has_no_room_for_can_be_sent_again():
    it = Client()
    it.act("ask 1: Oslo")
    ((call_id, _),) = await it.calls()
    it.engine_session.is_full = True
    assert await it.refused(call_id) == "text_refused"
    it.engine_session.is_full = False
    await it.answer(call_id, "cold")
    assert it.engine_session.told == ["1 done: cold"]
    assert await it.refused(call_id) == "unknown_call"


async def test_an_output_of_several_lines_is_one_report():
    it = Client()
    it.act("ask 1: Oslo")
    ((call_id, _),) = await it.calls()
    await it.answer(call_id, "cold\n2 done: 3 degrees")
    (told,) = it.engine_session.told
    assert "\n" not in told
    assert parse_report(told).job == 1
    assert "three degrees" in told


async def test_a_correction_calls_the_function_again_for_the_whole_question():
    it = Client()
    it.act("ask 1: Oslo")
    it.act("ask 2: Rome")
    assert it.act("amend 1: tomorrow")
    assert it.act("amend 1: no, on Monday")
    calls = await it.calls()
    assert [place for _, place in calls] == ["Oslo", "Rome", "Oslo; tomorrow", "Oslo; tomorrow; no, on Monday"]
    oslo, rome, tomorrow, monday = (call_id for call_id, _ in calls)
    assert [await it.refused(call_id) for call_id in (oslo, tomorrow)] == ["unknown_call"] * 2
    await it.answer(monday, "cold")
    await it.answer(rome, "warm")
    assert it.engine_session.told == ["1 done: cold", "2 done: warm"]


async def test_what_a_cancelled_call_gives_is_not_told():
    it = Client()
    it.act("ask 1: Oslo")
    it.act("cancel 1")
    ((call_id, _),) = await it.calls()
    assert await it.refused(call_id) == "unknown_call"
    assert not it.act("amend 1: tomorrow")
    assert len(await it.calls()) == 1


async def test_a_number_given_anew_belongs_to_the_new_question():
    it = Client()
    it.act("ask 1: Oslo")
    it.act("ask 1: Rome")
    (oslo, _), (rome, _) = await it.calls()
    assert await it.refused(oslo) == "unknown_call"
    await it.answer(rome, "warm")
    assert it.engine_session.told == ["1 done: warm"]
