"""Permissions of one session: what its client says, what its user says, and what the operator has fixed."""

import asyncio
from collections.abc import Mapping

import pytest
from background_doubles import WITHIN_S, Desk, desk

from microturn.background.catalog import MAX_LISTED, MAX_NAME_CHARS, ToolCatalog
from microturn.background.coordinator import Coordinator
from microturn.background.functions import Application, Function
from microturn.background.grants import MAX_RULES, Grants
from microturn.background.jobs import Answer, BackendError, Job, JobState
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.background.secrets import Redactor
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope
from microturn.background.workbench import Workbench
from microturn.errors import CapacityError
from microturn.turns.background import ReportKind

ALLOW, ASK, DENY = Permission.ALLOW, Permission.ASK, Permission.DENY


def tool(name: str, *, is_acting: bool = True) -> Tool[Arguments]:
    async def run(arguments: Arguments, scope: ToolScope) -> str:
        return f"{name} done"

    return Tool(name=name, description="", ability="", arguments=Arguments, run=run, is_acting=is_acting)


class Hands:
    """Uses the tool that the question names; fails for a moment when it is told to."""

    name = "hands"
    package_policy = PackagePolicy()

    def __init__(self, num_failures: int = 0) -> None:
        self.num_failures = num_failures

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        try:
            text = await bench.call(package.question, {})
        except ToolError as error:
            text = f"refused: {error}"
        if self.num_failures:
            self.num_failures -= 1
            raise BackendError("The line is bad.", is_transient=True)
        return Answer(text=text)

    async def close(self) -> None:
        pass


def standings(it: Desk) -> dict[str, tuple[Permission, bool]]:
    return {each.name: (each.permission, each.is_fixed) for each in it.coordinator.tool_standings("s")}


@pytest.mark.parametrize("operators", [ALLOW, ASK, DENY])
@pytest.mark.parametrize("wanted", [ALLOW, ASK, DENY])
def test_only_what_the_operator_denies_is_fixed(operators: Permission, wanted: Permission):
    grants = Grants(PermissionPolicy(rules={"home_*": operators}))
    grants.rule([("home_lamp", wanted)])
    assert grants.standing("home_lamp", is_acting=True) is (DENY if operators is DENY else wanted)
    assert grants.standing("home_door", is_acting=True) is operators


def test_the_latest_rule_that_fits_counts():
    grants = Grants(PermissionPolicy())
    grants.rule([("home_*", DENY), ("home_lamp", ALLOW)])
    assert [grants.standing(name, is_acting=True) for name in ("home_lamp", "home_door")] == [ALLOW, DENY]
    grants.rule([("home_*", ASK)])
    assert [grants.standing(name, is_acting=True) for name in ("home_lamp", "home_door")] == [ASK, ASK]
    grants.rule([("[*]", ALLOW)])
    assert grants.standing("home_lamp", is_acting=True) is ASK


def test_rules_are_bounded_and_a_refused_change_changes_nothing():
    grants = Grants(PermissionPolicy())
    grants.rule([(f"tool_{number}", DENY) for number in range(MAX_RULES)])
    grants.rule([("tool_0", ALLOW)])  # in place of one that is there
    with pytest.raises(CapacityError, match="use patterns"):
        grants.rule([("tool_1", ALLOW), ("one_more", ALLOW)])
    assert grants.standing("tool_1", is_acting=True) is DENY
    grants.rule([("*", DENY), ("one_more", ALLOW)])
    assert [grants.standing(name, is_acting=True) for name in ("tool_0", "one_more")] == [DENY, ALLOW]


async def test_a_change_settles_what_waits_for_permission():
    async with desk(Hands(), tool("paint"), tool("hammer")) as it:
        it.act("ask 1: paint")
        it.act("ask 2: hammer")
        assert {(await it.report(ReportKind.SAY)).job, (await it.report(ReportKind.SAY)).job} == {1, 2}
        it.coordinator.rule_tools("s", [("*", ASK)])  # decides nothing
        it.coordinator.rule_tools("s", [("paint", ALLOW), ("ham*", DENY)])
        assert [(await it.result()).kind for _ in range(2)] == [ReportKind.DONE] * 2
        paint, hammer = it.coordinator.jobs("s")
        assert (paint.text, hammer.text[:8]) == ("paint done", "refused:")
        assert [step.outcome for step in (*paint.steps, *hammer.steps)] == ["ok", "denied"]


async def test_a_yes_lets_every_job_go_on_that_waits_for_the_same_tool():
    async with desk(Hands(), tool("paint")) as it:
        it.act("ask 1: paint")
        it.act("ask 2: paint")
        assert [(await it.report(ReportKind.SAY)).text for _ in range(2)] == ["May I use paint?"] * 2
        it.act("amend 2: yes")
        assert {str(await it.result()), str(await it.result())} == {"1 done: paint done", "2 done: paint done"}


async def test_what_is_denied_in_the_moment_of_the_yes_is_denied():
    async with desk(Hands(), tool("paint")) as it:
        it.act("ask 1: paint")
        await it.report(ReportKind.SAY)
        assert it.coordinator.decide("s", 1, is_allowed=True)
        it.coordinator.rule_tools("s", [("paint", DENY)])
        assert "refused" in (await it.result()).text
        assert standings(it) == {"paint": (DENY, False)}


async def test_a_tool_that_only_looks_asks_where_the_session_wants_it():
    async with desk(Hands(), tool("look", is_acting=False)) as it:
        it.coordinator.rule_tools("s", [("look", ASK)])
        it.act("ask 1: look")
        assert (await it.report(ReportKind.SAY)).text == "May I use look?"
        it.act("amend 1: no")
        assert "refused" in (await it.result()).text


