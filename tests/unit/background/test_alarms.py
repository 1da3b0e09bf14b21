"""Alarms for a time of day: what is understood without a language model, and which moment is meant."""

import datetime
import zoneinfo

import pytest
from background_doubles import desk

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.tools import ToolError, builtin_tools
from microturn.background.tools.alarm_tools import SET_ALARM, Alarm, next_at

OSLO = zoneinfo.ZoneInfo("Europe/Oslo")
NOW = datetime.datetime(2026, 5, 11, 14, 20, tzinfo=OSLO)


@pytest.mark.parametrize(
    ("question", "at", "label"),
    [
        ("remind me at half past five to call mum", "5:30", "call mum"),
        ("remind me to call anna at five thirty", "5:30", "call anna"),
        ("wake me at 7", "7:00", ""),
        ("wake me up at seven o'clock tomorrow please", "tomorrow 7:00", ""),
        ("set an alarm for 6:45 am", "6:45 am", ""),
        ("Set an alarm for quarter to eight tomorrow morning.", "tomorrow 7:45 am", ""),
        ("remind me at 17:30 to leave", "17:30", "leave"),
        ("remind me tomorrow at 5 p.m. to leave", "tomorrow 5:00 pm", "leave"),
        ("remind me at noon about the 2 hour meeting", "12:00 pm", "the 2 hour meeting"),
        ("please set an alarm for midnight", "12:00 am", ""),
        ("set a reminder for nine in the evening to lock the door", "9:00 pm", "lock the door"),
        ("remind me tonight at eight oh five that the film begins", "8:05 pm", "the film begins"),
        ("remind me at ten to eight to go", "7:50", "go"),
    ],
)
def test_a_time_of_day_is_understood_as_it_is_said(question: str, at: str, label: str) -> None:
    assert SET_ALARM.understand(question) == Alarm(at=at, label=label)


@pytest.mark.parametrize(
    "question",
    [
        "remind me to look at 3 houses",
        "remind me in 10 minutes to leave",
        "wake me 10 minutes before 7",
        "set an alarm for 7 and remind me at 9",
        "remind me at 7 every day",
        "set an alarm for 25:00",
        "when is my alarm at 7",
        "cancel the alarm at 7",
        "what is at 5",
    ],
)
def test_no_alarm_is_set_by_guess(question: str) -> None:
    assert SET_ALARM.understand(question) is None


@pytest.mark.parametrize(
    ("at", "day", "hour", "minute"),
    [
        ("5:30", 11, 17, 30),
        ("2:00", 12, 2, 0),
        ("2:30", 11, 14, 30),
        ("12:00", 12, 0, 0),
        ("12:00 pm", 12, 12, 0),
        ("12:00 am", 12, 0, 0),
        ("02:30", 12, 2, 30),
        ("14:19", 12, 14, 19),
        ("tomorrow 7:00", 12, 7, 0),
        ("tomorrow 5:00", 12, 17, 0),
        ("tomorrow 5:00 am", 12, 5, 0),
        ("today 11:05 pm", 11, 23, 5),
    ],
)
def test_it_is_the_next_moment_at_which_a_clock_shows_that(at: str, day: int, hour: int, minute: int) -> None:
    assert next_at(at, NOW) == datetime.datetime(2026, 5, day, hour, minute, tzinfo=OSLO)


@pytest.mark.parametrize("at", ["soon", "25:00", "13:00 pm", "0:30 am", "5", "", "5:75", "today 9:00 am"])
def test_what_is_no_time_to_come_is_refused_in_words(at: str) -> None:
    with pytest.raises(ToolError, match=r"time of day: write it as|has passed already"):
        next_at(at, NOW)


async def test_it_is_due_when_the_clock_says_so_though_the_clocks_change_in_between() -> None:
    """In Oslo the night to the 29th of March 2026 is an hour shorter."""
    now = datetime.datetime(2026, 3, 28, 22, 0, tzinfo=OSLO)
    async with desk(ToolsBackend(), *builtin_tools(), now=lambda: now) as it:
        it.act("ask 1: wake me at seven tomorrow")
        assert str(await it.result()) == "1 done: I will tell you tomorrow at seven o'clock am."
        (timer,) = [each.card for job in it.coordinator.jobs("s") for each in job.timers]
        assert (timer.title, timer.seconds) == ("alarm of 7:00 am", 8 * 3600)


async def test_a_corrected_alarm_takes_the_place_of_the_one_before() -> None:
    async with desk(ToolsBackend(), *builtin_tools(), now=lambda: NOW) as it:
        it.act("ask 1: remind me at five to call mum")
        assert str(await it.result()) == "1 done: I will tell you today at five o'clock pm."
        it.act("amend 1: no, at half past six")
        assert str(await it.result()) == "1 done: I will tell you today at six thirty pm."
        timers = [each.card for job in it.coordinator.jobs("s") for each in job.timers]
        assert [(timer.title, timer.seconds) for timer in timers] == [("call mum", 15_000)]


@pytest.mark.parametrize(
    ("correction", "at"),
    [
        ("no, at six", "6:00"),
        ("make it 5 p.m. tomorrow please", "tomorrow 5:00 pm"),
        ("sorry I meant quarter to eight", "7:45"),
        ("set another alarm for six", None),
        ("six eggs", None),
    ],
)
def test_only_a_plain_time_corrects_an_alarm(correction: str, at: str | None) -> None:
    alarm = SET_ALARM.amend(Alarm(at="5:00", label="eggs"), correction)
    assert alarm == (None if at is None else Alarm(at=at, label="eggs", replaces=True))
