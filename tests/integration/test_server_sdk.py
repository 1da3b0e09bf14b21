"""The official openai package, unmodified, holds a session with our server."""

import asyncio
import base64

import numpy as np
import pytest
from openai import AuthenticationError, OpenAI
from openai.types.live import InfoEvent, OutputAudioDeltaEvent, SessionClosedEvent, SessionStartedEvent
from server_harness import (
    TONE,
    RunningServer,
    WatchedEngine,
    message,
    raw_session,
    receive_until,
    running_server,
    says,
    sound,
)
from websockets.exceptions import InvalidStatus

from microturn.testing.scripted_engine import script
from microturn.turns.micro_turn import MicroTurnOutput, Role

CONVERSATION = script(
    [
        MicroTurnOutput(index=1, hear=" hello"),
        says(2, " one"),
        says(3, " two", hear=" stop"),
        says(4, " three"),
        MicroTurnOutput(index=5, is_clear=True),
    ]
)


def samples_of(delta: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(delta), dtype="<i2")


async def test_a_whole_session_with_the_official_client() -> None:
    async with running_server(WatchedEngine(CONVERSATION)) as server, server.client().live.connect() as connection:
        await connection.session.start(session={"model": "nano", "instructions": "Be kind."}, event_id="mine")
        started = await connection.recv()
        assert isinstance(started, SessionStartedEvent)
        assert (started.client_event_id, started.session.model, started.session.instructions) == (
            "mine",
            "nano",
            "Be kind.",
        )

        # In step, as in a real conversation: the next sound comes when the last was answered.
        await connection.session.input_audio.append(audio=sound())
        sounds: list[np.ndarray] = []
        heard = said = ""
        async for event in connection:
            if isinstance(event, OutputAudioDeltaEvent):
                sounds.append(samples_of(event.delta))
                if len(sounds) < 8:
                    await connection.session.input_audio.append(audio=sound())
                else:
                    await connection.session.close(event_id="bye")
            elif event.type == "session.input_transcript.delta":
                heard += event.delta
            elif event.type == "session.output_transcript.delta":
                said += event.delta
        last = event

    assert isinstance(last, SessionClosedEvent)
    assert (last.reason, last.client_event_id, last.usage.seconds) == ("close_requested", "bye", pytest.approx(1.6))
    assert heard == " hello stop"
    # " three" was to sound in turn 5, which dropped it: nobody heard it, so nobody reads it.
    assert said == " one two"
    # A continuous stream, 200 ms a turn: silence, speech, and silence from the interruption on.
    assert [len(each) for each in sounds] == [4800] * 8
    assert [bool(each.any()) for each in sounds] == [False, False, True, True, True, False, False, False]
    np.testing.assert_allclose(sounds[2] / 32768, TONE, atol=1e-4)
    assert server.engine.sessions[0].is_closed


async def test_the_sound_reaches_the_engine_at_sixteen_kilohertz() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)
    wire = base64.b64encode((tone * 32768).astype("<i2").tobytes()).decode()
    async with running_server() as server, server.client().live.connect() as connection:
        await connection.session.start(session={"model": "nano"})
        await connection.session.input_audio.append(audio=wire)
        num_sounds = 0
        async for event in connection:
            num_sounds += event.type == "session.output_audio.delta"
            if num_sounds == 5:
                break
    heard = np.concatenate([turn.audio for turn in server.engine.sessions[0].inputs])
    spectrum = np.abs(np.fft.rfft(heard[8_000:16_000]))
    assert heard.shape == (16_000,)
    assert spectrum.argmax() * 2 == 440
    assert np.abs(heard[4_000:]).max() == pytest.approx(0.5, abs=0.01)


async def test_what_a_stock_client_asks_for_and_we_lack_is_named() -> None:
    async with running_server() as server, server.client().live.connect() as connection:
        await connection.session.start(
            session={"model": "gpt-live-1", "audio": {"output": {"voice": "marin"}}, "store": True}
        )
        assert (await connection.recv()).session.audio.output.voice == "heart"
        notice = await connection.recv()
        assert isinstance(notice, InfoEvent)
        assert notice.code == "settings_replaced"
        assert all(name in notice.message for name in ("model", "voice", "store"))


