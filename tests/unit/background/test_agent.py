"""A language model behind a real endpoint on this machine, with every fault that the way there has."""

import asyncio
import json

import numpy as np
import pytest

pytest.importorskip("pydantic_ai")

from background_doubles import Desk, desk

from microturn.background.backends.agent import AgentBackend, EndpointConfig
from microturn.background.jobs import Job
from microturn.background.limits import BudgetLimits, JobLimits
from microturn.background.secrets import REMOVED, Redactor
from microturn.background.summaries import OldLine, OldText
from microturn.background.tools import builtin_tools
from microturn.testing.endpoint import EndpointReply, ScriptedEndpoint, scripted_endpoint
from microturn.turns.background import ReportKind, Speaker, Utterance
from microturn.turns.video import VideoFrame

QUICK = JobLimits(first_backoff_ms=1, max_attempts=2)


def backend(endpoint: ScriptedEndpoint, **settings) -> AgentBackend:
    return AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m", api_key="sk-test-key", **settings))


async def test_an_answer_is_streamed_and_told():
    async with (
        scripted_endpoint([EndpointReply(text="Oslo is the capital. It has 700,000 people.")]) as endpoint,
        desk(backend(endpoint)) as it,
    ):
        heard = Utterance(speaker=Speaker.USER, text="I will go to Norway", start_ms=0, end_ms=900)
        it.act("ask 1: what is the capital", conversation=(heard,))
        report = await it.result()
        assert str(report) == "1 done: Oslo is the capital. It has seven hundred thousand people."
        (job,) = it.coordinator.jobs("s")
        assert (job.num_tokens, job.cost_usd) == (15, None)
    prompt = json.dumps(endpoint.requests[0]["messages"])
    assert "what is the capital" in prompt
    assert "[0.0-0.9 s] User: I will go to Norway" in prompt


async def test_a_tool_is_called_and_its_output_goes_back():
    replies = [
        EndpointReply(text="Let me see.", tool="calculate", arguments={"expression": "12 * 12"}),
        EndpointReply(text="It is 144."),
    ]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint), *builtin_tools()) as it:
        it.act("ask 1: a dozen dozens")
        assert (await it.report(ReportKind.NOTE)).text == "using calculate"
        assert (await it.result()).text == "It is one hundred forty four."
        (job,) = it.coordinator.jobs("s")
        assert [(step.tool, step.outcome) for step in job.steps] == [("calculate", "ok")]
    assert any(m["role"] == "tool" and "144" in str(m["content"]) for m in endpoint.requests[1]["messages"])


