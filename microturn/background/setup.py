"""From what the command line says to a coordinator."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from microturn.background.backend import Backend
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.background.ledger import Ledger
from microturn.background.limits import BudgetLimits, JobLimits
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.background.secrets import Redactor
from microturn.background.tools import WebAccess, builtin_tools
from microturn.errors import MissingDependencyError

CLIENT, EMBEDDED, TOOLS = "client", "embedded", "tools"


@dataclass(frozen=True, kw_only=True)
class BackgroundConfig:
    """Who does the background's work, and with what."""

    mode: str = EMBEDDED
    """``client``: whoever is connected; ``tools``: the built-in tools alone; ``embedded``: these, and a local language
    model where one is installed; an address: that OpenAI-compatible endpoint."""
    model: str = ""
    """Of the endpoint."""
    key: str = ""
    """Of the endpoint."""
    api: Literal["chat", "responses"] = "chat"
    can_see: bool = False
    usd_per_million: tuple[float, float] | None = None
    """Price of a million tokens, into the endpoint's model and out of it."""
    window_tokens: int = 16_000
    mcp: Path | None = None
    """A configuration file of MCP servers."""
    files: Path | None = None
    """A folder that may be searched."""
    web: WebAccess | None = None
    rules: dict[str, Permission] = field(default_factory=dict[str, Permission])
    """Permissions of tools, by name or pattern."""
    secrets: tuple[str, ...] = ()
    """Of this process; kept out of everything that a backend is given."""
    limits: JobLimits = field(default_factory=JobLimits)
    """What may be taken up at once."""
    budget: BudgetLimits = field(default_factory=BudgetLimits)
    """What one session may spend."""


def build_coordinator(config: BackgroundConfig, ledger: Path | None = None) -> Coordinator | None:
    """The coordinator for a configuration; None when the client does the work.

    Args:
        ledger: A file for what must outlive the process; None keeps it in memory.

    Raises:
        ValueError: something that does not fit together.
        MissingDependencyError: an extra that is needed is not installed.
        MicroturnError: the ledger cannot be used.
    """
    if config.mode == CLIENT:
        return None
    if math.isfinite(config.budget.max_usd) and config.usd_per_million is None:
        raise ValueError("a limit in dollars needs prices: give --background-price IN,OUT as well")
    return Coordinator(
        build_backend(config),
        builtin_tools(config.files, config.web),
        limits=config.limits,
        budget=config.budget,
        permissions=PermissionPolicy(rules=config.rules),
        ledger=Ledger(ledger),
        redactor=Redactor([*config.secrets, config.key, *_mcp_secrets(config)]),
    )


def build_backend(config: BackgroundConfig) -> Backend:
    """What does the thinking, for any configuration but ``client``. Raises as ``build_coordinator`` does."""
    if config.mode.startswith(("http://", "https://")):
        return _endpoint(config)
    if config.mcp is not None:
        raise ValueError(
            f"MCP servers need a language model that calls them: give --background an address, not {config.mode!r}"
        )
    if config.mode == TOOLS:
        return ToolsBackend()
    if config.mode != EMBEDDED:
        raise ValueError(
            f"{config.mode!r} is no background: choose embedded, tools, client, or the address of an "
            "OpenAI-compatible endpoint such as http://127.0.0.1:8080/v1"
        )
    try:
        from microturn.background.backends.local import LocalBackend

        return ToolsBackend(LocalBackend())
    except (ImportError, MissingDependencyError):  # without the extra, the tools answer what they can
        return ToolsBackend()


def _endpoint(config: BackgroundConfig) -> Backend:
    if not config.model:
        raise ValueError(f"{config.mode} holds many models: name one with --background-model")
    try:
        from microturn.background.backends.agent import AgentBackend, EndpointConfig
        from microturn.background.backends.mcp import mcp_toolsets
    except ImportError as error:
        raise MissingDependencyError(
            f"a background model needs the extra 'background' ({error.name} is absent): run scripts/install background"
        ) from None
    endpoint = EndpointConfig(
        base_url=config.mode,
        model=config.model,
        api_key=config.key,
        api=config.api,
        can_see=config.can_see,
        window_tokens=config.window_tokens,
        usd_per_million=config.usd_per_million,
    )
    return AgentBackend(endpoint, mcp_toolsets(config.mcp) if config.mcp else ())


def parse_prices(text: str) -> tuple[float, float] | None:
    """Reads ``IN,OUT``, dollars for a million tokens; nothing is None. Raises ValueError for anything else."""
    if not text:
        return None
    try:
        into, out_of = (float(part) for part in text.split(","))
    except ValueError:
        into = out_of = -1.0
    if not (0 <= into < math.inf and 0 <= out_of < math.inf):
        raise ValueError(f"{text!r} are no prices: write IN,OUT, dollars for a million tokens, such as 0.15,0.60")
    return into, out_of


def _mcp_secrets(config: BackgroundConfig) -> list[str]:
    if config.mcp is None:
        return []
    from microturn.background.backends.mcp import secrets_of

    return secrets_of(config.mcp)
