"""The server as a process of its own: it says where it listens, and a signal ends it in good order."""

import asyncio
import json
import signal
import sys

import pytest
from server_harness import WITHIN_S, message, receive, receive_until
from websockets.asyncio.client import connect

PROGRAM = """
import asyncio
from microturn.server.log import log_to_stderr
from microturn.server.serve import Listening, serve
from microturn.testing.scripted_engine import ScriptedEngine

log_to_stderr()
asyncio.run(serve(ScriptedEngine(), Listening(port=0), on_ready=lambda url: print(url, flush=True)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind exist on POSIX only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_tells_the_sessions_and_ends_the_process(number: signal.Signals) -> None:
    async with asyncio.timeout(3 * WITHIN_S):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with connect(url.replace("http", "ws") + "v1/live/sessions") as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            assert (await receive(socket))["type"] == "session.started"
            process.send_signal(number)
            assert (await receive_until(socket, "info"))["code"] == "server_stopping"
            assert (await receive(socket))["reason"] == "close_requested"
        _, log = await process.communicate()
    assert process.returncode == 0
    events = [json.loads(line) for line in log.decode().splitlines()]
    assert [event["event"] for event in events] == ["session started", "session ended"]
    assert events[1]["detail"] == "server_stopping"
