"""`microturn serve` as a process of its own, killed in mid-job: after its restart the user is told, and decides."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from process_harness import WITHIN_S, save_tiny, served
from server_harness import message, receive, receive_until, send_turns
from websockets.asyncio.client import ClientConnection, connect

pytest.importorskip("pydantic_ai")

from microturn.engine.journal import SqliteJournal
from microturn.recorded import JOURNAL_NAME
from microturn.testing.endpoint import EndpointReply, scripted_endpoint
from microturn.turns.micro_turn import Role

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]
PROGRAM = '''
import dataclasses
import sys
from microturn import cli, serving
from microturn.engine.runner import ModelRunner
from microturn.turns.micro_turn import Piece, PieceKind, Role

class Dictated(ModelRunner):
    """Babbles as its weights have it, but writes the acts that are typed to it and no others."""

    def step(self, rows, budget):
        results = super().step(rows, budget)
        for place, (row, result) in enumerate(zip(rows, results)):
            typed = [event.text for event in row.input.events if event.role is Role.USER]
            pieces = tuple(Piece(kind=PieceKind.ACT, text=text, is_end=True) for text in typed)
            results[place] = dataclasses.replace(result, output=dataclasses.replace(result.output, pieces=pieces))
        return results

serving.ModelRunner = Dictated
sys.argv[0] = "microturn"
cli.main()
'''


async def enable(socket: ClientConnection) -> str:
    await socket.send(message("microturn.extensions.enable", turns=False, jobs=True))
    return (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]


async def talk_until_job(socket: ClientConnection, state: str) -> dict:
    """Send silence, in step with the answers, until the page is shown a job in this state."""
    while True:
        await send_turns(socket, 1)
        while (event := await receive(socket))["type"] != "session.output_audio.delta":
            if event["type"] == "microturn.job" and event["state"] == state:
                return event


async def test_a_process_that_is_killed_in_mid_job_says_so_when_it_is_back_and_tries_again_on_a_yes(tmp_path: Path):
    save_tiny(tmp_path / "tiny")
    replies = [EndpointReply(text="Oslo is", stalls_after=1), EndpointReply(text="Oslo is the capital.")]
    async with asyncio.timeout(WITHIN_S), scripted_endpoint(replies) as endpoint:
        options: dict[str, object] = {
            "--model": tmp_path / "tiny",
            "--record": tmp_path / "record",
            "--background": endpoint.base_url,
            "--background-model": "m",
        }
        async with (
            served(options, PROGRAM) as (process, url),
            connect(url, max_size=None) as socket,
        ):
            await socket.send(message("session.start", session={"model": "tiny"}))
            token = await enable(socket)
            await socket.send(message("microturn.text", text="ask 1: what is the capital of norway"))
            await talk_until_job(socket, "running")
            await endpoint.asked.wait()
            process.send_signal(signal.SIGKILL)
            await endpoint.left.wait()
        async with (
            served(options, PROGRAM) as (process, url),
            connect(url, max_size=None) as socket,
        ):
            await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "tiny"}))
            await enable(socket)
            job = await talk_until_job(socket, "failed")
            assert (job["question"], job["num_attempts"]) == ("what is the capital of norway", 0)
            assert job["text"] == "I was interrupted before I had the answer. Shall I try again?"
            await send_turns(socket, 3)
            for _ in range(3):
                await receive_until(socket, "session.output_audio.delta")
            assert len(endpoint.requests) == 1  # not of its own accord
            await socket.send(message("microturn.text", text="amend 1: yes"))
            assert (await talk_until_job(socket, "done"))["text"] == "Oslo is the capital."
            await send_turns(socket, 2)
            for _ in range(2):
                await receive_until(socket, "session.output_audio.delta")
            process.send_signal(signal.SIGTERM)
            await process.wait()
    assert len(endpoint.requests) == 2
    assert told(tmp_path / "record" / JOURNAL_NAME) == [
        "1 error: I was interrupted before I had the answer. Shall I try again?",
        "1 done: Oslo is the capital.",
    ]


def told(path: Path) -> list[str]:
    """What the model was told by the tool, as the journal has it."""
    journal = SqliteJournal(path)
    (session,) = journal.sessions()
    events = [event for turn in journal.turns(session.session_id) for event in turn.input.events]
    journal.close()
    return [event.text for event in events if event.role is Role.TOOL]
