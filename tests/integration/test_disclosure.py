"""`microturn serve --disclosure` with the weights that ship: a client reads these words, and no others."""

import asyncio
import base64

import numpy as np
import pytest
from process_harness import WITHIN_S, served
from server_harness import message, receive
from websockets.asyncio.client import connect

pytestmark = pytest.mark.slow
DISCLOSURE = "you are talking to an artificial voice"
NUM_TURNS_AFTER = 10
MAX_TURNS = 100


async def test_the_captions_are_the_disclosure(tmp_path) -> None:
    room = np.random.default_rng(0).normal(0, 60, (MAX_TURNS, 4_800)).astype("<i2")
    captions, num_sounding, num_after = "", 0, 0
    async with (
        asyncio.timeout(WITHIN_S),
        served({"--disclosure": DISCLOSURE}) as (_, url),
        connect(url, max_size=None) as socket,
    ):
        await socket.send(message("session.start", session={"model": "nano"}))
        for samples in room:
            await socket.send(message("session.input_audio.append", audio=base64.b64encode(samples.tobytes()).decode()))
            while (event := await receive(socket))["type"] != "session.output_audio.delta":
                captions += event["delta"] if event["type"] == "session.output_transcript.delta" else ""
            num_sounding += np.frombuffer(base64.b64decode(event["delta"]), "<i2").any()
            num_after += len(captions.split()) >= len(DISCLOSURE.split())
            if num_after == NUM_TURNS_AFTER:
                break
    assert captions.strip() == DISCLOSURE
    assert num_sounding >= 5  # two seconds of speech are no less
