"""The official openai package's Realtime client, unmodified, holds spoken and typed exchanges with our server."""

import asyncio
import base64
import json
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from server_harness import RunningServer, WatchedEngine, running_server, says, sound

from microturn.server.eagerness import RESTRAINT
from microturn.testing.scripted_engine import script
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role

CONVERSATION = script(
    [
        MicroTurnOutput(index=1, hear=" hello"),
        MicroTurnOutput(index=2, hear=" there"),
        says(4, " hi"),
        says(5, " friend"),
    ]
)


async def answers_until(connection: Any, kind: str) -> list[Any]:
    """Events up to one of a kind; silence goes on by itself."""
    events: list[Any] = []
    async for event in connection:
        events.append(event)
        if event.type == kind:
            break
    return events


def kinds_of(events: list[Any]) -> list[str]:
    return [event.type for event in events]


def connect(server: RunningServer, client: AsyncOpenAI | None = None) -> Any:
    return (client or server.client()).realtime.connect(model="gpt-realtime")


async def test_a_spoken_exchange() -> None:
    async with running_server(WatchedEngine(CONVERSATION)) as server, connect(server) as connection:
        created = await connection.recv()
        assert (created.type, created.session.model) == ("session.created", "nano")
        await connection.session.update(
            session={"type": "realtime", "instructions": "Be kind.", "output_modalities": ["audio"]}
        )
        updated = (await answers_until(connection, "session.updated"))[-1]
        assert updated.session.instructions == "Be kind."
        for _ in range(10):
            await connection.input_audio_buffer.append(audio=sound())
        events = await answers_until(connection, "response.done")
    assert [kind for kind in kinds_of(events) if "delta" not in kind] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    (heard,) = [event.transcript for event in events if event.type.endswith("transcription.completed")]
    assert heard == "hello there"
    message = events[-1].response.output[0]
    assert (events[-1].response.status, message.content[0].transcript) == ("completed", "hi friend")
    spoken = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
    assert len(spoken) == 2 * 4_800 * 2
    assert np.frombuffer(spoken, dtype="<i2").any()
    usage = events[-1].response.usage
    assert (usage.output_token_details.audio_tokens, usage.input_token_details.audio_tokens % 4) == (8, 0)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    user = next(e.item for e in events if e.type == "conversation.item.added")
    assert next(e for e in events if e.type == "response.output_item.added").item.id != user.id
    assert server.engine.sessions[0].inputs[0].events[0].text == "Be kind."


def answers_typing(turn: MicroTurnInput) -> MicroTurnOutput:
    return says(turn.index, " sure") if any(e.role is Role.USER for e in turn.events) else MicroTurnOutput(index=0)


async def test_the_eagerness_of_turn_detection_holds_the_model_back() -> None:
    engine = WatchedEngine(CONVERSATION)
    async with running_server(engine) as server, connect(server) as connection:
        for eagerness in ("low", "high", "auto", "low"):
            detection = {"type": "semantic_vad", "eagerness": eagerness}
            await connection.session.update(
                session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
            )
            updated = (await answers_until(connection, "session.updated"))[-1]
            assert updated.session.audio.input.turn_detection.eagerness == eagerness
            (session,) = engine.sessions
            assert session.restraint == RESTRAINT[eagerness]
        await connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await answers_until(connection, "session.updated")
        assert session.restraint == 0.0


async def test_a_typed_exchange_without_any_sound_from_the_client() -> None:
    async with running_server(WatchedEngine(answers_typing)) as server, connect(server) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ready?"}]}
        )
        await connection.response.create(response={"metadata": {"mine": "1"}})
        events = await answers_until(connection, "response.done")
    created = next(event for event in events if event.type == "response.created")
    assert created.response.metadata == {"mine": "1"}
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == [" sure"]
    assert not [kind for kind in kinds_of(events) if "audio.delta" in kind]
    assert events[-1].response.output[0].content[0].text == "sure"


async def test_a_response_that_the_model_breaks_off_is_cancelled() -> None:
    outputs = [says(1, " one"), says(2, " two"), MicroTurnOutput(index=3, is_clear=True, hear=" stop")]
    async with running_server(WatchedEngine(script(outputs))) as server, connect(server) as connection:
        events = await answers_until(connection, "response.done")
    assert events[-1].response.status == "cancelled"
    assert events[-1].response.status_details.reason == "turn_detected"


