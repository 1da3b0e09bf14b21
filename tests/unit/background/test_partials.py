"""Answers while they are written: shown now and then, taken back where nothing comes of them, never with a secret."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from background_doubles import Desk, desk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from microturn.background.cards import without_cards
from microturn.background.coordinator import Coordinator
from microturn.background.jobs import MAX_ANSWER_CHARS, Answer, BackendError, Job, JobState
from microturn.background.limits import JobLimits
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.partials import MAX_CHARS_PER_S, MIN_PERIOD_S, PartialAnswer
from microturn.background.secrets import REMOVED, GrowingText, Redactor
from microturn.background.workbench import Workbench
from microturn.turns.background import BackgroundRequest, ReportKind, parse_act

# --- secrets ---------------------------------------------------------------------------------------------------------

KNOWN = ("Q7 X8\nZ9-Q1Z", "X1Q2Z3")
"""Whoever sees a Q, X, Z or digit has seen a part of a secret."""
SECRET_CHARS = set("QXZ123456789")
BODIES = st.text("QXZ123456789", min_size=20, max_size=40)
FORMS: list[Callable[[str], str]] = [
    lambda body: f"sk-{body}",
    lambda body: f"ghp_{body}",
    lambda body: f"AKIA{body[:16]}",
    lambda body: f"eyJ{body}.{body * 30}.{body}",
    lambda body: f"https://user:{body}@host.example/path",
    lambda body: f"password is {body}",
    lambda body: f'"api key": "{body}"',
    lambda body: f"token:\n{body}",
    lambda body: f"secret = {body[:6]}",
    lambda body: "pin code: 1234",
    lambda body: f"bearer  {body}",
    lambda body: f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----",
    lambda body: KNOWN[0],
    lambda body: KNOWN[1],
]
SECRETS = st.builds(lambda form, body: form(body), st.sampled_from(FORMS), BODIES)
FILLER = st.lists(
    st.sampled_from(["the train", "password", "is", "token", "明日は。", "- a", "*b*", "http://a.b/c"]), max_size=60
)
PARTS = st.lists(st.one_of(SECRETS, FILLER.map(" ".join), st.just("words " * 70)), min_size=1, max_size=8)
SEPARATORS = st.sampled_from([" ", "\n", ",\n", "\n\n", ". "])


@settings(deadline=None, max_examples=150)
@given(PARTS, SEPARATORS, st.integers(1, 40))
@example(["token", "words " * 70, "sk-QXZ12345678912345678"], "\n", 1)
def test_no_part_of_a_secret_shows_before_it_is_whole(parts: list[str], separator: str, step: int):
    text, redactor = separator.join(parts) + "\n", Redactor(KNOWN)
    if SECRET_CHARS & set(redactor.clean(text)):
        return  # two that follow each other can hide one another, in the whole answer as well
    growing = GrowingText(redactor)
    for end in range(0, len(text), step):
        shown = growing.clean(text[:end])
        assert not SECRET_CHARS & set(shown), (text[:end], shown)


@settings(deadline=None, max_examples=150)
@given(PARTS, SEPARATORS, st.integers(1, 200))
def test_what_is_shown_last_is_what_the_whole_is(parts: list[str], separator: str, step: int):
    text, redactor = separator.join(parts) + " so it is.\n", Redactor(KNOWN)
    growing = GrowingText(redactor)
    for end in range(0, len(text), step):
        growing.clean(text[:end])
    assert growing.clean(text) == redactor.clean(text)


def test_only_the_last_word_waits_for_what_follows():
    growing = GrowingText(Redactor())
    assert growing.clean("Oslo is the cap") == "Oslo is the "
    assert growing.clean("Oslo is the capital, at la") == "Oslo is the capital, at "
    assert growing.clean("明日は晴れです。気温") == "明日は晴れです。"


def test_a_text_that_begins_anew_is_cleaned_anew():
    growing = GrowingText(Redactor())
    growing.clean("a line\n" * 200)
    assert growing.clean("token: abcdef, and ") == f"token: {REMOVED}, and "


# --- when it is shown ------------------------------------------------------------------------------------------------


class SlowTiming:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waiting: list[tuple[float, Later]] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        later = Later(callback)
        self.waiting.append((self.now_s + delay, later))
        return cast(asyncio.TimerHandle, later)

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        due, self.waiting = (
            [each for each in self.waiting if (each[0] <= self.now_s) is is_due] for is_due in (True, False)
        )
        for _, later in due:
            if not later.is_cancelled:
                later.callback()


class Later:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Watch:
    """One attempt's answer, and everything of it that was shown."""

    def __init__(self) -> None:
        self.timing = SlowTiming()
        self.job = Job(request=BackgroundRequest(session_id="s", act=parse_act("ask 1: x"), time_ms=0))
        self.job.state = JobState.RUNNING
        self.shown: list[str] = []
        self.is_watched = True
        self.partial = PartialAnswer(
            self.job, Redactor(), lambda: self.shown.append(self.job.partial), lambda: self.is_watched, self.timing
        )


