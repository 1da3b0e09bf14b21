"""From the command line to a coordinator: what fits, and what is refused with a remedy."""

from pathlib import Path

import pytest

from microturn.background.permissions import Permission, PermissionPolicy, parse_rules, spoken_decision
from microturn.background.setup import BackgroundConfig, build_coordinator, parse_prices


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
    ],
)
def test_what_does_not_fit_is_refused_with_a_remedy(config: BackgroundConfig, remedy: str):
    with pytest.raises(ValueError, match=remedy):
        build_coordinator(config)


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
