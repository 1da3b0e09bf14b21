"""The built-in tools: what they understand without a language model, what they answer, what they refuse."""

import asyncio
import contextlib
import datetime
import json
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
from background_doubles import Desk, desk
from hypothesis import given
from hypothesis import strategies as st

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.jobs import Answer
from microturn.background.ledger import Ledger
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.timers import Timers
from microturn.background.tools import ToolError, WebAccess, builtin_tools, files, unit_conversion, web
from microturn.background.tools.arithmetic import evaluate, shown, understand
from microturn.background.tools.time_of_day import zone_of
from microturn.background.tools.timer_tools import SET_TIMER, Timer
from microturn.background.tools.web import web_tools
from microturn.background.workbench import Workbench
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


async def test_a_correction_never_repeats_what_changed_something():
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        it.act("ask 1: set a timer for ten minutes")
        await it.result()
        it.act("amend 1: make it five")
        report = await it.result()
        assert report.kind is ReportKind.ERROR
        assert report.text == "I cannot correct that without a language model. Ask for the whole of it again."
        it.act("ask 2: how much time is left")
        assert (await it.result()).text.count("timer of") == 1


def shown_timers(it: Desk) -> list[tuple[str, float]]:
    """Label and seconds of the timers that the page counts down."""
    return [(each.card.title, each.card.seconds) for job in it.coordinator.jobs("s") for each in job.timers]


@pytest.mark.parametrize("correction", ["no, ten minutes", "no, set a timer for ten minutes", "make it ten minutes"])
async def test_a_corrected_timer_takes_the_place_of_the_one_before(correction: str):
    ledger = Ledger()
    async with desk(ToolsBackend(), *builtin_tools(), ledger=ledger) as it:
        it.act("ask 1: set a timer for the eggs for five minutes")
        await it.result()
        it.act("ask 2: set a timer for the tea for three minutes")
        await it.result()
        it.act(f"amend 1: {correction}")
        assert str(await it.result()) == "1 done: I will tell you in ten minutes."
        assert shown_timers(it) == [("tea", 180), ("eggs", 600)]
        assert [timer.label for timer in ledger.timers("s")] == ["tea", "eggs"]
        it.act("amend 1: no, one minute")
        assert str(await it.result()) == "1 done: I will tell you in one minute."
        assert shown_timers(it) == [("tea", 180), ("eggs", 60)]
        assert [timer.label for timer in ledger.timers("s")] == ["eggs", "tea"]


async def test_several_timers_that_a_model_sets_anew_take_the_place_of_those_before_together():
    class Model(ToolsBackend):
        """Sets two timers, and after a correction both again."""

        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            is_corrected = "correction" in package.question
            for minutes in (6, 12) if is_corrected else (5, 10):
                await bench.call("set_timer", {"seconds": 60 * minutes, "replaces": is_corrected})
            return Answer(text="Done.")

    async with desk(Model(), *builtin_tools()) as it:
        it.act("ask 1: set timers for five and ten minutes")
        await it.result()
        it.act("amend 1: no, six and twelve")
        await it.result()
        assert [seconds for _, seconds in shown_timers(it)] == [360, 720]


async def test_a_timer_that_is_to_run_beside_the_first_leaves_that_alone():
    ledger = Ledger()
    async with desk(ToolsBackend(), *builtin_tools(), ledger=ledger) as it:
        it.act("ask 1: set a timer for five minutes")
        await it.result()
        it.act("amend 1: set another timer for ten minutes")
        await it.result()
        assert len(ledger.timers("s")) == 2
        assert [seconds for _, seconds in shown_timers(it)] == [300, 600]


async def test_a_timer_is_still_shown_after_a_correction_and_withdrawn_when_it_is_cancelled():
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        it.act("ask 1: set a timer for five minutes")
        await it.result()
        it.act("amend 1: what is two plus two")
        assert (await it.result()).text == "four"
        assert len(shown_timers(it)) == 1
        it.act("ask 2: cancel all timers")
        await it.result()
        assert shown_timers(it) == []


