"""MCP servers from the standard configuration file: programs (stdio) and addresses (streamable HTTP)."""

import asyncio
import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_ai.mcp import MCPToolset, load_mcp_toolsets
from pydantic_ai.toolsets import AbstractToolset, PrefixedToolset

START_WITHIN_S = 30.0
_log = logging.getLogger(__name__)
_VARIABLE = re.compile(r"\$\{(?P<name>[^}:]+)(?P<or>:-(?P<default>[^}]*))?\}")
"""As ``load_mcp_toolsets`` reads it."""
_AFTER_SCHEME = re.compile(r"(?:basic|bearer|token|api-?key)\s+(?P<secret>\S.*)", re.IGNORECASE | re.DOTALL)
"""A header's value that names its scheme first."""


def mcp_toolsets(config: Path) -> list[AbstractToolset[Any]]:
    """The tools of every server in a configuration file, each named ``server_tool``.

    The file has the shape that others use: ``{"mcpServers": {"NAME": {"command": …, "args": […], "env": {…}}}}``,
    or ``{"url": …, "headers": {…}}`` for a server; ``${VARIABLE}`` is filled in from the environment. Servers start
    when they are first used.

    Raises:
        ValueError: the file cannot be read, or is not of this shape.
    """
    try:
        return [_patient(toolset) for toolset in load_mcp_toolsets(config)]
    except OSError as error:
        raise ValueError(f"{config} cannot be read ({error.strerror or error}): name a file of MCP servers") from error
    except ValueError as error:
        raise ValueError(f"{config} is no configuration of MCP servers: {_first_line(error)}") from error


async def list_server_tools(toolsets: Sequence[AbstractToolset[Any]]) -> dict[str, str]:
    """What each server's tools do, by name. Servers that are not running are started; those that do not, left out."""
    prefixed = [each for each in toolsets if isinstance(each, PrefixedToolset)]
    found = await asyncio.gather(*map(_server_tools, prefixed))
    return {name: description for tools in found for name, description in tools.items()}


async def _server_tools(toolset: PrefixedToolset[Any]) -> dict[str, str]:
    server = toolset.wrapped
    if not isinstance(server, MCPToolset):
        return {}
    try:
        tools = await server.list_tools()
    except Exception as error:  # Another's program or address: anything can be wrong with it.
        _log.warning("tool server absent", extra={"fields": {"server": server.label, "error": type(error).__name__}})
        return {}
    return {f"{toolset.prefix}_{tool.name}": tool.description or "" for tool in tools}


async def close_toolsets(toolsets: Sequence[AbstractToolset[Any]]) -> None:
    """Disconnect, and end the programs that were started."""
    servers: list[MCPToolset[Any]] = []
    for toolset in toolsets:
        toolset.apply(lambda leaf: servers.append(leaf) if isinstance(leaf, MCPToolset) else None)
    for server in servers:
        with contextlib.suppress(Exception):  # what is broken already needs no closing
            await server.client.close()


def secrets_of(config: Path) -> list[str]:
    """Values of ``env`` and ``headers`` in a configuration: what must never reach a model.

    They are filled in from the environment as ``mcp_toolsets`` does it; of "Bearer KEY", the key alone counts too.
    """
    servers = json.loads(config.read_bytes()).get("mcpServers", {})
    return [secret for server in servers.values() for secret in _secrets_of_server(server)]


def _secrets_of_server(server: Mapping[str, Any]) -> Iterator[str]:
    for part in ("env", "headers"):
        for value in (server.get(part) or {}).values():
            secret = _VARIABLE.sub(_filled_in, str(value)).strip()
            yield secret
            if match := _AFTER_SCHEME.fullmatch(secret):
                yield match["secret"]


def _filled_in(variable: re.Match[str]) -> str:
    """A variable's value, its default, or the reference itself where it has neither."""
    return os.environ.get(variable["name"], variable[0] if variable["or"] is None else variable["default"])


def _patient(toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
    """The same with more time to start: programs may have to be downloaded first."""
    assert isinstance(toolset, PrefixedToolset), "a configured server is prefixed with its name"
    server = toolset.wrapped
    assert isinstance(server, MCPToolset), "what is prefixed is a server"
    return MCPToolset(server.client.transport, id=server.id, init_timeout=START_WITHIN_S).prefixed(toolset.prefix)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
