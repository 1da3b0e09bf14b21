"""The built-in tools: what they understand without a language model, what they answer, what they refuse."""

import asyncio
import contextlib
import datetime
from pathlib import Path

import pytest
from background_doubles import desk
from hypothesis import given
from hypothesis import strategies as st

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.ledger import Ledger
from microturn.background.timers import Timers
from microturn.background.tools import ToolError, WebAccess, builtin_tools
from microturn.background.tools.arithmetic import evaluate, understand
from microturn.background.tools.web import web_tools
from microturn.turns.background import Report, ReportKind

NOW = datetime.datetime(2026, 5, 11, 9, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what is three times four", "twelve"),
        ("what is the square root of one hundred and forty four", "twelve"),
        ("what is fifteen percent of eighty", "twelve"),
        ("how much is 2 to the power of 10?", "one thousand twenty four"),
        ("what time is it", "It is nine thirty on Monday, eleven May two thousand twenty six."),
        ("what time is it in tokyo", "It is eighteen thirty on Monday, eleven May two thousand twenty six in tokyo."),
        ("how many feet are in two meters", "two meters is six point five six feet"),
        ("what is twenty degrees celsius in fahrenheit", "twenty degrees celsius is sixty eight fahrenheit"),
        ("set a timer for five minutes", "I will tell you in five minutes."),
        ("remind me to call mom in half an hour", "I will tell you in thirty minutes."),
        ("take a note that the milk is out", "Noted: the milk is out"),
    ],
)
async def test_plain_questions_are_answered_without_a_model(question: str, answer: str):
    pytest.importorskip("pint")
    async with desk(ToolsBackend(), *builtin_tools(), now=lambda: NOW) as it:
        it.act(f"ask 1: {question}")
        assert str(await it.result()) == f"1 done: {answer}"


async def test_what_no_tool_understands_is_said():
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        it.act("ask 1: who is the king of norway")
        report = await it.result()
        assert report.kind is ReportKind.ERROR
        assert "without a language model" in report.text
        assert "do sums" in report.text


async def test_a_correction_counts():
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        it.act("ask 1: what is ninety plus one")
        await it.result()
        it.act("amend 1: what is nineteen plus one")
        assert (await it.result()).text == "twenty"


async def test_a_timer_fires_once_also_after_a_restart(tmp_path: Path):
    reports: asyncio.Queue[Report] = asyncio.Queue()
    ledger = Ledger(tmp_path / "l")
    await Timers("s", ledger, reports.put_nowait, now_s=lambda: 1_000.0).add(3, "tea", 60)
    ledger.close()  # the process dies before it is due
    ledger = Ledger(tmp_path / "l")
    for _ in range(2):
        timers = Timers("s", ledger, reports.put_nowait, now_s=lambda: 2_000.0)
        await timers.start()
    assert str(await asyncio.wait_for(reports.get(), 20)) == "3 say: Time is up: tea."
    assert await timers.running() == []
    assert reports.empty()
    ledger.close()


@pytest.mark.parametrize(
    "expression",
    ["__import__('os')", "(1).__class__", "[1][0]", "'a' * 9", "True + 1", "1 if 1 else 2", "lambda: 1", "f(1)", "x"],
)
def test_the_calculator_evaluates_nothing_but_arithmetic(expression: str):
    with pytest.raises(ToolError):
        evaluate(expression)


@pytest.mark.parametrize("expression", ["9 ** 9 ** 9", "1 / 0", "sqrt(-1)", "(-1) ** 0.5", "9e300 * 9e300", "(" * 500])
def test_sums_without_a_value_end_at_once(expression: str):
    with pytest.raises(ToolError):
        evaluate(expression)


@given(st.text(max_size=300))
def test_no_expression_crashes_the_calculator(text: str):
    understand(text)
    with contextlib.suppress(ToolError):
        evaluate(text)


async def test_files_are_searched_and_read_inside_the_folder_only(tmp_path: Path):
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "trip.txt").write_text("the hotel in Oslo is booked for May")
    (folder / "picture.bin").write_bytes(b"\0\1\2")
    (tmp_path / "secret.txt").write_text("hotel secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    tools = {tool.name: tool for tool in builtin_tools(files=folder)}
    async with desk(ToolsBackend(), *tools.values()) as it:
        it.act("ask 1: find hotel in my files")
        report = await it.result()
        assert "trip.txt" in report.text
        assert "secret" not in it.coordinator.jobs("s")[0].text
    scope = None
    for name in ("../secret.txt", "link.txt", "picture.bin", "absent.txt", "sub"):
        with pytest.raises(ToolError):
            await tools["read_file"].call({"name": name}, scope)
    assert "Oslo" in await tools["read_file"].call({"name": "sub/trip.txt"}, scope)
    with pytest.raises(ValueError, match="no folder"):
        builtin_tools(files=tmp_path / "absent")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "file:///etc/passwd", "http://example.org.evil.net/", "http://x"])
async def test_only_hosts_that_were_named_are_fetched(url: str):
    (fetch,) = web_tools(WebAccess(fetch_hosts=("example.org", "*.example.org")))
    with pytest.raises(ToolError):
        await fetch.call({"url": url}, None)


async def test_every_public_host_does_not_mean_this_machine():
    (fetch,) = web_tools(WebAccess(fetch_hosts=("*",)))
    with pytest.raises(ToolError, match="private network"):
        await fetch.call({"url": "http://localhost:1/"}, None)
