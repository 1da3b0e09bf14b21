"""Permissions of tools, said by the client of a session over a live connection."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from server_harness import WITHIN_S, message, receive, receive_until, send_turns
from test_background_live import MCP_SERVER, Server, act, start
from websockets.asyncio.client import ClientConnection

from microturn.background.backends.agent import AgentBackend, EndpointConfig
from microturn.background.backends.mcp import mcp_toolsets
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.background.tools import builtin_tools
from microturn.client import connect
from microturn.protocol.extensions import MAX_TOOL_RULES
from microturn.testing.scripted_engine import script

DELETION = script([act(0, "ask 1: delete my notes")])


@pytest.fixture(autouse=True)
async def _limited():
    async with asyncio.timeout(3 * WITHIN_S):
        yield


def background(**rules: Permission) -> Coordinator:
    return Coordinator(ToolsBackend(), builtin_tools(), permissions=PermissionPolicy(rules=rules))


def rule(tool: str, permission: str) -> dict[str, str]:
    return {"tool": tool, "permission": permission}


async def enable(socket: ClientConnection, **settings: Any) -> dict[str, tuple[str, bool]]:
    """Begin a session; returns what stands about each tool."""
    await socket.send(message("session.start", session={"model": "nano"}))
    await socket.send(message("microturn.extensions.enable", turns=False, **settings))
    await receive_until(socket, "microturn.extensions.enabled")
    return await standings(socket)


async def standings(socket: ClientConnection, client_event_id: str | None = None) -> dict[str, tuple[str, bool]]:
    event = await receive_until(socket, "microturn.tools")
    assert event.get("client_event_id") == client_event_id
    return {tool["name"]: (tool["permission"], tool["fixed"]) for tool in event["tools"]}


async def job_in(socket: ClientConnection, state: str) -> dict[str, Any]:
    while (event := await receive_until(socket, "microturn.job"))["state"] != state:
        pass
    return event


async def test_the_client_hears_of_its_tools_and_rules_them() -> None:
    async with Server(DELETION, background(calculate=Permission.DENY)) as server, server.connect() as socket:
        tools = await enable(socket, jobs=True)
        assert tools["forget_notes"] == ("ask", False)
        assert tools["tell_time"] == ("allow", False)
        assert tools["calculate"] == ("deny", True)
        rules = [rule("*", "deny"), rule("tell_*", "ask")]
        await socket.send(message("microturn.tools.update", event_id="mine", rules=rules))
        tools = await standings(socket, "mine")
        assert (tools["forget_notes"], tools["tell_time"]) == (("deny", False), ("ask", False))
        await send_turns(socket, 1)
        assert (await job_in(socket, "failed"))["steps"][0]["outcome"] == "denied"


@pytest.mark.parametrize(("permission", "outcome"), [("allow", "ok"), ("deny", "denied")])
async def test_a_rule_settles_the_job_that_waits_for_permission(permission: str, outcome: str) -> None:
    async with Server(DELETION, background()) as server, server.connect() as socket:
        await enable(socket, jobs=True)
        await send_turns(socket, 1)
        await job_in(socket, "asking")
        await socket.send(message("microturn.tools.update", rules=[rule("forget_*", permission)]))
        assert (await standings(socket))["forget_notes"] == (permission, False)
        event = await job_in(socket, "done" if permission == "allow" else "failed")
        assert [step["outcome"] for step in event["steps"]] == [outcome]


async def test_a_yes_is_told_as_a_change_and_rules_outlast_the_connection() -> None:
    async with Server(DELETION, background()) as server:
        async with server.connect() as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            await socket.send(message("microturn.extensions.enable", jobs=True, tools=[rule("tell_time", "deny")]))
            token = (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]
            assert (await standings(socket))["tell_time"] == ("deny", False)
            await send_turns(socket, 1)
            await job_in(socket, "asking")
            await socket.send(message("microturn.job.decide", job=1, allow=True))
            await job_in(socket, "done")
            assert (await standings(socket))["forget_notes"] == ("allow", False)
        async with server.connect() as socket:
            await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
            await socket.send(message("microturn.extensions.enable", tools=[]))
            tools = await standings(socket)
            assert (tools["tell_time"], tools["forget_notes"]) == (("deny", False), ("allow", False))


async def test_a_fork_begins_with_the_rules_and_without_what_the_user_allowed() -> None:
    async with Server(DELETION, background()) as server, server.connect() as socket:
        await socket.send(message("session.start", session={"model": "nano"}))
        session_id = (await receive_until(socket, "session.started"))["session"]["id"]
        await socket.send(message("microturn.extensions.enable", jobs=True, tools=[rule("tell_time", "deny")]))
        await send_turns(socket, 1)
        await job_in(socket, "asking")
        await socket.send(message("microturn.job.decide", job=1, allow=True))
        await job_in(socket, "done")
        server.url += f"/{session_id}/fork"
        async with server.connect() as fork:
            tools = await enable(fork, tools=[])
            assert (tools["tell_time"], tools["forget_notes"]) == (("deny", False), ("ask", False))
            await fork.send(message("microturn.tools.update", rules=[rule("tell_time", "allow")]))
            assert (await standings(fork))["tell_time"] == ("allow", False)
        await socket.send(message("microturn.tools.update", rules=[]))
        while (tools := await standings(socket))["forget_notes"] != ("allow", False):
            pass
        assert tools["tell_time"] == ("deny", False)


@pytest.mark.parametrize(
    ("rules", "code", "param"),
    [
        ([{"tool": "calculate", "permission": "sometimes"}], "invalid_value", "rules.0.permission"),
        ([{"tool": "", "permission": "ask"}], "invalid_value", "rules.0.tool"),
        ([{"tool": "x" * 201, "permission": "ask"}], "invalid_value", "rules.0.tool"),
        ([{"tool": "two\nlines", "permission": "ask"}], "invalid_value", "rules.0.tool"),
        ([{"tool": "calculate"}], "invalid_value", "rules.0.permission"),
        ([{"tool": "calculate", "permission": "ask", "for": "ever"}], "unknown_parameter", "rules.0.for"),
        ([rule(f"tool_{n}", "ask") for n in range(MAX_TOOL_RULES + 1)], "invalid_value", "rules"),
        ("calculate=ask", "invalid_value", "rules"),
    ],
)
async def test_rules_that_are_none_are_refused(rules: Any, code: str, param: str) -> None:
    async with Server(DELETION, background()) as server, server.connect() as socket:
        before = await enable(socket, tools=[])
        await socket.send(message("microturn.tools.update", rules=rules, event_id="mine"))
        error = (await receive_until(socket, "error"))["error"]
        assert (error["code"], error["param"], error["client_event_id"]) == (code, param, "mine")
        await socket.send(message("microturn.tools.update", rules=[]))
        assert await standings(socket) == before


async def test_too_many_rules_in_all_and_too_many_changes_are_refused() -> None:
    async with Server(DELETION, background()) as server, server.connect() as socket:
        await enable(socket, tools=[rule(f"tool_{n}", "ask") for n in range(MAX_TOOL_RULES)])
        await socket.send(message("microturn.tools.update", rules=[rule("calculate", "deny")]))
        assert (await receive_until(socket, "error"))["error"]["code"] == "too_many_rules"
        for _ in range(60):
            await socket.send(message("microturn.tools.update", rules=[]))
        while (event := await receive(socket))["type"] != "error":
            assert event["type"] == "microturn.tools"
        assert event["error"]["code"] == "rate_limit_exceeded"


async def test_where_the_client_does_the_work_there_are_no_tools() -> None:
    async with Server(DELETION, background()) as server, server.connect() as socket:
        await socket.send(message("session.start", session={"model": "nano", "delegation": {"type": "client"}}))
        await socket.send(message("microturn.extensions.enable", tools=[rule("*", "allow")]))
        assert await standings(socket) == {}
        await socket.send(message("microturn.tools.update", rules=[rule("*", "allow")]))
        assert (await receive_until(socket, "error"))["error"]["code"] == "no_background"


async def test_a_client_that_asks_for_nothing_is_sent_no_list() -> None:
    async with Server(DELETION, background()) as server, server.connect() as socket:
        await start(socket)
        await send_turns(socket, 1)
        while (event := await receive(socket))["type"] != "session.output_audio.delta":
            assert event["type"] != "microturn.tools"


async def test_the_tools_of_mcp_servers_come_when_their_servers_tell_of_them(tmp_path: Path) -> None:
    pytest.importorskip("pydantic_ai")
    pytest.importorskip("mcp")
    config = tmp_path / "mcp.json"
    absent = {"command": str(tmp_path / "not-there"), "args": []}
    home = {"command": sys.executable, "args": [str(MCP_SERVER)]}
    config.write_text(json.dumps({"mcpServers": {"absent": absent, "home": home}}))
    agent = AgentBackend(EndpointConfig(base_url="http://127.0.0.1:9/v1", model="m"), mcp_toolsets(config))
    async with Server(script(()), Coordinator(agent, builtin_tools())) as server, server.connect() as socket:
        tools = await enable(socket, jobs=True, tools=[rule("home_*", "deny"), rule("home_lamp", "ask")])
        while "home_lamp" not in tools:
            tools = await standings(socket)
        assert (tools["home_lamp"], tools["home_diary"]) == (("ask", False), ("deny", False))


async def test_the_python_client_says_it_at_the_start_later_and_after_a_resumption() -> None:
    async with Server(DELETION, background()) as server:
        http = server.url.replace("ws", "http").partition("/v1")[0]
        async with connect(http, tools={"tell_time": "deny"}) as session:
            events = aiter(session)

            async def heard() -> dict[str, str]:
                while (event := await anext(events)).type != "microturn.tools":
                    pass
                return {tool.name: tool.permission for tool in event.tools}  # pyright: ignore[reportAttributeAccessIssue]

            assert (await heard())["tell_time"] == "deny"
            await session.permit({"tell_*": "ask", "calculate": "deny"})
            tools = await heard()
            assert (tools["tell_time"], tools["calculate"]) == ("ask", "deny")
            with pytest.raises(ValueError, match="permission"):
                await session.permit({"calculate": "perhaps"})  # pyright: ignore[reportArgumentType]
            with pytest.raises(ValueError, match="exceed 64"):
                await session.permit({f"tool_{number}": "ask" for number in range(MAX_TOOL_RULES)})
            assert session._socket is not None
            session._socket.transport.abort()  # the network goes away
            tools = await heard()
            assert (tools["tell_time"], tools["calculate"]) == ("ask", "deny")