@pytest.mark.parametrize(
    ("correction", "seconds"),
    [
        ("Sorry, I meant twenty minutes.", 1_200),
        ("actually make it an hour and a half please", 5_400),
        ("no no, in two minutes instead", 120),
        ("make it five", None),
        ("also ten minutes", None),
        ("ten minutes as well", None),
        ("not ten minutes", None),
        ("ten or five minutes", None),
        ("ten minutes is too long", None),
        ("eight days", None),
        ("no", None),
    ],
)
def test_only_a_plain_time_corrects_a_timer(correction: str, seconds: float | None):
    timer = SET_TIMER.amend(Timer(seconds=300, label="eggs"), correction)
    assert timer == (None if seconds is None else Timer(seconds=seconds, label="eggs", replaces=True))


def test_the_number_of_a_timer_that_is_gone_is_not_given_again():
    ledger = Ledger()
    first = ledger.add_timer("s", 1, "tea", 0.0)
    ledger.take_timer(first.timer_id)
    assert ledger.add_timer("s", 2, "eggs", 0.0).timer_id != first.timer_id
    ledger.close()


async def test_what_lies_behind_the_tools_is_told_what_was_done():
    class Behind(ToolsBackend):
        packages: ClassVar[list[str]] = []

        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            self.packages.append(package.text)
            return Answer(text="I cannot.")

    async with desk(ToolsBackend(Behind()), *builtin_tools()) as it:
        it.act("ask 1: set a timer for ten minutes")
        await it.result()
        it.act("amend 1: make it five")
        assert (await it.result()).text == "I cannot."
    assert "- set_timer {" in Behind.packages[0]
    assert "600" in Behind.packages[0]


async def test_a_correction_falls_back_to_what_only_looks():
    async with desk(ToolsBackend(), *builtin_tools()) as it:
        it.act("ask 1: what is ninety plus one")
        await it.result()
        it.act("amend 1: I mean it")
        assert (await it.result()).text == "ninety one"


async def test_a_timer_that_is_due_while_nobody_listens_stays_in_the_ledger(tmp_path: Path):
    reports: asyncio.Queue[Report] = asyncio.Queue()
    ledger = Ledger(tmp_path / "l")
    ledger.add_timer("s", 3, "tea", 0.0)
    is_heard = False
    timers = Timers("s", ledger, reports.put_nowait, is_heard=lambda: is_heard)
    await timers.start()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    assert reports.empty()
    assert [timer.label for timer in ledger.timers("s")] == ["tea"]
    is_heard = True
    await timers.start()
    assert str(await asyncio.wait_for(reports.get(), 20)) == "3 say: Time is up: tea."
    ledger.close()


async def test_a_timer_whose_listener_goes_as_it_fires_is_put_back():
    heard = iter([True, False, False])
    reports: list[Report] = []
    ledger = Ledger()
    ledger.add_timer("s", 3, "tea", 0.0)
    timers = Timers("s", ledger, reports.append, is_heard=lambda: next(heard))
    await timers.start()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    assert reports == []
    assert [(timer.timer_id, timer.label) for timer in ledger.timers("s")] == [(1, "tea")]
    ledger.close()


async def test_a_timer_fires_on_return_without_a_new_session():
    ledger = Ledger()
    async with desk(ToolsBackend(), *builtin_tools(), ledger=ledger) as it:
        it.coordinator.park("s")
        ledger.add_timer("s", 3, "tea", 0.0)
        it.coordinator.attach("s", it.reports.put_nowait)
        assert str(await it.report()) == "3 say: Time is up: tea."


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


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("6 divided by 50 percent", "12"),
        ("6 / 50%", "12"),
        ("12 divided by half of 6", "4"),
        ("100 divided by a quarter of 8", "50"),
        ("ten percent of twenty percent of fifty", "1"),
        ("three quarters of eight", "6"),
        ("half of six squared", "18"),
        ("two and a half times four", "10"),
        ("half plus one", "1.5"),
        ("1,500 plus 2", "1502"),
    ],
)
def test_a_share_is_of_what_follows_it(question: str, value: str):
    asked = understand(question)
    assert asked is not None
    assert shown(evaluate(asked.expression)) == value


