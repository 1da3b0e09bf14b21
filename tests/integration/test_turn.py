"""A call through a TURN relay: with no other way between browser and server, sound and events go both ways."""

import re

import numpy as np
import pytest
from server_harness import WatchedEngine, running_server, says

from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput

pytest.importorskip("aiortc")
from webrtc_harness import Caller, Tone

from microturn.testing.turn_relay import turn_relay

_HOST_CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (\S+) \d+ typ host.*\r\n", re.IGNORECASE)


def hears(turn: MicroTurnInput) -> MicroTurnOutput:
    return says(turn.index, " hello", hear=" tone" if np.abs(turn.audio).max() > 0.1 else "")


async def test_sound_and_events_go_through_the_relay() -> None:
    caller = Caller([Tone()])
    try:
        offer = await caller.offer()
        host = next(found[1] for found in _HOST_CANDIDATE.finditer(offer) if "." in found[1])
        async with (
            turn_relay(lent_host=host) as relay,
            running_server(WatchedEngine(hears), ice_servers=(relay.url,)) as server,
        ):
            offer = _HOST_CANDIDATE.sub(f"a=candidate:1 1 udp 1 {host} 9 typ host\r\n", offer)  # nobody there
            created = await server.client().live.create(
                session={"model": "nano"}, transport={"type": "webrtc", "sdp": offer}
            )
            assert relay.num_refused == 1  # the login was asked for
            assert "typ relay" in created.transport.sdp
            await caller.accept(_HOST_CANDIDATE.sub("", created.transport.sdp))
            await caller.until("session.started")
            assert "tone" in (await caller.until("session.input_transcript.delta"))["delta"]
            voice = await caller.voice.get()
            while np.abs((await voice.recv()).to_ndarray()).max() < 3_000:
                pass
            assert min(relay.num_to_peers, relay.num_from_peers) > 20
    finally:
        await caller.connection.close()


async def test_a_wrong_login_leaves_the_direct_way() -> None:
    caller = Caller([Tone()])
    try:
        async with turn_relay() as relay:
            wrong = relay.url.replace("secret", "wrong")
            async with running_server(WatchedEngine(hears), ice_servers=(wrong,)) as server:
                await caller.call(server)
                await caller.until("session.started")
                assert relay.num_refused >= 1
                assert not relay.allocations
    finally:
        await caller.connection.close()
