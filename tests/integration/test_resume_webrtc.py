"""A session that began over WebRTC and lost its peer goes on over a WebSocket: the same conversation, no turn twice."""

import pytest
from server_harness import (
    RunningServer,
    WatchedEngine,
    message,
    receive,
    receive_until,
    running_server,
    says,
    send_turns,
)
from websockets.asyncio.client import connect

from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput

pytest.importorskip("aiortc")
from test_impaired_webrtc import through_a_network
from webrtc_harness import Caller, Tone, call


def counts(turn: MicroTurnInput) -> MicroTurnOutput:
    """Says each micro-turn's number."""
    return says(turn.index, f" {turn.index}")


async def conversed(caller: Caller) -> tuple[str, str, int]:
    """Some micro-turns over WebRTC; returns the session's id, its resume token, and the last index that came."""
    session_id = (await caller.until("session.started"))["session"]["id"]
    caller.channel.send(message("microturn.extensions.enable"))
    token = (await caller.until("microturn.extensions.enabled"))["resume_token"]
    while (turn := await caller.until("microturn.turn"))["index"] < 4:
        pass
    return session_id, token, turn["index"]


async def goes_on(server: RunningServer, session_id: str, token: str, last_index: int) -> None:
    """Over a WebSocket: under the same id, from where the conversation stood."""
    async with connect(server.live_url) as socket:
        await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
        started = await receive(socket)
        assert started["type"] == "session.started"
        assert started["session"]["id"] == session_id
        assert started["session"]["instructions"] == "Be kind."
        await socket.send(message("microturn.extensions.enable"))
        assert (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"] == token
        await send_turns(socket, 2)
        first, second = [await receive_until(socket, "microturn.turn") for _ in range(2)]
        assert first["index"] > last_index
        assert second["index"] == first["index"] + 1
        assert first["say"] == f" {first['index']}"
        # Sound over a WebSocket comes in messages, whatever it came in before.
        assert (await receive_until(socket, "session.output_audio.delta"))["delta"]
        await socket.send(message("session.close"))
        assert (await receive_until(socket, "session.closed"))["reason"] == "close_requested"
    (session,) = server.engine.sessions
    assert [turn.index for turn in session.inputs] == list(range(second["index"] + 1))


async def test_a_peer_that_closes_is_followed_by_a_websocket() -> None:
    async with running_server(WatchedEngine(counts)) as server, call(server, Tone()) as caller:
        await caller.call(server, instructions="Be kind.")
        conversation = await conversed(caller)
        await caller.connection.close()
        assert await server.engine.parked.get() is server.engine.sessions[0]
        await goes_on(server, *conversation)


async def test_a_network_that_goes_dead_is_followed_by_a_websocket_before_the_server_has_noticed() -> None:
    """Nothing is said for good-bye: to the server the old peer is merely quiet when the client comes back."""
    async with (
        running_server(WatchedEngine(counts)) as server,
        through_a_network(server, instructions="Be kind.") as (caller, link),
    ):
        conversation = await conversed(caller)
        link.stall()
        await goes_on(server, *conversation)
        assert server.engine.parked.empty()