async def test_mute_context_and_update_are_acknowledged() -> None:
    async with running_server() as server, server.client().live.connect() as connection:
        await connection.session.start(
            session={"model": "nano", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]}
        )
        await connection.recv()
        await connection.session.instructions.append(content="be brief", delegation_id=None, event_id="1")
        await connection.session.thinking.append(content="it rains", delegation_id=None, event_id="2")
        await connection.session.commentary.append(content="tea is ready", delegation_id=None, event_id="3")
        await connection.session.update(session={"delegation": {"type": "client"}}, event_id="4")
        await connection.session.input_audio.mute(event_id="5")
        loud = base64.b64encode(np.full(4_800, 9_000, dtype="<i2").tobytes()).decode()
        await connection.session.input_audio.append(audio=loud)
        await connection.session.input_audio.unmute(event_id="6")
        answers = [await connection.recv() for _ in range(6)]
        async for event in connection:
            if event.type == "session.output_audio.delta":
                break
    assert [(each.type, each.client_event_id) for each in answers if each.type != "session.output_audio.delta"] == [
        ("session.instructions.appended", "1"),
        ("session.thinking.appended", "2"),
        ("session.commentary.appended", "3"),
        ("session.updated", "4"),
        ("session.input_audio.muted", "5"),
        ("session.input_audio.unmuted", "6"),
    ]
    turn = server.engine.sessions[0].inputs[0]
    assert not turn.audio.any()
    assert [(event.role, event.text) for event in turn.events] == [
        (Role.USER, "hi"),
        (Role.SYSTEM, "be brief"),
        (Role.TOOL, "note: it rains"),
        (Role.TOOL, "say: tea is ready"),
    ]


@pytest.mark.parametrize(("encoding", "hz"), [("audio/pcm", 16_000), ("audio/pcmu", 8_000), ("audio/pcma", 8_000)])
async def test_every_audio_format_of_the_protocol(encoding: str, hz: int) -> None:
    async with running_server(WatchedEngine(script([says(0, " hi")]))) as server:
        async with raw_session(server, audio={"format": {"type": encoding, "rate": hz}}) as socket:
            silence = {"audio/pcmu": b"\xff", "audio/pcma": b"\xd5"}.get(encoding, b"\0\0") * (hz // 5)
            audio = base64.b64encode(silence).decode()
            await socket.send(message("session.input_audio.append", audio=audio))
            delta = (await receive_until(socket, "session.output_audio.delta"))["delta"]
            assert len(base64.b64decode(delta)) == len(silence)
        assert np.abs(server.engine.sessions[0].inputs[0].audio).max() < 1e-3


async def test_the_synchronous_client_works_as_well() -> None:
    def converse(server: RunningServer) -> list[str]:
        client = OpenAI(base_url=server.url + "v1", api_key="any")
        kinds: list[str] = []
        with client.live.connect() as connection:
            connection.session.start(session={"model": "nano"})
            connection.session.input_audio.append(audio=sound())
            for event in connection:
                kinds.append(event.type)
                if event.type == "session.output_audio.delta":
                    connection.session.close()
        return kinds

    async with running_server() as server:
        kinds = await asyncio.to_thread(converse, server)
    assert kinds == ["session.started", "session.output_audio.delta", "session.closed"]


async def test_a_key_is_checked() -> None:
    async with running_server(key="secret-key") as server:
        with pytest.raises((AuthenticationError, InvalidStatus)):
            async with server.client("wrong").live.connect():
                pass
        async with server.client("secret-key").live.connect() as connection:
            await connection.session.start(session={"model": "nano"})
            assert isinstance(await connection.recv(), SessionStartedEvent)
    assert server.url.endswith("/#key=secret-key")