async def test_a_tool_with_wrong_arguments_tells_the_model_why():
    replies = [EndpointReply(tool="calculate", arguments={"sum": "1"}), EndpointReply(text="I cannot.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint), *builtin_tools()) as it:
        it.act("ask 1: x")
        assert (await it.result()).kind is ReportKind.DONE
    assert "ERROR: calculate:" in json.dumps(endpoint.requests[1]["messages"])


@pytest.mark.parametrize(("api", "part"), [("chat", "messages"), ("responses", "input")])
async def test_pictures_go_along_where_the_model_can_see(api: str, part: str):
    frame = VideoFrame(time_ms=100, pixels=np.zeros((8, 8, 3), np.uint8))
    for can_see in (True, False):
        async with (
            scripted_endpoint([EndpointReply(text="Black.")]) as endpoint,
            desk(backend(endpoint, api=api, can_see=can_see)) as it,
        ):
            it.act("ask 1: what colour is it", key_frames=(frame,))
            assert (await it.result()).text == "Black."
        assert ("data:image/jpeg;base64," in json.dumps(endpoint.requests[0][part])) is can_see


async def test_the_responses_api_is_spoken_as_well():
    replies = [
        EndpointReply(tool="calculate", arguments={"expression": "12 * 12"}),
        EndpointReply(text="It is 144."),
    ]
    async with (
        scripted_endpoint(replies) as endpoint,
        desk(backend(endpoint, api="responses", usd_per_million=(1.0, 2.0)), *builtin_tools()) as it,
    ):
        it.act("ask 1: a dozen dozens")
        assert str(await it.result()) == "1 done: It is one hundred forty four."
        (job,) = it.coordinator.jobs("s")
        assert job.num_tokens == 30
        assert job.cost_usd == pytest.approx(20 * 1e-6 + 10 * 2e-6)
    assert "a dozen dozens" in json.dumps(endpoint.requests[0]["input"])
    assert any(item.get("output") == "144" for item in endpoint.requests[1]["input"])


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (EndpointReply(status=500), "has a problem of its own"),
        (EndpointReply(status=503), "has a problem of its own"),
        (EndpointReply(status=429), "too busy"),
        (EndpointReply(raw=b"data: {nonsense\n\n"), "was broken"),
        (EndpointReply(text="one two three four", cut_after=3), ""),
        (EndpointReply(text="one two three", stalls_after=2), ""),
        (EndpointReply(text=""), ""),
    ],
    ids=["error", "unavailable", "busy", "malformed", "cut-off", "stalled", "empty"],
)
async def test_a_passing_fault_is_tried_again_and_then_told(fault: EndpointReply, told: str, api: str):
    async with (
        scripted_endpoint([fault, EndpointReply(text="Fine.")]) as endpoint,
        desk(backend(endpoint, api=api, silence_ms=200), limits=QUICK) as it,
    ):
        it.act("ask 1: x")
        assert str(await it.result()) == "1 done: Fine."
    async with (
        scripted_endpoint([fault]) as endpoint,
        desk(backend(endpoint, api=api, silence_ms=200), limits=QUICK) as it,
    ):
        it.act("ask 1: x")
        report = await it.result()
        assert report.kind is ReportKind.ERROR
        assert told in report.text
        assert "secret-detail" not in report.text
        assert it.coordinator.jobs("s")[0].num_attempts == 2


@pytest.mark.parametrize(("status", "told"), [(401, "our key"), (404, "does not exist"), (400, "not accept")])
async def test_a_lasting_fault_is_told_at_once(status: int, told: str):
    async with (
        scripted_endpoint([EndpointReply(status=status)]) as endpoint,
        desk(backend(endpoint), limits=QUICK) as it,
    ):
        it.act("ask 1: x")
        assert told in (await it.result()).text
    assert len(endpoint.requests) == 1


async def test_a_huge_answer_is_cut_and_said_in_short():
    huge = EndpointReply(text=" ".join(["It goes on."] * 8_000), words_per_chunk=500)
    async with scripted_endpoint([huge]) as endpoint, desk(backend(endpoint)) as it:
        it.act("ask 1: x")
        report = await it.result()
        assert len(report.text) < 400
        assert report.text.endswith("The rest is on the page.")
        assert 10_000 < len(it.coordinator.jobs("s")[0].text) <= 40_000


async def test_a_slow_answer_lets_hear_of_itself():
    limits = JobLimits(progress_every_ms=20)
    async with (
        scripted_endpoint([EndpointReply(text="a b c", stalls_after=2)]) as endpoint,
        desk(backend(endpoint), limits=limits) as it,
    ):
        it.act("ask 1: x")
        assert "still working" in (await it.report(ReportKind.SAY)).text
        await endpoint.asked.wait()
        it.act("cancel 1")
        await endpoint.left.wait()
    assert endpoint.num_open == 0


async def test_the_endpoint_dies_in_mid_answer():
    async with (
        scripted_endpoint([EndpointReply(text="a b c", stalls_after=2)]) as endpoint,
        desk(backend(endpoint), limits=QUICK) as it,
    ):
        it.act("ask 1: x")
        await endpoint.asked.wait()
        await endpoint.kill()
        report = await it.result()
        assert report.kind is ReportKind.ERROR
        assert "language model" in report.text


