"""The background behind the live server: acts leave as jobs, what comes of them enters as text events."""

import asyncio
import base64
import datetime
import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server_harness import WITHIN_S, message, receive, receive_until, says, send_turns, sound
from websockets.asyncio.client import ClientConnection, connect

from microturn.background.backends.agent import AgentBackend, EndpointConfig
from microturn.background.backends.mcp import mcp_toolsets
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.background.ledger import Ledger, session_name
from microturn.background.limits import JobLimits
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.background.tools import builtin_tools
from microturn.errors import JournalError, MicroturnError
from microturn.server.serve import Listening, serve
from microturn.testing.endpoint import EndpointReply, scripted_endpoint
from microturn.testing.scripted_engine import Answer, ScriptedEngine, script
from microturn.turns.background import ReportKind, parse_report
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role

Serving = Callable[..., "asyncio.Task[None]"]


def act(index: int, text: str, *, is_end: bool = True, hear: str = "") -> MicroTurnOutput:
    return MicroTurnOutput(index=index, hear=hear, pieces=(Piece(kind=PieceKind.ACT, text=text, is_end=is_end),))


class Server:
    """A server with a scripted engine and a background, for one test."""

    def __init__(self, answer: Answer, coordinator: Coordinator, engine: ScriptedEngine | None = None) -> None:
        self.engine = engine or ScriptedEngine(answer)
        self.coordinator = coordinator
        self._stop = asyncio.Event()
        self._ready: asyncio.Queue[str] = asyncio.Queue()

    async def __aenter__(self) -> "Server":
        self._task = asyncio.create_task(
            serve(
                self.engine,
                Listening(port=0),
                background=self.coordinator,
                on_ready=self._ready.put_nowait,
                stop=self._stop,
            )
        )
        self.url = (await self._ready.get()).replace("http", "ws") + "v1/live/sessions"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task
        await self.coordinator.close()

    def connect(self) -> connect:
        return connect(self.url, max_size=None)

    def told(self) -> list[str]:
        """Everything that the tool told the interaction model."""
        events = [event for turn in self.engine.sessions[0].inputs for event in turn.events]
        return [event.text for event in events if event.role is Role.TOOL]


async def start(socket: ClientConnection) -> str:
    """Begin a session; returns its resume token."""
    await socket.send(message("session.start", session={"model": "nano"}))
    await socket.send(message("microturn.extensions.enable"))
    return (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]


async def talk_until_told(server: Server, socket: ClientConnection, kinds: tuple[str, ...] = ("done", "error")) -> str:
    """Send sound, in step with the answers, until the interaction model was told something of these kinds."""
    while True:
        for text in server.told():
            if parse_report(text).kind in kinds:
                return text
        await send_turns(socket, 1)
        await receive_until(socket, "session.output_audio.delta")


@pytest.fixture(autouse=True)
async def _limited():
    async with asyncio.timeout(3 * WITHIN_S):
        yield


async def test_a_spoken_question_comes_back_as_an_answer():
    answer = script([act(1, "ask 1: what is ", is_end=False), act(2, "three times four")])
    async with Server(answer, Coordinator(ToolsBackend(), builtin_tools())) as server, server.connect() as socket:
        await start(socket)
        assert await talk_until_told(server, socket) == "1 done: twelve"