async def test_a_client_that_cancels_hears_no_more_of_it() -> None:
    outputs = [says(turn, f" {turn}") for turn in range(1, 6)]
    async with running_server(WatchedEngine(script(outputs))) as server, connect(server) as connection:
        await answers_until(connection, "response.output_audio.delta")
        await connection.response.cancel()
        events = await answers_until(connection, "response.done")
        assert events[-1].response.status == "cancelled"
        await connection.conversation.item.truncate(
            item_id=events[-1].response.output[0].id, content_index=0, audio_end_ms=100
        )
        assert kinds_of(await answers_until(connection, "conversation.item.truncated")) == [
            "conversation.item.truncated"
        ]


async def test_a_pause_does_not_end_what_was_cancelled() -> None:
    outputs = [says(turn, f" {turn}") for turn in range(1, 12, 2)]
    async with running_server(WatchedEngine(script(outputs))) as server, connect(server) as connection:
        await answers_until(connection, "response.output_audio.delta")
        await connection.response.cancel()
        await answers_until(connection, "response.done")
        while len(server.engine.sessions[0].inputs) < 14:  # noqa: ASYNC110 - the server lets time pass by itself
            await asyncio.sleep(0.02)
        await connection.input_audio_buffer.commit()
        assert "response.created" not in kinds_of(await answers_until(connection, "input_audio_buffer.committed"))


async def test_a_function_call_after_words_ends_the_response_soon() -> None:
    piece = Piece(kind=PieceKind.ACT, text="ask 1: Oslo")
    outputs = [says(1, " one moment"), MicroTurnOutput(index=2, pieces=(piece,))]
    async with running_server(WatchedEngine(script(outputs))) as server, connect(server) as connection:
        await connection.session.update(session={"type": "realtime", "tools": [TOOL]})
        events = await answers_until(connection, "response.done")
        assert [item.type for item in events[-1].response.output] == ["message", "function_call"]
        assert len(server.engine.sessions[0].inputs) < 15


TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}


def asks(turn: MicroTurnInput) -> MicroTurnOutput:
    if any(event.text.startswith("1 done") for event in turn.events):
        return says(turn.index, " cold")
    piece = Piece(kind=PieceKind.ACT, text="ask 1: Oslo")
    return MicroTurnOutput(index=0, pieces=(piece,) if turn.index == 2 else ())


async def test_a_request_to_the_background_is_a_function_call() -> None:
    async with running_server(WatchedEngine(asks)) as server, connect(server) as connection:
        await connection.session.update(session={"type": "realtime", "tools": [TOOL]})
        events = await answers_until(connection, "response.done")
        call = events[-1].response.output[0]
        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"place": "Oslo"})
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "minus two"}
        )
        await connection.response.create()
        events = await answers_until(connection, "response.done")
    assert events[-1].response.output[0].content[0].transcript == "cold"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("garbage", "invalid_json"),
        ('{"type": "nope"}', "unknown_event"),
        ('{"type": "input_audio_buffer.append", "audio": "!"}', "invalid_base64"),
        ('{"type": "response.cancel"}', "response_cancel_not_active"),
        ('{"type": "conversation.item.delete", "item_id": "x"}', "item_not_found"),
        ('{"type": "session.update", "session": {"type": "transcription"}}', "unsupported"),
        (
            '{"type": "conversation.item.create", "item": {"type": "function_call_output", '
            '"call_id": "x", "output": ""}}',
            "unknown_call",
        ),
        (
            '{"type": "conversation.item.create", "item": {"type": "message", "role": "user", '
            '"content": [{"type": "input_image", "image_url": "https://example.org/a.jpg"}]}}',
            "invalid_image",
        ),
    ],
)
async def test_a_bad_message_is_answered_and_the_session_goes_on(bad: str, code: str) -> None:
    async with running_server() as server, connect(server) as connection:
        await answers_until(connection, "conversation.created")
        await connection._connection.send(bad)
        assert (await connection.recv()).error.code == code
        await connection.input_audio_buffer.commit()
        assert await answers_until(connection, "input_audio_buffer.committed")


async def test_a_picture_in_a_message_reaches_the_model() -> None:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(file, "WEBP")
    url = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"

    def sees(turn: MicroTurnInput) -> MicroTurnOutput:
        return says(turn.index, " red") if turn.frames else MicroTurnOutput(index=0)

    async with running_server(WatchedEngine(sees)) as server, connect(server) as connection:
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": url}]}
        )
        events = await answers_until(connection, "response.output_audio_transcript.delta")
    assert events[-1].delta == " red"