async def test_an_endless_round_of_tool_calls_ends():
    again = EndpointReply(tool="calculate", arguments={"expression": "1"})
    async with (
        scripted_endpoint([again]) as endpoint,
        desk(backend(endpoint, max_requests=3), *builtin_tools(), limits=QUICK) as it,
    ):
        it.act("ask 1: x")
        assert "more steps" in (await it.result()).text
    assert len(endpoint.requests) == 3


async def test_a_session_that_has_spent_its_tokens_is_told():
    async with (
        scripted_endpoint([EndpointReply(text="Yes.")]) as endpoint,
        desk(backend(endpoint), budget=BudgetLimits(max_tokens=15)) as it,
    ):
        it.act("ask 1: x")
        assert (await it.result()).kind is ReportKind.DONE
        it.act("ask 2: x")
        assert "used its fifteen tokens" in (await it.result()).text
    assert len(endpoint.requests) == 1


async def test_what_a_failed_attempt_took_is_counted():
    replies = [
        EndpointReply(tool="calculate", arguments={"expression": "1"}),
        EndpointReply(status=500),
        EndpointReply(text="Yes."),
    ]
    async with (
        scripted_endpoint(replies) as endpoint,
        desk(backend(endpoint, usd_per_million=(1.0, 2.0)), *builtin_tools(), limits=QUICK) as it,
    ):
        it.act("ask 1: x")
        await it.result()
        (job,) = it.coordinator.jobs("s")
        assert (job.num_attempts, job.num_tokens) == (2, 30)
        assert job.cost_usd == pytest.approx(2 * (10 * 1e-6 + 5 * 2e-6))


async def test_what_a_cancelled_attempt_took_is_spent():
    replies = [
        EndpointReply(tool="calculate", arguments={"expression": "1"}),
        EndpointReply(text="a b c", stalls_after=2),
    ]
    async with (
        scripted_endpoint(replies) as endpoint,
        desk(backend(endpoint), *builtin_tools(), budget=BudgetLimits(max_tokens=15)) as it,
    ):
        it.act("ask 1: x")
        while len(endpoint.requests) < 2:
            endpoint.asked.clear()
            await endpoint.asked.wait()
        endpoint.left.clear()
        it.act("cancel 1")
        await endpoint.left.wait()
        it.act("ask 2: x")
        assert "used its fifteen tokens" in (await it.result()).text


async def test_what_a_failed_summary_took_is_spent():
    old = OldText(
        lines=(OldLine(turn=0, text="User: hi", is_user=True),), drop_before_turn=1, previous="", instructions=""
    )
    async with (
        scripted_endpoint([EndpointReply(text="")]) as endpoint,
        desk(backend(endpoint), budget=BudgetLimits(max_tokens=15)) as it,
    ):
        assert await it.coordinator.summarise("s", old) == "User: hi"
        it.act("ask 1: x")
        assert "used its fifteen tokens" in (await it.result()).text


async def test_a_session_that_has_used_its_money_asks_for_no_more():
    old = OldText(
        lines=(OldLine(turn=0, text="User: hello", is_user=True),), drop_before_turn=1, previous="", instructions=""
    )
    async with (
        scripted_endpoint([EndpointReply(text="One.")]) as endpoint,
        desk(backend(endpoint, usd_per_million=(1.0, 2.0)), budget=BudgetLimits(max_usd=3e-5)) as it,
    ):
        it.act("ask 1: x")
        assert (await it.result()).kind is ReportKind.DONE
        await it.coordinator.summarise("s", old)  # costs as much again
        it.act("ask 2: x")
        assert "dollars: start a new session" in (await it.result()).text
        await it.coordinator.summarise("s", old)
        assert it.coordinator.num_excerpts == 1
        assert len(endpoint.requests) == 2


