"""Functions of the client's application, called by a job of the background."""

import asyncio
import json
from typing import Any

import pytest
from background_doubles import Desk, desk

from microturn.background.backends.agent import AgentBackend, EndpointConfig
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.functions import Application, Function, PendingCall
from microturn.background.jobs import Answer, JobState
from microturn.background.limits import JobLimits
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.background.places import Places
from microturn.background.tools import builtin_tools
from microturn.background.waits import Waits
from microturn.background.workbench import Workbench
from microturn.testing.endpoint import EndpointReply, ScriptedEndpoint, scripted_endpoint
from microturn.turns.background import ReportKind

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "nights": {"type": "integer"}},
    "required": ["city", "nights"],
}
BOOK = Function(name="book_hotel", description="Books a hotel.", parameters=PARAMETERS)
WEATHER = Function(name="weather", parameters={"type": "object", "properties": {"place": {"type": "string"}}})
BOOKING = EndpointReply(tool="book_hotel", arguments={"city": "Oslo", "nights": 2})


def backend(endpoint: ScriptedEndpoint, **settings: Any) -> AgentBackend:
    return AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m", **settings))


def bring(it: Desk, *functions: Function, instructions: str = "") -> None:
    it.coordinator.equip("s", Application(functions=functions, instructions=instructions))


async def called(it: Desk, job: int = 1, but: PendingCall | None = None) -> PendingCall:
    """A call that a job waits for, once there is one."""
    while True:
        for call in (call for each in it.coordinator.jobs("s") if each.number == job for call in each.calls.values()):
            if call is not but:
                return call
        await asyncio.sleep(0)


def give(it: Desk, call: PendingCall, output: str) -> bool:
    return it.coordinator.give_output("s", call.call_id, output)


async def test_a_language_model_fills_in_several_arguments_and_goes_on_with_the_output():
    async with (
        scripted_endpoint([BOOKING, EndpointReply(text="Two nights in Oslo are booked.")]) as endpoint,
        desk(backend(endpoint), *builtin_tools()) as it,
    ):
        bring(it, BOOK, WEATHER, instructions="Never book more than three nights.")
        it.act("ask 1: a hotel in oslo for two nights")
        call = await called(it)
        assert (call.name, json.loads(call.arguments)) == ("book_hotel", {"city": "Oslo", "nights": 2})
        assert give(it, call, '{"booked": true}')
        assert not give(it, call, "again")
        assert str(await it.result()) == "1 done: Two nights in Oslo are booked."
        (job,) = it.coordinator.jobs("s")
        assert [(step.tool, step.outcome) for step in job.steps] == [("book_hotel", "ok")]
    offered = {tool["function"]["name"]: tool["function"] for tool in endpoint.requests[0]["tools"]}
    assert offered["book_hotel"]["description"] == "Books a hotel."
    assert offered["book_hotel"]["parameters"]["required"] == ["city", "nights"]
    assert {"weather", "calculate"} <= offered.keys()
    assert "Never book more than three nights." in json.dumps(endpoint.requests[0]["messages"])
    assert any(m["role"] == "tool" and "booked" in str(m["content"]) for m in endpoint.requests[1]["messages"])


