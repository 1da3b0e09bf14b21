"""Timers and reminders as tools. They need no permission: they are the user's own and change nothing else."""

import re
from typing import Annotated

from pydantic import Field

from microturn.background.numerals import digits_of
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope

MAX_S = 7 * 24 * 3_600
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_SPAN = re.compile(r"(?P<count>\d+(?:\.\d+)?|an?|half an) (?P<unit>second|minute|hour|day)s?(?P<half> and a half)?")
_REMINDER = re.compile(r"remind me (?:in )?.*?(?:to|about|that) (?P<what>.+)")
_TIMER_FOR = re.compile(r"timer .*?\b(?:called|named|for (?:the |my ))\s*(?P<what>[a-z][a-z ]*)")


class Timer(Arguments):
    """A timer to set."""

    seconds: Annotated[float, Field(gt=0, le=MAX_S)]
    """From now until it is due."""
    label: Annotated[str, Field(max_length=200)] = ""
    """What it is for; read to the user when it is due."""


class Nothing(Arguments):
    """No arguments."""


class WhichTimers(Arguments):
    """Timers to drop."""

    label: Annotated[str, Field(max_length=200)] = ""
    """A word of their label; empty for all of them."""


def span_s(text: str) -> float | None:
    """The span of time in a text, such as "1 hour and 20 minutes", in seconds; None when there is none."""
    total = 0.0
    for match in _SPAN.finditer(text):
        count = {"a": 1.0, "an": 1.0, "half an": 0.5}.get(match["count"]) or float(match["count"])
        total += (count + (0.5 if match["half"] else 0)) * _SECONDS[match["unit"]]
    return total or None


def spoken_span(seconds: float) -> str:
    """A span of time as it is said."""
    parts: list[str] = []
    left = round(seconds)
    for unit, size in reversed(_SECONDS.items()):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}" + ("s" if count > 1 else ""))
    return " and ".join(parts[:2]) or "less than a second"


async def _set(arguments: Timer, scope: ToolScope) -> str:
    span = spoken_span(arguments.seconds)
    label = arguments.label or f"timer of {span}"
    try:
        timer = await scope.timers.add(scope.job, label, arguments.seconds)
    except ValueError as error:
        raise ToolError(str(error)) from None
    scope.show_timer(timer, arguments.seconds)
    return f"I will tell you in {span}."


async def _list(arguments: Nothing, scope: ToolScope) -> str:
    running = await scope.timers.running()
    if not running:
        return "No timer is running."
    return " ".join(f"{label}: {spoken_span(left_s)} left." for label, left_s in running)


async def _cancel(arguments: WhichTimers, scope: ToolScope) -> str:
    count = await scope.timers.cancel(arguments.label)
    return f"{count} timers cancelled." if count != 1 else "One timer cancelled."


def _understand_set(question: str) -> Timer | None:
    text = digits_of(question)
    is_asked = re.search(r"\b(?:timer|remind me|wake me|alarm|tell me in|let me know in)\b", text)
    seconds = span_s(text) if is_asked else None
    if seconds is None or seconds > MAX_S or re.search(r"\b(?:cancel|how much|how long|left)\b", text):
        return None
    what = _REMINDER.search(text) or _TIMER_FOR.search(text)
    label = _SPAN.sub("", what["what"]).strip(" ?.") if what else ""
    return Timer(seconds=seconds, label=re.sub(r"\s+(?:in|for)$", "", label)[:200])


def _understand_list(question: str) -> Nothing | None:
    is_asked = re.search(
        r"\b(?:(?:which|what|list|show).*\b(?:timers?|reminders?)|how (?:much time|long).*(?:timer|left))\b",
        question.lower(),
    )
    return Nothing() if is_asked else None


def _understand_cancel(question: str) -> WhichTimers | None:
    match = re.fullmatch(
        r"(?:please )?(?:cancel|stop|delete|clear)(?: all)?(?: of)?(?: the| my)?(?P<label> [a-z ]+?)? ?"
        r"(?:timers?|reminders?|alarms?)[. ]*",
        question.lower().strip(),
    )
    if not match:
        return None
    return WhichTimers(label=(match["label"] or "").replace(" all", "").strip())


SET_TIMER = Tool(
    name="set_timer",
    description="Set a timer or a reminder; the user is told when it is due.",
    ability="set timers and reminders",
    arguments=Timer,
    run=_set,
    understand=_understand_set,
)
LIST_TIMERS = Tool(
    name="list_timers",
    description="The timers and reminders that are running, and how much time each has left.",
    ability="tell how much time is left",
    arguments=Nothing,
    run=_list,
    understand=_understand_list,
)
CANCEL_TIMERS = Tool(
    name="cancel_timers",
    description="Cancel running timers and reminders.",
    ability="cancel timers",
    arguments=WhichTimers,
    run=_cancel,
    understand=_understand_cancel,
)