NOON = datetime.datetime(2026, 5, 11, 12, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("where", "in_force", "time", "alarm_in_hours"),
    [
        ({"locale": "ne-NP", "time_zone": "Asia/Kathmandu"}, ("ne-NP", "Asia/Kathmandu"), "seventeen forty five", 1.25),
        ({"time_zone": "Nowhere/Yet"}, ("en", None), "twelve", 7),
        ({}, ("en", None), "twelve", 7),
    ],
)
async def test_the_clients_place_counts_for_times_of_day_and_alarms(
    where: dict[str, str], in_force: tuple[str, str | None], time: str, alarm_in_hours: float
):
    answer = script([act(0, "ask 1: what time is it"), act(1, "ask 2: set an alarm for 7 pm")])
    coordinator = Coordinator(ToolsBackend(), builtin_tools(), now=lambda: NOON)
    async with Server(answer, coordinator) as server, server.connect() as socket:
        await socket.send(message("session.start", session={"model": "nano"}))
        await socket.send(message("microturn.extensions.enable", jobs=True, **where))
        enabled = await receive_until(socket, "microturn.extensions.enabled")
        assert (enabled["locale"], enabled.get("time_zone")) == in_force
        assert time in await talk_until_told(server, socket)
        while (event := await receive_until(socket, "microturn.job"))["job"] != 2 or event["state"] != "done":
            await send_turns(socket, 1)
        assert event["text"] == "I will tell you today at 7:00 pm."
        assert event["cards"][0]["body"]["seconds"] == alarm_in_hours * 3_600


async def test_a_model_behind_an_address_is_told_the_users_place():
    pytest.importorskip("pydantic_ai")
    async with scripted_endpoint([EndpointReply(text="Noon.")]) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        async with Server(script([act(0, "ask 1: x")]), Coordinator(agent)) as server, server.connect() as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            where = {"locale": "de-AT", "time_zone": "Europe/Vienna"}
            await socket.send(message("microturn.extensions.enable", **where))
            await receive_until(socket, "microturn.extensions.enabled")
            await talk_until_told(server, socket)
            await socket.send(message("microturn.extensions.enable", locale="German, please"))
            assert (await receive_until(socket, "error"))["error"]["param"] == "locale"
    prompt = str(endpoint.requests[0]["messages"])
    assert "in Europe/Vienna. The user's locale is de-AT." in prompt


@pytest.mark.parametrize(("has_page", "more"), [(True, "The rest is on the page."), (False, "There is more.")])
async def test_a_long_answer_refers_to_the_page_where_there_is_one(has_page: bool, more: str):
    pytest.importorskip("pydantic_ai")
    long = EndpointReply(text="Oslo is old. " * 60, words_per_chunk=100)
    async with scripted_endpoint([long]) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        async with Server(script([act(3, "ask 1: x")]), Coordinator(agent)) as server, server.connect() as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            await socket.send(message("microturn.extensions.enable", jobs=has_page))
            await receive_until(socket, "microturn.extensions.enabled")
            assert (await talk_until_told(server, socket)).endswith(f"Oslo is old. {more}")


async def test_the_model_behind_is_given_what_was_said():
    answer = script([MicroTurnOutput(index=0, hear=" i am in norway"), act(1, "ask 1: what is the capital")])
    pytest.importorskip("pydantic_ai")
    async with scripted_endpoint([EndpointReply(text="Oslo.")]) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        async with Server(answer, Coordinator(agent)) as server, server.connect() as socket:
            await start(socket)
            assert await talk_until_told(server, socket) == "1 done: Oslo."
    assert "i am in norway" in str(endpoint.requests[0]["messages"])


MCP_SERVER = Path(__file__).parents[1] / "unit" / "background" / "mcp_server.py"
LOUD = base64.b64encode((np.ones(4_800) * 9_000).astype("<i2").tobytes()).decode()


class Attendant:
    """Stands for a model that hears: what is spoken first is a question, then a yes; what comes back it reads aloud."""

    def __init__(self, question: str) -> None:
        self._question = question
        self._is_asked = self._may_say_yes = False

    def __call__(self, turn: MicroTurnInput) -> MicroTurnOutput:
        said = ""
        for report in (parse_report(event.text) for event in turn.events if event.role is Role.TOOL):
            self._may_say_yes |= report.kind is ReportKind.SAY
            if report.kind is not ReportKind.NOTE:
                said += f" {report.text}"
        if said:
            return says(turn.index, said)
        if np.abs(turn.audio).max() < 0.1:
            return MicroTurnOutput(index=turn.index)
        if not self._is_asked:
            self._is_asked = True
            return act(turn.index, f"ask 1: {self._question}", hear=f" {self._question}")
        if self._may_say_yes:
            self._may_say_yes = False
            return act(turn.index, "amend 1: yes", hear=" yes")
        return MicroTurnOutput(index=turn.index)