async def test_calls_that_depend_on_each_other_follow_each_other():
    replies = [EndpointReply(tool="weather", arguments={"place": "Oslo"}), BOOKING, EndpointReply(text="Done.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint)) as it:
        bring(it, BOOK, WEATHER)
        it.act("ask 1: if it is warm in oslo book two nights")
        weather = await called(it)
        assert give(it, weather, "warm")
        booking = await called(it, but=weather)
        assert booking.name == "book_hotel"
        assert give(it, booking, "booked")
        assert (await it.result()).kind is ReportKind.DONE


async def test_arguments_that_do_not_fit_are_told_to_the_model_and_not_to_the_client():
    replies = [EndpointReply(tool="book_hotel", arguments={"city": "Oslo"}), BOOKING, EndpointReply(text="Done.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint)) as it:
        bring(it, BOOK)
        it.act("ask 1: x")
        assert json.loads((await called(it)).arguments)["nights"] == 2
    assert "ERROR: book_hotel: nights is required" in json.dumps(endpoint.requests[1]["messages"])


async def test_a_function_with_the_name_of_a_tool_stands_in_its_place():
    sums = Function(name="calculate", parameters={"type": "object", "properties": {"sum": {"type": "string"}}})
    replies = [EndpointReply(tool="calculate", arguments={"sum": "2+2"}), EndpointReply(text="Five.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint), *builtin_tools()) as it:
        bring(it, sums)
        it.act("ask 1: two and two")
        assert give(it, await called(it), "5")
        assert (await it.result()).text == "Five."
    assert [tool["function"]["name"] for tool in endpoint.requests[0]["tools"]].count("calculate") == 1


async def test_a_name_that_endpoints_refuse_is_left_out_and_the_rest_stays():
    odd = Function(name="book a hotel!", parameters=PARAMETERS)
    async with scripted_endpoint([EndpointReply(text="Fine.")]) as endpoint, desk(backend(endpoint)) as it:
        bring(it, odd, Function(name="hang_up"))
        it.act("ask 1: x")
        await it.result()
    (tool,) = endpoint.requests[0]["tools"]
    assert tool["function"]["name"] == "hang_up"
    assert tool["function"]["parameters"]["type"] == "object"


async def test_what_was_called_is_not_tried_again_and_is_told_after_a_correction():
    replies = [BOOKING, EndpointReply(status=500), EndpointReply(text="It stays as it is.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint)) as it:
        bring(it, BOOK)
        it.act("ask 1: a hotel in oslo")
        give(it, await called(it), "booked as number 7")
        assert (await it.result()).kind is ReportKind.ERROR
        assert len(endpoint.requests) == 2
        it.act("amend 1: with breakfast")
        await it.result()
    assert "booked as number 7" in json.dumps(endpoint.requests[2]["messages"])


async def test_a_correction_withdraws_the_call():
    async with scripted_endpoint([BOOKING]) as endpoint, desk(backend(endpoint)) as it:
        bring(it, BOOK)
        it.act("ask 1: a hotel in oslo")
        first = await called(it)
        it.act("amend 1: in rome")
        second = await called(it, but=first)
        assert not give(it, first, "booked")
        assert give(it, second, "booked")
    assert "broken off, perhaps done" in json.dumps(endpoint.requests[1]["messages"])


async def test_a_client_that_gives_nothing_is_not_waited_for_for_ever():
    limits = JobLimits(function_within_ms=30, attempt_within_ms=10_000)
    replies = [BOOKING, EndpointReply(text="I could not book it.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint), limits=limits) as it:
        bring(it, BOOK)
        it.act("ask 1: x")
        assert (await it.result()).text == "I could not book it."
        (job,) = it.coordinator.jobs("s")
        assert job.calls == {}
    assert "ERROR: book_hotel gave nothing" in json.dumps(endpoint.requests[1]["messages"])


class Caller:
    """Calls two functions at once, and then takes its time."""

    name = "caller"
    package_policy = PackagePolicy()

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        arguments = {"city": package.question, "nights": 1}
        outputs = await asyncio.gather(bench.call("book_hotel", arguments), bench.call("weather", {"place": "x"}))
        await self.may_end.wait()
        return Answer(text=" and ".join(outputs))

    async def close(self) -> None:
        pass


async def test_the_place_of_a_job_that_waits_for_the_client_goes_to_others():
    caller = Caller()
    async with desk(caller, limits=JobLimits(max_running=1)) as it:
        bring(it, BOOK, WEATHER)
        for number in (1, 2):
            it.act(f"ask {number}: {number}")
            await called(it, number)
        jobs = it.coordinator.jobs("s")
        assert [job.state for job in jobs] == [JobState.RUNNING] * 2
        caller.may_end.set()
        for job in jobs:
            for call in [await called(it, job.number), *job.calls.values()]:
                give(it, call, call.name)
        assert (await it.result()).text == (await it.result()).text == "book_hotel and weather"


async def test_while_a_job_waits_its_deadline_stands_still():
    places, loop = Places(1, 1), asyncio.get_running_loop()
    async with places.place("a") as place, asyncio.timeout(1_000) as deadline:
        waits = Waits(deadline, place)
        async with waits.waiting():
            async with waits.waiting():
                assert deadline.when() is None
            assert deadline.when() is None
            async with places.place("b"):
                pass
        until = deadline.when()
        assert until is not None
        assert loop.time() < until <= loop.time() + 1_000
        with pytest.raises(KeyError):
            async with waits.waiting():
                raise KeyError
        assert deadline.when() is not None


async def test_a_place_that_was_left_is_given_back_once():
    places = Places(1, 1)
    async with places.place("a") as first:
        first.leave()
        first.leave()
        async with places.place("b"):
            back = asyncio.create_task(first.take())
            await asyncio.sleep(0)
            assert not back.done()
        await back
        waiting = asyncio.create_task(places.take("c"))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_the_operators_rules_hold_for_the_clients_functions():
    denied = PermissionPolicy(rules={"book_*": Permission.DENY})
    replies = [BOOKING, EndpointReply(text="I may not.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint), permissions=denied) as it:
        bring(it, BOOK)
        it.act("ask 1: x")
        assert (await it.result()).text == "I may not."


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("weather in oslo", "weather", {"place": "weather in oslo"}),
        ("lamp in the kitchen to forty", "dim_lamp", {"room": "kitchen", "percent": 40}),
        ("something else", "weather", {"place": "something else"}),
    ],
)
async def test_without_a_language_model_plain_words_call(question: str, name: str, arguments: dict[str, Any]):
    room = {"enum": ["kitchen", "bath"]}
    dim = Function(name="dim_lamp", parameters={"properties": {"room": room, "percent": {"type": "number"}}})
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        bring(it, WEATHER, dim)
        it.act(f"ask 1: {question}")
        call = await called(it)
        assert (call.name, json.loads(call.arguments)) == (name, arguments)
        give(it, call, "so it is")
        assert (await it.result()).text == "so it is"
        it.act("amend 1: but more of it")  # it may have been done already
        assert (await it.result()).kind is ReportKind.ERROR


async def test_a_tool_that_understands_comes_before_a_function_that_takes_any_text():
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        bring(it, WEATHER)
        it.act("ask 1: what is three times four")
        assert (await it.result()).text == "twelve"


async def test_instructions_are_for_those_who_take_them():
    seen: list[str] = []

    class Listener(Caller):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            seen.append(package.instructions)
            return Answer(text="yes")

    async with desk(Listener()) as it:
        bring(it, instructions="Be kind.")
        it.act("ask 1: x")
        await it.result()
    assert seen == [""]
