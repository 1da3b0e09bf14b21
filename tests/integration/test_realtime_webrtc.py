"""Realtime over WebRTC: a real aiortc peer, the official client for the call, events on the data channel."""

import httpx
import numpy as np
import pytest
from openai import BadRequestError
from server_harness import WatchedEngine, message, running_server, says

from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput

pytest.importorskip("aiortc")
from webrtc_harness import Tone, call


def answers_the_tone(turn: MicroTurnInput) -> MicroTurnOutput:
    """Speaks for two turns in ten, as soon as it hears the tone."""
    if np.abs(turn.audio).max() < 0.1:
        return MicroTurnOutput(index=turn.index)
    return says(turn.index, " hello", hear=" tone") if turn.index % 10 < 2 else MicroTurnOutput(index=turn.index)


async def test_a_spoken_exchange() -> None:
    async with running_server(WatchedEngine(answers_the_tone)) as server, call(server, Tone()) as caller:
        answer = await server.client().realtime.calls.create(
            sdp=await caller.offer(), session={"type": "realtime", "instructions": "Be kind."}
        )
        assert answer.response.headers["location"].startswith("/v1/realtime/calls/sess_")
        await caller.accept(answer.text)
        created = await caller.until("session.created")
        assert created["session"]["instructions"] == "Be kind."
        seen: list[str] = []
        while not seen or seen[-1] != "output_audio_buffer.stopped":
            event = await caller.events.get()
            seen.append(event["type"])
            if event["type"] == "response.done":
                done = event["response"]
        assert "response.output_audio.delta" not in seen  # sound is on the track
        assert seen.index("response.content_part.added") < seen.index("output_audio_buffer.started")
        assert seen.index("response.done") < seen.index("output_audio_buffer.stopped")
        assert done["output"][0]["content"][0]["transcript"].startswith("hello")
        usage = done["usage"]
        assert usage["input_token_details"]["audio_tokens"] > usage["output_token_details"]["audio_tokens"] > 0
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]

        voice = await caller.voice.get()
        while np.abs((await voice.recv()).to_ndarray()).max() < 3_000:
            pass
        caller.channel.send(message("input_audio_buffer.append", audio="AAAA"))
        assert (await caller.until("error"))["error"]["code"] == "unsupported"
        await caller.connection.close()
        assert await server.engine.closed.get() is server.engine.sessions[0]


async def test_the_client_cuts_the_voice_off() -> None:
    engine = WatchedEngine(lambda turn: says(turn.index, " on and on"))
    async with running_server(engine) as server, call(server, Tone()) as caller:
        answer = await server.client().realtime.calls.create(sdp=await caller.offer(), session={"type": "realtime"})
        await caller.accept(answer.text)
        started = await caller.until("output_audio_buffer.started")
        caller.channel.send(message("response.cancel"))
        caller.channel.send(message("output_audio_buffer.clear"))
        done = await caller.until("response.done")
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        ended = await caller.events.get()
        # The voice may have played out in the meantime, where the two messages came apart.
        assert ended["type"] in ("output_audio_buffer.cleared", "output_audio_buffer.stopped")
        assert ended["response_id"] == started["response_id"] == done["response"]["id"]


async def test_a_bare_offer_with_a_client_secret_is_answered() -> None:
    async with running_server(key="key") as server, call(server, Tone()) as caller, server.client("key") as client:
        secret = (await client.realtime.client_secrets.create()).value
        headers = {"content-type": "application/sdp", "authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient() as browser:
            url = f"{client.base_url}realtime/calls"
            answer = await browser.post(url, headers=headers, content=await caller.offer())
        await caller.accept(answer.text)
        await caller.until("session.created")


@pytest.mark.parametrize(
    ("session", "code"),
    [({"type": "realtime"}, "invalid_sdp"), ({"type": "realtime", "instructions": 5}, "invalid_value")],
)
async def test_a_bad_call_is_answered(session: dict[str, object], code: str) -> None:
    async with running_server() as server:
        with pytest.raises(BadRequestError) as refused:
            await server.client().realtime.calls.create(sdp="v=0", session=session)
        assert refused.value.code == code
        assert server.engine.sessions == []
