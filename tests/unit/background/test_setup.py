"""From the command line to a coordinator: what fits, and what is refused with a remedy."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest
from background_doubles import WITHIN_S
from typer.testing import CliRunner

from microturn.background.limits import BudgetLimits, JobLimits
from microturn.background.permissions import Permission, PermissionPolicy, parse_rules, spoken_decision
from microturn.background.setup import BackgroundConfig, build_coordinator, parse_prices
from microturn.cli import app
from microturn.turns.background import BackgroundRequest, Report, ReportKind, parse_act


async def test_the_client_does_the_work_where_it_is_asked_to():
    assert build_coordinator(BackgroundConfig(mode="client")) is None


async def test_the_tools_alone_and_those_that_were_configured(tmp_path: Path):
    coordinator = build_coordinator(BackgroundConfig(mode="tools", files=tmp_path), tmp_path / "ledger")
    assert coordinator is not None
    assert coordinator.backend.name == "tools"
    assert {"calculate", "tell_time", "set_timer", "search_files"} <= coordinator.tools.keys()
    assert "search_web" not in coordinator.tools
    await coordinator.close()


@pytest.mark.parametrize(
    ("config", "remedy"),
    [
        (BackgroundConfig(mode="gpt"), "choose embedded, tools, client, or the address"),
        (BackgroundConfig(mode="http://127.0.0.1:1/v1"), "--background-model"),
        (BackgroundConfig(mode="tools", mcp=Path("x.json")), "give --background an address"),
        (BackgroundConfig(mode="tools", files=Path("no/such/folder")), "no folder"),
        (BackgroundConfig(mode="tools", budget=BudgetLimits(max_usd=1)), "--background-price"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_remedy(config: BackgroundConfig, remedy: str):
    with pytest.raises(ValueError, match=remedy):
        build_coordinator(config)


async def test_what_a_session_may_spend_is_kept_to():
    config = BackgroundConfig(mode="tools", budget=BudgetLimits(max_jobs=2, max_tool_calls=1))
    coordinator = build_coordinator(config)
    assert coordinator is not None
    reports: asyncio.Queue[Report] = asyncio.Queue()
    async with asyncio.timeout(WITHIN_S), coordinator:
        coordinator.attach("s", reports.put_nowait)
        for number in range(3):
            act = parse_act(f"ask {number}: what is two plus {number}")
            coordinator.submit(BackgroundRequest(session_id="s", act=act, time_ms=200 * number))
            while (report := await reports.get()).kind is ReportKind.NOTE:
                pass
            assert report.text.startswith(
                ("two", "I cannot do that: this session has used its one tool calls", "I cannot do that")[number]
            )
    assert "two questions" in report.text


@pytest.mark.parametrize(
    ("options", "limits", "budget"),
    [
        ([], JobLimits(), BudgetLimits()),
        (
            ["--jobs-at-once", "2", "--session-jobs", "3", "--session-tool-calls", "4", "--session-tokens", "5"],
            JobLimits(max_running=2),
            BudgetLimits(max_jobs=3, max_tool_calls=4, max_tokens=5),
        ),
        (["--session-dollars", "0.5", "--background-price", "1,2"], JobLimits(), BudgetLimits(max_usd=0.5)),
    ],
)
def test_the_command_line_sets_what_may_be_spent(
    options: list[str], limits: JobLimits, budget: BudgetLimits, monkeypatch: pytest.MonkeyPatch
):
    given: list[BackgroundConfig] = []
    serving = pytest.importorskip("microturn.serving")
    monkeypatch.setattr(serving, "run_server", lambda listening, **settings: given.append(settings["background"]))
    result = CliRunner().invoke(app, ["serve", *options])
    assert result.exit_code == 0, result.output
    assert [(config.limits, config.budget) for config in given] == [(limits, budget)]


@pytest.mark.parametrize(
    ("has_engine", "has_weights", "name"),
    [(True, True, "tools, small"), (False, True, "tools"), (True, False, "tools")],
)
async def test_embedded_is_the_tools_and_a_small_model_where_the_extra_is_installed(
    has_engine: bool, has_weights: bool, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    local = pytest.importorskip("microturn.background.backends.local")
    monkeypatch.setattr(local, "find_weights", lambda: tmp_path / "small.gguf" if has_weights else None)
    find = importlib.util.find_spec
    engine = find("json") if has_engine else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda of, *rest: engine if of == "xllamacpp" else find(of, *rest))
    coordinator = build_coordinator(BackgroundConfig())
    assert coordinator is not None
    assert coordinator.backend.name == name
    await coordinator.close()  # nothing was started: the model's process begins with its first question


async def test_embedded_needs_none_of_the_extras(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "microturn.background.backends.local", None)  # as if pydantic-ai were absent
    coordinator = build_coordinator(BackgroundConfig())
    assert coordinator is not None
    assert coordinator.backend.name == "tools"
    await coordinator.close()


def test_rules_are_read_and_the_first_that_fits_counts():
    policy = PermissionPolicy(rules=parse_rules(["home_lamp=allow", "home_*=deny"]))
    assert policy.permission_of("home_lamp", is_acting=True) is Permission.ALLOW
    assert policy.permission_of("home_door", is_acting=False) is Permission.DENY
    assert policy.permission_of("wiki_page", is_acting=True) is Permission.ASK
    for line in ("x", "x=maybe", "=allow"):
        with pytest.raises(ValueError, match="NAME=allow"):
            parse_rules([line])


def test_prices_are_read():
    assert parse_prices("") is None
    assert parse_prices("0.15, 0.60") == (0.15, 0.6)
    for text in ("1", "1,2,3", "a,b", "-1,2", "nan,1", "inf,1"):
        with pytest.raises(ValueError, match="IN,OUT"):
            parse_prices(text)


@pytest.mark.parametrize(
    ("words", "decision"),
    [("yes please", True), ("okay", True), ("no", False), ("don't do it", False), ("yesterday", None), ("notes", None)],
)
def test_a_spoken_decision_is_read(words: str, decision: bool | None):
    assert spoken_decision(words) is decision