@pytest.mark.parametrize(
    "question", ["what is 10:30", "1,5 plus 2", "100 minus 20 percent", "50 percent half of 6", "what is 5 (3)"]
)
def test_what_may_mean_something_else_is_no_sum(question: str):
    assert understand(question) is None


@pytest.mark.parametrize(
    ("question", "seconds", "label"),
    [
        ("set a timer for half a minute", 30, ""),
        ("set a timer for a quarter of an hour", 900, ""),
        ("set a timer for three quarters of an hour", 2_700, ""),
        ("set a timer for an hour and a quarter", 4_500, ""),
        ("set a timer for two and a half hours", 9_000, ""),
        ("set a timer for 1 1/2 hours", 5_400, ""),
        ("set a timer for 1 hour, 20 minutes and 5 seconds", 4_805, ""),
        ("set a timer for 1,500 seconds", 1_500, ""),
        ("set a second timer for 5 minutes", 300, ""),
        ("set a timer for the eggs for 10 minutes", 600, "eggs"),
        ("remind me in 10 minutes about the 2 hour meeting", 600, "the 2 hour meeting"),
        ("remind me 20 minutes from now to leave", 1_200, "leave"),
    ],
)
def test_a_span_of_time_is_understood_as_it_is_said(question: str, seconds: float, label: str):
    timer = SET_TIMER.understand(question)
    assert timer is not None
    assert (timer.seconds, timer.label) == (pytest.approx(seconds), label)


@pytest.mark.parametrize(
    "question",
    [
        "remind me about the 2 hour meeting",
        "remind me to stretch every 2 hours",
        "set timers for 5 minutes and 10 minutes",
        "set a timer for 5 to 10 minutes",
        "set a timer for 1 hour 20",
        "set a timer for 1,5 hours",
        "let me know in an hour or two",
        "wake me 10 minutes before 7",
    ],
)
def test_no_timer_is_set_by_guess(question: str):
    assert SET_TIMER.understand(question) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what is 3 MB in KB", "3 MB is 3000 KB"),
        ("what is 3 mb in kb", "3 mb is 3000 kb"),
        ("what is 3 MB/s in kb/s", "3 MB/s is 3000 kb/s"),
        ("what is 100 Mb in MB", "100 Mb is 12.5 MB"),
        ("how many mb in 2 gb", "2 gb is 2000 mb"),
        ("how many meters are in 1,500 Kilometers", "1500 Kilometers is 1500000 meters"),
    ],
)
async def test_units_are_those_that_are_meant(question: str, answer: str):
    pytest.importorskip("pint")
    asked = unit_conversion.understand(question)
    assert asked is not None
    assert await unit_conversion.CONVERT_UNITS.call(asked.model_dump(), None) == answer


@pytest.mark.parametrize(
    ("place", "hours"),
    [("GMT+5", 5), ("utc-3", -3), ("UTC+05:30", 5.5), ("utc plus five", 5), ("Etc/GMT+5", -5), ("UTC", 0)],
)
def test_an_offset_means_what_people_mean_by_it(place: str, hours: float):
    assert NOW.astimezone(zone_of(place)).utcoffset() == datetime.timedelta(hours=hours)


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


async def test_hidden_files_are_not_read_by_name(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("token")
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "shown.txt").symlink_to(".env")
    (tmp_path / "notes.txt").write_text("milk")
    _, read = files.file_tools(tmp_path)
    for name in (".env", ".git/config", "./.env", "sub/../.env", str(tmp_path / ".env"), "shown.txt", "a\0b"):
        with pytest.raises(ToolError, match="there is no file"):
            await read.call({"name": name}, None)
    assert await read.call({"name": "./notes.txt"}, None) == "milk"