async def talk_until_said(socket: ClientConnection, words: str) -> str:
    """Send silence until these words stand in the outgoing transcript; returns all of it that came meanwhile."""
    transcript = ""
    async with asyncio.timeout(6 * WITHIN_S):
        while words not in transcript:
            await send_turns(socket, 1)
            while (event := await receive(socket))["type"] != "session.output_audio.delta":
                if event["type"] == "session.output_transcript.delta":
                    transcript += event["delta"]
    return transcript


async def test_a_server_of_the_official_sdk_is_used_by_voice(tmp_path: Path):
    pytest.importorskip("pydantic_ai")
    pytest.importorskip("mcp")
    config = tmp_path / "mcp.json"
    program = {"command": sys.executable, "args": [str(MCP_SERVER)]}
    config.write_text(json.dumps({"mcpServers": {"home": program}}))

    def reply(request: dict[str, Any]) -> EndpointReply:
        """Calls the tool, and then answers with what it gave."""
        outputs = [each["content"] for each in request["messages"] if each["role"] == "tool"]
        if not outputs:
            return EndpointReply(tool="home_lamp", arguments={"room": "hall", "is_on": True})
        return EndpointReply(text=f"Done: {outputs[-1]}.")

    async with scripted_endpoint(reply) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"), mcp_toolsets(config))
        model = Attendant("switch the lamp in the hall on")
        coordinator = Coordinator(agent, limits=JobLimits(progress_every_ms=600_000))
        async with Server(model, coordinator) as server, server.connect() as socket:
            await start(socket)
            await socket.send(message("session.input_audio.append", audio=LOUD))
            await talk_until_said(socket, "May I use home lamp?")
            assert len(endpoint.requests) == 1  # nothing has been done yet
            await socket.send(message("session.input_audio.append", audio=LOUD))
            assert "the lamp in the hall is on" in await talk_until_said(socket, "is on.")
            assert [text for text in server.told() if parse_report(text).kind is not ReportKind.NOTE] == [
                "1 say: May I use home lamp?",
                "1 done: Done: the lamp in the hall is on.",
            ]
    offered = [tool["function"]["name"] for tool in endpoint.requests[0]["tools"]]
    assert {"home_lamp", "home_diary"} <= set(offered)


async def test_a_small_picture_of_a_tool_is_shown_with_the_answer(tmp_path: Path):
    pytest.importorskip("pydantic_ai")
    pytest.importorskip("mcp")
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"home": {"command": sys.executable, "args": [str(MCP_SERVER)]}}}))
    replies = [EndpointReply(tool="home_snapshot"), EndpointReply(text="Nobody is there.")]
    async with scripted_endpoint(replies) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"), mcp_toolsets(config))
        coordinator = Coordinator(agent, permissions=PermissionPolicy(rules={"home_*": Permission.ALLOW}))
        async with Server(script([act(0, "ask 1: x")]), coordinator) as server, server.connect() as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            await socket.send(message("microturn.extensions.enable", turns=False, jobs=True))
            await send_turns(socket, 1)
            while (event := await receive_until(socket, "microturn.job"))["state"] != "done":
                assert event["text"] == ""
            text, _, picture = event["text"].partition("\n\n")
            assert text == "Nobody is there."
            assert re.fullmatch(r"!\[home snapshot\]\(data:image/png;base64,[A-Za-z0-9+/]+=*\)", picture)
            assert await talk_until_told(server, socket) == "1 done: Nobody is there."


