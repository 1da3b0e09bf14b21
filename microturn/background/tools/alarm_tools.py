"""Alarms and reminders for a time of day, as a tool. The moment is worked out in the user's own time zone."""

import datetime
import re
from typing import Annotated

from pydantic import Field

from microturn.background.numerals import digits_of
from microturn.background.tools.timer_tools import Reminder, amended, start
from microturn.background.tools.tool import Tool, ToolError, ToolScope

_AT = re.compile(r"(?P<day>today|tomorrow)? ?(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?: ?(?P<half>am|pm))?")
FIRST_MORNING_HOUR = 7
"""Tomorrow at seven is in the morning, tomorrow at six in the evening, unless it is said."""

_HALF_DAY, _SHORT = re.compile(r"\b([ap]) ?\. ?m\b(?: \.)?"), r"\1m"
"""After ``digits_of``, "p . m ." and what it is made."""
_CLOCK = re.compile(
    r"\b(?:at|for|by)(?: about| around| exactly)? (?:"
    r"(?P<named>noon|midday|midnight)"
    r"|(?:(?P<share>half|(?:a )?quarter|[1-5]?\d)(?: minutes)? (?P<side>past|to) (?P<of>\d{1,2})"
    r"|(?P<hour>\d{1,2})(?:(?: :)? (?P<minute>[0-5]\d)| oh (?P<minutes>\d))?)"
    r"(?: o ' ?clock)?(?: (?P<half>am|pm))?)(?![\w.:])"
)
"""After ``digits_of``: "at 5", "at 6 : 45 pm", "at half past 5", "at 10 to 8", "at noon"."""
_DAY = r"(?:this |in the |tomorrow )?(?:morning|afternoon|evening|night)|at night|tonight|today|tomorrow"
_AFTER_CLOCK = re.compile(rf"(?: (?:{_DAY}|sharp|please|for me|[,.!?]))*(?: (?:to|that|about|and) .*)?")
_DAY_WORDS = re.compile(rf" ?\b(?:{_DAY})\b")
_MORNING = re.compile(r"\bmorning\b")
_EVENING = re.compile(r"\b(?:afternoon|evening|night|tonight)\b")
_ASKED = re.compile(r"\b(?:remind me|wake me|alarm|reminder)\b")
_MATTER = re.compile(r"\b(?:remind me|reminder|alarm)\b.*? (?:to|about|that) (?P<what>.+)")


class Alarm(Reminder):
    """An alarm to set."""

    at: Annotated[str, Field(max_length=40)]
    """Time of day where the user is: "17:30", "5:30 pm", "tomorrow 7:00 am". Without am or pm, the next that comes."""


def next_at(at: str, now: datetime.datetime) -> datetime.datetime:
    """The moment after ``now`` at which a clock shows ``Alarm.at``. Raises ToolError if there is none."""
    match = _AT.fullmatch(at.strip().lower())
    hour = int(match["hour"]) if match else 24
    if match is None or hour > 23 or (match["half"] and not 1 <= hour <= 12):
        raise ToolError(f"{at[:40]!r} is no time of day: write it as 17:30, 5:30 pm or tomorrow 7:00 am")
    days = {"today": (0,), "tomorrow": (1,)}.get(match["day"] or "", (0, 1))
    hours = [hour]
    if match["half"]:
        hours = [hour % 12 + (12 if match["half"] == "pm" else 0)]
    elif 1 <= hour <= 12 and not match["hour"].startswith("0"):
        hours = [hour % 12, hour % 12 + 12]
        if match["day"] == "tomorrow":
            hours = [hour if hour >= FIRST_MORNING_HOUR else hour + 12]
    for day in days:
        for each in sorted(hours):
            date = now.date() + datetime.timedelta(days=day)
            moment = datetime.datetime.combine(date, datetime.time(each, int(match["minute"])), now.tzinfo)
            if moment.timestamp() > now.timestamp():
                return moment
    raise ToolError(f"{at[:40]} has passed already: name a later time, or tomorrow")


async def _set(arguments: Alarm, scope: ToolScope) -> str:
    moment = next_at(arguments.at, scope.now)
    seconds = moment.timestamp() - scope.now.timestamp()  # of a day on which the clocks change, too
    clock = f"{moment.hour % 12 or 12}:{moment.minute:02d} {'am' if moment.hour < 12 else 'pm'}"
    await start(arguments, seconds, f"alarm of {clock}", scope)
    day = "today" if moment.date() == scope.now.date() else "tomorrow"
    return f"I will tell you {day} at {clock}."


def _understand(question: str) -> Alarm | None:
    text = _HALF_DAY.sub(_SHORT, digits_of(question))
    if not _ASKED.search(text) or re.search(r"\b(?:cancel|delete|every|each|when|which)\b", text):
        return None
    clocks = [clock for clock in _CLOCK.finditer(text) if _AFTER_CLOCK.fullmatch(text, clock.end())]
    if len(clocks) != 1 or (at := _shown(clocks[0], text)) is None:
        return None
    rest = _DAY_WORDS.sub("", f"{text[: clocks[0].start()].rstrip()}{text[clocks[0].end() :]}")
    what = _MATTER.search(rest)
    return Alarm(at=at, label=" ".join(what["what"].split()).strip(" ?.,!")[:200] if what else "")


def _amend(before: Alarm, correction: str) -> Alarm | None:
    """The alarm set anew: "no, at six"."""
    return amended(before, correction, _understand, _understand_clock)


def _understand_clock(text: str) -> Alarm | None:
    text = f"at {_HALF_DAY.sub(_SHORT, text).removeprefix('at ')}"
    clock = _CLOCK.match(text)
    if clock is None or not re.fullmatch(rf"(?: (?:{_DAY}))*", text[clock.end() :]):
        return None
    at = _shown(clock, text)
    return None if at is None else Alarm(at=at)


def _shown(clock: re.Match[str], text: str) -> str | None:
    """The time as ``Alarm.at`` has it; None where it is none."""
    half = clock["half"] or ""
    if clock["named"]:
        hour, minute, half = 12, 0, "am" if clock["named"] == "midnight" else "pm"
    elif clock["of"]:
        share = {"half": 30, "quarter": 15}.get(clock["share"].removeprefix("a ")) or int(clock["share"])
        hour, minute = int(clock["of"]), share
        if clock["side"] == "to":
            hour, minute = (hour - 1) or 12, (60 - share) % 60
    else:
        hour, minute = int(clock["hour"]), int(clock["minute"] or clock["minutes"] or 0)
    if not half and 1 <= hour <= 12:
        half = "pm" if _EVENING.search(text) else "am" if _MORNING.search(text) else ""
    if hour > 23 or (half and not 1 <= hour <= 12):
        return None
    return f"{'tomorrow ' if 'tomorrow' in text else ''}{hour}:{minute:02d} {half}".strip()


SET_ALARM = Tool(
    name="set_alarm",
    description="Set an alarm or a reminder for a time of day, today or tomorrow; the user is told when it is due.",
    ability="remind at a time of day",
    arguments=Alarm,
    run=_set,
    understand=_understand,
    amend=_amend,
    changes_something=True,
)