async def test_a_pipe_keeps_nobody_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("the hotel")
    search, read = files.file_tools(tmp_path)
    async with asyncio.timeout(60):
        assert await search.call({"query": "hotel"}, None) == "b.txt: the hotel"
    with pytest.raises(ToolError):
        await read.call({"name": "a.txt"}, None)


async def test_a_search_that_is_cancelled_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for index in range(20):
        (tmp_path / f"{index}.txt").write_text("hotel")
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    read: list[Path] = []

    def text_of(path: Path) -> str:
        read.append(path)
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(60)
        return "hotel"

    monkeypatch.setattr(files, "_text_of", text_of)
    search, _ = files.file_tools(tmp_path)
    task = asyncio.create_task(search.call({"query": "hotel"}, None))
    await begun.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    go_on.set()
    await loop.shutdown_default_executor()  # waits for its threads
    assert len(read) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "file:///etc/passwd", "http://example.org.evil.net/", "http://x"])
async def test_only_hosts_that_were_named_are_fetched(url: str):
    (fetch,) = web_tools(WebAccess(fetch_hosts=("example.org", "*.example.org")))
    with pytest.raises(ToolError):
        await fetch.call({"url": url}, None)


async def test_every_public_host_does_not_mean_this_machine():
    (fetch,) = web_tools(WebAccess(fetch_hosts=("*",)))
    with pytest.raises(ToolError, match="private network"):
        await fetch.call({"url": "http://localhost:1/"}, None)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "224.0.0.1", "::1", "fe80::1", "fc00::1", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::"),
        "::127.0.0.1",
    ],
)
async def test_every_public_host_means_no_private_address(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_, **__: [(None, None, None, "", (address, 0))])
    (fetch,) = web_tools(WebAccess(fetch_hosts=("*",)))
    with pytest.raises(ToolError, match="private network"):
        await fetch.call({"url": "http://public.example/"}, None)