async def test_a_job_goes_on_while_the_client_is_away():
    pytest.importorskip("pydantic_ai")
    async with scripted_endpoint([EndpointReply(text="Oslo.", pause_ms=20)]) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        async with Server(script([act(0, "ask 1: x")]), Coordinator(agent)) as server:
            async with server.connect() as socket:
                token = await start(socket)
                await send_turns(socket, 1)
                await endpoint.asked.wait()
            await endpoint.left.wait()
            async with server.connect() as socket:
                resume = message("microturn.session.resume", resume_token=token, session={"model": "nano"})
                await socket.send(resume)
                await receive_until(socket, "session.started")
                assert await talk_until_told(server, socket) == "1 done: Oslo."
    assert len(endpoint.requests) == 1


async def test_a_client_that_is_back_before_its_old_connection_is_gone_keeps_its_job():
    pytest.importorskip("pydantic_ai")
    async with scripted_endpoint([EndpointReply(text="Oslo.", pause_ms=20)]) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))

        def answer(turn: MicroTurnInput) -> MicroTurnOutput:
            if any("done" in event.text for event in turn.events):
                return act(turn.index, "cancel 1")
            return act(0, "ask 1: x") if turn.index == 0 else MicroTurnOutput(index=turn.index)

        async with Server(answer, Coordinator(agent)) as server, server.connect() as old:
            token = await start(old)
            await send_turns(old, 1)
            await endpoint.asked.wait()
            async with server.connect() as new:
                await new.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
                await receive_until(new, "session.started")
                await receive_until(old, "session.closed")
                assert await talk_until_told(server, new) == "1 done: Oslo."
                await send_turns(new, 5)  # what the model asks for later is still taken up
                assert (await receive_until(new, "session.output_audio.delta"))["delta"]


async def test_a_session_that_the_engine_fails_keeps_its_jobs_timers_and_notes():
    ledger, failure = Ledger(), MicroturnError("the model failed: resume")
    coordinator = Coordinator(ToolsBackend(), builtin_tools(), ledger=ledger)
    async with Server(TIMER_AND_NOTE, coordinator) as server:
        token = await talk_until_it_fails(server, failure)
        async with server.connect() as socket:
            resume = message("microturn.session.resume", resume_token=token, session={"model": "nano"})
            await socket.send(resume)
            await receive_until(socket, "session.started")
            session_id = session_name(hashlib.sha256(token.encode()).digest())
            assert [job.number for job in coordinator.jobs(session_id)] == [1, 2]
            assert (len(ledger.timers(session_id)), len(ledger.notes(session_id))) == (1, 1)


async def test_nothing_is_kept_of_a_session_whose_recording_is_deleted_while_it_runs():
    deletion = JournalError("its recording was deleted while it ran", session_ids=["session-0"])
    coordinator = Coordinator(ToolsBackend(), builtin_tools())
    async with Server(TIMER_AND_NOTE, coordinator) as server:
        token = await talk_until_it_fails(server, deletion)
        assert coordinator.jobs(session_name(hashlib.sha256(token.encode()).digest())) == []
        assert server.engine.sessions[0].is_closed


TIMER_AND_NOTE = script([act(0, "ask 1: set a timer for an hour"), act(1, "ask 2: take a note that the milk is out")])


async def talk_until_it_fails(server: Server, error: Exception) -> str:
    """Two turns that the background works on, and then the engine fails; returns the resume token."""
    async with server.connect() as socket:
        token = await start(socket)
        await send_turns(socket, 2)
        await receive_until(socket, "session.output_audio.delta")
        await receive_until(socket, "session.output_audio.delta")
        await server.coordinator.wait_until_idle()
        server.engine.sessions[0].fail(error)
        assert (await receive_until(socket, "error"))["error"]["code"] == "internal_error"
        await socket.wait_closed()
    return token