def test_it_is_shown_four_times_a_second_and_the_latest_is_not_left_out():
    watch = Watch()
    for number in range(1, 21):
        watch.partial.write("word. " * number)
        watch.timing.pass_s(0.05)
    assert len(watch.shown) == 4
    watch.timing.pass_s(MIN_PERIOD_S)
    assert watch.shown[-1] == ("word. " * 20).strip()
    watch.timing.pass_s(10.0)
    assert len(watch.shown) == 5


def test_what_has_not_grown_is_not_shown_again():
    watch = Watch()
    for text in ("It is. ", "It is. Al", "It is. Almo"):
        watch.partial.write(text)
        watch.timing.pass_s(1.0)
    assert watch.shown == ["It is."]


def test_a_long_answer_is_shown_less_often_and_not_beyond_the_bound():
    watch = Watch()
    watch.partial.write("word. " * MAX_ANSWER_CHARS)
    assert len(watch.shown[0]) <= MAX_ANSWER_CHARS
    watch.partial.write("other. " * MAX_ANSWER_CHARS)
    watch.timing.pass_s(MAX_ANSWER_CHARS / MAX_CHARS_PER_S - 0.01)
    assert len(watch.shown) == 1
    watch.timing.pass_s(0.02)
    assert len(watch.shown) == 2


def test_it_is_taken_back_at_once_and_by_an_attempt_that_breaks_off():
    watch = Watch()
    watch.partial.write("Let me see. ")
    watch.partial.write("Let me see. And then. ")
    watch.partial.write("")
    watch.timing.pass_s(1.0)
    assert watch.shown == ["Let me see.", ""]
    watch.partial.write("It is. ")
    error = BackendError("The line is bad.")
    watch.partial.__exit__(BackendError, error, None)
    watch.partial.write("a word too late. ")
    watch.timing.pass_s(1.0)
    assert watch.shown == ["Let me see.", "", "It is.", ""]


def test_what_nobody_watches_is_not_kept():
    watch = Watch()
    watch.is_watched = False
    watch.partial.write("It is. ")
    assert (watch.job.partial, watch.shown) == ("", [])


def test_a_job_that_is_over_shows_nothing_more():
    watch = Watch()
    watch.partial.write("It is. ")
    watch.partial.write("It is. So. ")
    watch.job.state, watch.job.partial = JobState.CANCELLED, ""
    watch.timing.pass_s(1.0)
    watch.partial.write("It is. So. It. ")
    assert (watch.job.partial, watch.shown) == ("", ["It is."])


# --- over a job ------------------------------------------------------------------------------------------------------


class Writer:
    """Writes what it is told to, one attempt after the other."""

    name = "writer"
    package_policy = PackagePolicy()

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str | Exception] = asyncio.Queue()

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        text = ""
        while line := await self.lines.get():
            if isinstance(line, Exception):
                raise line
            text += line
            bench.write(text)
        return Answer(text=text)

    async def close(self) -> None:
        pass