async def test_the_client_knows_the_tools_and_hears_of_every_change():
    changes: list[dict[str, tuple[Permission, bool]]] = []
    policy = PermissionPolicy(rules={"danger*": DENY})
    tools = [tool("paint"), tool("look", is_acting=False), tool("danger")]
    async with desk(Hands(), *tools, permissions=policy) as it:
        it.coordinator.attach("s", it.reports.put_nowait, observe_tools=lambda: changes.append(standings(it)))
        fixed = {"danger": (DENY, True)}
        assert standings(it) == {"paint": (ASK, False), "look": (ALLOW, False), **fixed}
        it.coordinator.rule_tools("s", [("*", DENY)])
        it.coordinator.rule_tools("s", [("*", ASK)])
        assert changes.pop() == {"paint": (ASK, False), "look": (ASK, False), **fixed}
        assert changes.pop() == {"paint": (DENY, False), "look": (DENY, False), **fixed}
        it.act("ask 1: paint")
        await it.report(ReportKind.SAY)
        it.act("amend 1: yes")
        await it.result()
        assert changes.pop()["paint"] == (ALLOW, False)
        assert changes == []
        it.coordinator.equip("s", Application(functions=(Function(name="open_door", description="Opens. The door."),)))
        assert changes.pop()["open_door"] == (ASK, False)  # by the session's own rule for all
        it.coordinator.rule_tools("s", [("paint", ASK)])
        assert standings(it)["paint"] == (ASK, False)


async def test_rules_outlast_a_sessions_being_let_go_and_not_its_end():
    async with desk(Hands(), tool("paint")) as it:
        it.coordinator.rule_tools("s", [("paint", DENY)])
        it.coordinator.park("s")
        it.coordinator.attach("s", it.reports.put_nowait)
        assert standings(it) == {"paint": (DENY, False)}
        it.coordinator.detach("s")
        seen: list[int] = []
        it.coordinator.attach("s", it.reports.put_nowait, observe_tools=lambda: seen.append(1))
        assert standings(it) == {"paint": (DENY, False)}
        it.coordinator.rule_tools("s", [("paint", ALLOW)])
        assert seen == [1]
        it.coordinator.detach("s", is_over=True)
        it.coordinator.attach("s", it.reports.put_nowait)
        assert standings(it) == {"paint": (ASK, False)}


async def test_the_backend_tells_of_its_own_tools_in_its_time():
    class Lister(Hands):
        def __init__(self) -> None:
            super().__init__()
            self.asked: asyncio.Queue[None] = asyncio.Queue()
            self.found: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

        async def list_tools(self) -> Mapping[str, str]:
            self.asked.put_nowait(None)
            return await self.found

    backend, told = Lister(), asyncio.Event()
    async with desk(backend, tool("paint"), redactor=Redactor(["open-sesame"])) as it:
        it.coordinator.attach("s", it.reports.put_nowait, observe_tools=told.set)
        for _ in range(3):
            it.coordinator.explore_tools()
        await backend.asked.get()
        assert standings(it) == {"paint": (ASK, False)}
        backend.found.set_result({"home_lamp": "Switches the\n lamp with open-sesame. And more."})
        await told.wait()
        lamp = it.coordinator.tool_standings("s")[1]
        assert (lamp.name, lamp.permission) == ("home_lamp", ASK)
        assert lamp.description == "Switches the lamp with [secret removed]."
        assert backend.asked.empty()


async def test_a_backend_that_cannot_tell_its_tools_is_asked_again_by_the_next():
    class Broken(Hands):
        num_asked = 0

        async def list_tools(self) -> Mapping[str, str]:
            self.num_asked += 1
            raise OSError("no such program")

    backend = Broken()
    async with asyncio.timeout(WITHIN_S), Coordinator(backend) as coordinator:
        while backend.num_asked < 2:
            coordinator.explore_tools()
            await asyncio.sleep(0)


def test_what_servers_call_their_tools_is_bounded():
    catalog = ToolCatalog((), Redactor())
    assert not catalog.learn({"x" * (MAX_NAME_CHARS + 1): "", "two\nlines": "", "": ""})
    assert catalog.learn({f"tool_{number}": "long " * 400 for number in range(2 * MAX_LISTED)})
    listed = catalog.tools()
    assert len(listed) == MAX_LISTED
    assert max(len(each.description) for each in listed) <= 140
    assert not catalog.learn({"tool_0": "long " * 400})


async def test_a_function_of_the_clients_in_a_tools_place_is_listed_once():
    async with desk(Hands(), tool("paint")) as it:
        it.coordinator.equip("s", Application(functions=(Function(name="paint", description="Mine."),)))
        (only,) = it.coordinator.tool_standings("s")
        assert (only.description, only.permission) == ("Mine.", ALLOW)


async def test_jobs_go_on_with_what_was_ruled_between_attempts():
    shown: list[JobState] = []

    def show(job: Job) -> None:
        shown.append(job.state)

    async def pause(seconds: float) -> None:
        it.coordinator.rule_tools("s", [("look", DENY)])

    async with desk(Hands(num_failures=1), tool("look", is_acting=False), pause=pause) as it:
        it.coordinator.attach("s", it.reports.put_nowait, observe=show)
        it.act("ask 1: look")
        assert "refused" in (await it.result()).text
        assert JobState.ASKING not in shown