async def test_a_failed_attempt_that_used_up_the_budget_is_the_last():
    replies = [EndpointReply(tool="calculate", arguments={"expression": "1"}), EndpointReply(status=500)]
    async with (
        scripted_endpoint(replies) as endpoint,
        desk(backend(endpoint), *builtin_tools(), budget=BudgetLimits(max_tokens=15), limits=QUICK) as it,
    ):
        it.act("ask 1: x")
        assert "used its fifteen tokens" in (await it.result()).text
    assert len(endpoint.requests) == 2


async def test_no_secret_is_sent():
    async with (
        scripted_endpoint([EndpointReply(text="Yes.")]) as endpoint,
        desk(backend(endpoint), redactor=Redactor(["the-server-key"])) as it,
    ):
        words = "my password is hunter22 and the key the-server-key"
        heard = Utterance(speaker=Speaker.USER, text=words, start_ms=0, end_ms=900)
        it.act("ask 1: use sk-abcdefghijklmnopqrstuvwx", conversation=(heard,))
        await it.result()
    sent = json.dumps(endpoint.requests)
    assert not any(secret in sent for secret in ("hunter22", "the-server-key", "sk-abcdef", "sk-test-key"))


async def shown(it: Desk) -> asyncio.Queue[tuple[str, str]]:
    """The text so far and the whole answer, whenever either of the session's jobs has become another one."""
    changes: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    latest = ("", "")

    def show(job: Job) -> None:
        nonlocal latest
        if (job.partial, job.text) != latest:
            latest = (job.partial, job.text)
            changes.put_nowait(latest)

    it.coordinator.attach("s", it.reports.put_nowait, observe=show)
    return changes


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_the_text_so_far_is_shown_and_taken_back_where_the_stream_breaks_off(api: str):
    long = "Oslo is the capital of Norway, and its name is old."
    replies = [EndpointReply(text=long, pause_ms=40, stalls_after=12), EndpointReply(text="Oslo it is.")]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint, api=api, silence_ms=600)) as it:
        changes = await shown(it)
        it.act("ask 1: x")
        partials = [(await changes.get())[0]]
        while partials[-1]:
            partials.append((await changes.get())[0])
        assert [each for each in partials if not long.startswith(each)] == []
        assert partials[0].startswith("Oslo")
        assert str(await it.result()) == "1 done: Oslo it is."
        while (change := await changes.get())[1] == "":
            assert "Oslo it is.".startswith(change[0])
        assert change == ("", "Oslo it is.")


async def test_what_is_said_before_a_tool_is_called_is_taken_back():
    answer = "It is 144. So there. And more of it, and still more, until nobody can hear it any longer. The end."
    replies = [
        EndpointReply(
            text="Let me see. I will work it out.", tool="calculate", arguments={"expression": "12 * 12"}, pause_ms=40
        ),
        EndpointReply(text=answer, pause_ms=40, stalls_after=16),
    ]
    async with scripted_endpoint(replies) as endpoint, desk(backend(endpoint), *builtin_tools()) as it:
        changes = await shown(it)
        it.act("ask 1: a dozen dozens")
        assert "Let me see. I will work it out.".startswith((await changes.get())[0])
        while partial := (await changes.get())[0]:
            assert "Let me see. I will work it out.".startswith(partial)
        assert answer.startswith((await changes.get())[0])
        it.act("cancel 1")
        while (await changes.get())[0]:
            pass


async def test_a_secret_that_comes_in_pieces_is_not_shown_in_part():
    text = (
        "They say that the key is open sesame forty two, if you ask them, and that no other key would open it at all."
    )
    reply = EndpointReply(text=text, pause_ms=60)
    async with (
        scripted_endpoint([reply]) as endpoint,
        desk(backend(endpoint), redactor=Redactor(["open sesame forty two"])) as it,
    ):
        changes = await shown(it)
        it.act("ask 1: x")
        partials: list[str] = []
        while (change := await changes.get())[1] == "":
            partials.append(change[0])
        assert len(partials) > 1
        assert change[1] == text.replace("open sesame forty two", REMOVED)
        assert [each for each in partials if not change[1].startswith(each)] == []