class Page:
    """What the page is shown of a session's jobs."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[JobState, str, str]] = asyncio.Queue()

    def show(self, job: Job) -> None:
        self.events.put_nowait((job.state, job.partial, job.text))

    async def next_partial(self) -> str:
        """Of the next event in which it is another one."""
        while (event := await self.events.get())[1:] == ("", ""):
            pass
        return event[1]


@asynccontextmanager
async def written(**limits: int) -> AsyncIterator[tuple[Desk, Writer, Page]]:
    writer, page = Writer(), Page()
    async with desk(writer, limits=JobLimits(first_backoff_ms=1, **limits)) as it:
        it.coordinator.attach("s", it.reports.put_nowait, observe=page.show)
        it.act("ask 1: x")
        writer.lines.put_nowait("It is so. ")
        assert await page.next_partial() == "It is so."
        yield it, writer, page


async def test_the_whole_answer_takes_its_place_in_one_event():
    async with written() as (it, writer, page):
        writer.lines.put_nowait("")
        assert str(await it.result()) == "1 done: It is so."
        assert await page.events.get() == (JobState.DONE, "", "It is so. ")


async def test_nothing_of_it_is_told_or_said_again_before_it_is_whole():
    async with written() as (it, _, page):
        it.act("amend 1: say that again")
        assert (await it.report()).text == "there is no answer yet"
        it.act("cancel 1")
        assert await page.events.get() == (JobState.CANCELLED, "", "")
        assert it.reports.empty()


async def test_a_retried_attempt_takes_it_back():
    async with written() as (it, writer, page):
        writer.lines.put_nowait(BackendError("The line is bad.", is_transient=True))
        assert await page.events.get() == (JobState.RUNNING, "", "")
        writer.lines.put_nowait("No. ")
        assert await page.next_partial() == "No."
        writer.lines.put_nowait("")
        assert str(await it.result()) == "1 done: No."


@pytest.mark.parametrize("error", [BackendError("No."), RuntimeError("secret detail")])
async def test_a_failure_takes_it_back(error: Exception):
    async with written() as (it, writer, page):
        writer.lines.put_nowait(error)
        assert (await it.result()).kind is ReportKind.ERROR
        assert await page.events.get() == (JobState.RUNNING, "", "")
        assert (await page.events.get())[:2] == (JobState.FAILED, "")


async def test_a_correction_begins_anew():
    async with written() as (it, writer, page):
        it.act("amend 1: y")
        assert await page.events.get() == (JobState.CANCELLED, "", "")
        writer.lines.put_nowait("Or so. ")
        assert await page.next_partial() == "Or so."


async def test_an_attempt_that_takes_too_long_takes_it_back():
    async with written(attempt_within_ms=300, max_attempts=1) as (it, _, page):
        assert (await it.result()).kind is ReportKind.ERROR
        assert await page.events.get() == (JobState.RUNNING, "", "")


async def test_who_comes_back_is_shown_how_far_it_is():
    async with written() as (it, _, page):
        it.coordinator.park("s")
        it.coordinator.attach("s", it.reports.put_nowait, observe=page.show)
        (job,) = it.coordinator.jobs("s")
        assert job.partial == "It is so."


async def test_without_a_page_nothing_is_kept():
    writer, shown = Writer(), set[str]()
    async with Coordinator(writer) as coordinator:
        coordinator.attach("s", lambda report: None, has_page=False, observe=lambda job: shown.add(job.partial))
        coordinator.submit(BackgroundRequest(session_id="s", act=parse_act("ask 1: x"), time_ms=0))
        writer.lines.put_nowait("It is so. ")
        writer.lines.put_nowait("")
        await coordinator.wait_until_idle()
        assert coordinator.jobs("s")[0].text == "It is so. "
    assert shown == {""}


# --- cards -----------------------------------------------------------------------------------------------------------

CARD = '```card\n{"type": "timer", "title": "tea", "seconds": 240}\n```'


@pytest.mark.parametrize("end", [8, 20, len(CARD) - 4, len(CARD)])
def test_a_card_is_not_seen_until_the_answer_is_whole(end: int):
    assert without_cards(f"Four minutes.\n\n{CARD[:end]}") == "Four minutes."


def test_what_is_no_card_is_shown_as_it_is_written():
    assert without_cards("```python\nprint(1)") == "```python\nprint(1)"
    wrong = '```card\n{"type": "button"}\n```'
    assert without_cards(f"{wrong}\n\nMore.\n\n```card\n{{") == f"{wrong}\n\nMore."