class Site:
    """A host on this machine that answers each path with bytes, as they are, and remembers the requests."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages
        self.requests: list[str] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(request)
        writer.write(b"HTTP/1.1 " + self.pages[request.split()[1]])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def site(pages: dict[str, bytes]) -> AsyncIterator[Site]:
    it = Site(pages)
    async with asyncio.timeout(60), await asyncio.start_server(it.answer, "127.0.0.1", 0) as server:
        it.port = server.sockets[0].getsockname()[1]
        yield it


def page(body: bytes, content_type: str = "text/html; charset=utf-8") -> bytes:
    return f"200 OK\r\ncontent-type: {content_type}\r\n\r\n".encode() + body


def moved(to: str) -> bytes:
    return f"302 Found\r\ncontent-length: 0\r\nlocation: {to}\r\n\r\n".encode()


async def fetched(it: Site, path: str, host: str = "127.0.0.1", allowed: str = "127.0.0.1") -> str:
    (fetch,) = web_tools(WebAccess(fetch_hosts=(allowed,)))
    return await fetch.call({"url": f"http://{host}:{it.port}{path}"}, None)


async def test_the_address_that_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def find(host: str, *_: object, **__: object) -> list[tuple[None, None, None, str, tuple[str, int]]]:
        asked.append(host)
        return [(None, None, None, "", ("127.0.0.1" if host == "a.test" else "10.9.9.9", 0))]

    async with site({"/": moved("/next"), "/next": page(b"<p>Here</p>"), "/away": moved("http://b.test/")}) as it:
        with monkeypatch.context() as patched:
            patched.setattr(web.socket, "getaddrinfo", find)
            patched.setattr(web, "_is_public", lambda address: address == "127.0.0.1")
            assert await fetched(it, "/", "a.test", "*") == "Here"
            with pytest.raises(ToolError, match=r"b\.test lies in a private network"):
                await fetched(it, "/away", "a.test", "*")
        hosts = [line for request in it.requests for line in request.lower().splitlines() if line.startswith("host:")]
    assert hosts == [f"host: a.test:{it.port}"] * 3
    assert asked == ["a.test", "a.test", "a.test", "b.test"]  # once for each hop, and not again to connect


async def test_a_page_is_read_as_far_as_it_is_needed():
    long = b"<head><script>" + b"x" * 1_000 + b"</script></head>" + b"<p>word</p>" * 100_000
    pages = {
        "/": page(long),
        "/latin": page("grün".encode("latin-1"), "text/plain; charset=latin-1"),
        "/punycode": page("grün".encode(), "text/plain; charset=punycode"),
        "/rot13": page(b"a", "text/plain; charset=rot13"),
        "/archive": page(b"PK", "application/zip"),
    }
    async with site(pages) as it:
        text = await fetched(it, "/")
        assert len(text) == web.MAX_TEXT_CHARS
        assert text.startswith("word\nword\n")
        assert await fetched(it, "/latin") == "grün"
        assert await fetched(it, "/punycode") == "grün"
        assert await fetched(it, "/rot13") == "a"
        with pytest.raises(ToolError, match="no text but application/zip"):
            await fetched(it, "/archive")


async def searched(it: Site, query: str = "fjords & more") -> str:
    (search,) = web_tools(WebAccess(search_url=f"http://127.0.0.1:{it.port}/search"))
    return await search.call({"query": query}, None)


def hits(*results: dict[str, object]) -> bytes:
    return page(json.dumps({"results": results}).encode(), "application/json")


FJORDS = "/search?q=fjords+%26+more&format=json"


async def test_the_web_is_searched_through_what_is_configured():
    found = [{"title": f"Fjord {n}", "url": f"https://f.test/{n}", "content": "deep\nwater"} for n in range(9)]
    async with site({FJORDS: hits(*found), "/search?q=nothing&format=json": hits()}) as it:
        lines = (await searched(it)).splitlines()
        assert lines[0] == "Fjord 0 (https://f.test/0): deep water"
        assert len(lines) == 6
        assert await searched(it, "nothing") == "Nothing was found."


async def test_results_are_one_line_each_and_cut_to_size():
    hit = {"title": "t" * 5_000, "url": "https://f.test", "content": None}
    async with site({FJORDS: hits(hit)}) as it:
        assert len(await searched(it)) < 700


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"503 Down\r\ncontent-length: 0\r\n\r\n", "does not answer"),
        (page(b"<html>", "text/html"), "do not understand"),
        (page(b'{"results": 7}', "application/json"), "do not understand"),
        (page(b'{"results": [[]]}', "application/json"), "do not understand"),
        (page(b"[" * 200_000, "application/json"), "do not understand"),
        (page(b'{"results": ["' + b"x" * web.MAX_SEARCH_BYTES + b'"]}', "application/json"), "more than I can read"),
        (b"nonsense", "does not answer"),
    ],
)
async def test_a_search_that_fails_says_so_and_reads_no_more_than_it_may(answer: bytes, said: str):
    async with site({FJORDS: answer}) as it:
        with pytest.raises(ToolError, match=said):
            await searched(it)


class Quoter:
    """Answers with what one tool gives."""

    name = "quoter"
    package_policy = PackagePolicy()
    tool = ""
    arguments: ClassVar[dict[str, object]] = {}

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        return Answer(text=await bench.call(self.tool, dict(self.arguments)))

    async def close(self) -> None:
        pass


async def test_a_plain_model_of_tools_searches_under_the_rules_of_the_session():
    class Searcher(Quoter):
        tool, arguments = "search_web", {"query": "fjords & more"}

    async with site({FJORDS: hits({"title": "Fjord", "url": "https://f.test", "content": "deep"})}) as it:
        tools = web_tools(WebAccess(search_url=f"http://127.0.0.1:{it.port}/search"))
        async with desk(Searcher(), *tools) as at:
            at.act("ask 1: fjords")
            assert "Fjord" in (await at.result()).text
            (job,) = at.coordinator.jobs("s")
            assert [(step.tool, step.outcome) for step in job.steps] == [("search_web", "ok")]