async def test_a_server_that_dies_in_mid_job_tells_so_after_its_restart(tmp_path: Path):
    pytest.importorskip("pydantic_ai")
    async with scripted_endpoint([EndpointReply(text="a b c", stalls_after=2)]) as endpoint:
        engine = ScriptedEngine(script([act(0, "ask 1: x")]))

        def coordinator() -> Coordinator:
            agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
            return Coordinator(agent, ledger=Ledger(tmp_path / "ledger"))

        async with Server(script(()), coordinator(), engine) as server, server.connect() as socket:
            token = await start(socket)
            await send_turns(socket, 1)
            await endpoint.asked.wait()
            await server.coordinator.close()  # nothing is written on the way out, as with kill -9
        async with Server(script(()), coordinator(), engine) as server, server.connect() as socket:
            await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
            await receive_until(socket, "session.started")
            assert "interrupted" in await talk_until_told(server, socket)
    assert len(endpoint.requests) == 1


async def test_the_backend_dies_and_the_conversation_goes_on():
    pytest.importorskip("pydantic_ai")
    async with scripted_endpoint([EndpointReply(text="a b c", stalls_after=2)]) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        async with Server(script([act(0, "ask 1: x")]), Coordinator(agent)) as server, server.connect() as socket:
            await start(socket)
            await send_turns(socket, 1)
            await endpoint.asked.wait()
            await endpoint.kill()
            assert "1 error: " in await talk_until_told(server, socket)
            await socket.send(message("session.input_audio.append", audio=sound()))
            assert (await receive_until(socket, "session.output_audio.delta"))["delta"]


async def test_the_page_sees_the_job_and_decides_about_its_tool():
    answer = script([act(0, "ask 1: delete my notes")])
    async with Server(answer, Coordinator(ToolsBackend(), builtin_tools())) as server, server.connect() as socket:
        await socket.send(message("session.start", session={"model": "nano"}))
        await socket.send(message("microturn.extensions.enable", turns=False, jobs=True))
        await send_turns(socket, 1)
        while (event := await receive_until(socket, "microturn.job"))["state"] != "asking":
            assert event["question"] == "delete my notes"
        assert (event["asks_for"], event["asks_with"]) == ("forget_notes", "")
        await socket.send(message("microturn.job.decide", job=1, allow=True))
        while (event := await receive_until(socket, "microturn.job"))["state"] != "done":
            pass
        assert event["text"] == "0 notes forgotten."
        assert [step["tool"] for step in event["steps"]] == ["forget_notes"]
        await socket.send(message("microturn.job.decide", job=1, allow=True))
        assert (await receive_until(socket, "error"))["error"]["code"] == "not_asking"


async def test_the_page_sees_the_answer_grow_and_the_model_is_told_of_the_whole_alone():
    pytest.importorskip("pydantic_ai")
    text = (
        "Oslo is old.\n\n```card\n"
        + '{"type": "timer", "title": "tea", "seconds": 240}'
        + "\n```\n\nThat is all of it."
    )
    reply = EndpointReply(text=text, pause_ms=80)
    async with scripted_endpoint([reply]) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        async with Server(script([act(0, "ask 1: x")]), Coordinator(agent)) as server, server.connect() as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            await socket.send(message("microturn.extensions.enable", jobs=True))
            await send_turns(socket, 1)
            partials: list[str] = []
            while (event := await receive_until(socket, "microturn.job"))["state"] != "done":
                assert event["text"] == ""
                partials.append(event["partial"])
            assert (event["partial"], len(event["cards"])) == ("", 1)
            shown = [each for each in partials if each]
            assert shown
            assert [
                each for each in shown if not "Oslo is old. That is all of it.".startswith(" ".join(each.split()))
            ] == []
            assert (
                await talk_until_told(server, socket)
                == "1 done: Oslo is old. That is all of it. The rest is on the page."
            )
            assert len([each for each in server.told() if "Oslo" in each]) == 1
