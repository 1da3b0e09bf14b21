"""Timers and reminders as tools. They need no permission: they are the user's own and change nothing else."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import Field

from microturn.background.numerals import digits_of
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope

MAX_S = 7 * 24 * 3_600
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_SHARES = {"half": 0.5, "third": 1 / 3, "quarter": 0.25}
_SHARE = rf"(?:an? |\d+ )?(?:{'|'.join(_SHARES)})s?"
_UNIT = rf"(?:{'|'.join(_SECONDS)})s?"
_SPAN = re.compile(
    rf"(?<![\w.,])(?:"
    rf"(?P<count>\d+(?:\.\d+)?|an?(?! second (?:timer|alarm|reminder)))(?: and (?P<more>{_SHARE})(?: of)?(?: an?)?)?"
    rf"|(?P<share>{_SHARE})(?: of)?(?: an?)?"
    rf"|(?:(?P<whole>\d+) )?(?P<above>\d+) / (?P<below>[1-9]\d*)(?: of an?)?"
    rf") (?P<unit>{_UNIT})(?: and (?P<rest>{_SHARE})(?! (?:of|an?|{_UNIT})\b))?(?!\w)"
)
"""After ``digits_of``: "20 minutes", "an hour and a half", "2 and a half hours", "a quarter of an hour"."""
_JOINT = re.compile(r"(?: ,)?(?: and)? ")
_BEFORE_NO_SPAN = re.compile(
    r"(?:\d(?: ,| \.| :)?(?: and| or| to| -| /| x| times)?|\b(?:every|each|minus|last|past)) $"
)
_AFTER_NO_SPAN = re.compile(
    r"(?: ,| \.)?(?: and| or| to| -)? \d| or (?:an? )?(?:half|third|quarter|couple)\b"
    r"| (?:before|after|past|ago|earlier|prior)\b"
)
"""Words that make a number or a span mean something else: "5 or 10 minutes", "1 hour 20", "a day before"."""
_WHEN = r"(?: (?:about|around|exactly|another|roughly|the next))? $"
_WHEN_REMINDED = re.compile(rf"\b(?:in|after){_WHEN}")
_WHEN_TIMED = re.compile(rf"\b(?:in|after|for){_WHEN}")
_FROM_NOW = re.compile(r" from now\b")
_REMINDER = re.compile(r"remind me (?:in )?.*?(?:to|about|that) (?P<what>.+)")
_TIMER_FOR = re.compile(r"timer .*?\b(?:called|named|for (?:the |my ))\s*(?P<what>[a-z][a-z ]*)")
_BESIDE = re.compile(r"\b(?:another|also|as well|too)\b")
_AROUND_CORRECTION = re.compile(
    r"^(?:(?:no|sorry|i meant?|make (?:it|that)|actually|for|in)(?: [,.])? )+|(?: (?:[,.!?]|please|instead))+$"
)


class Reminder(Arguments):
    """What every timer and alarm to set has."""

    label: Annotated[str, Field(max_length=200)] = ""
    """What it is for; read to the user when it is due."""
    replaces: bool = False
    """Whether it takes the place of what was set for the same question before the user corrected it."""


R = TypeVar("R", bound=Reminder)


class Timer(Reminder):
    """A timer to set."""

    seconds: Annotated[float, Field(gt=0, le=MAX_S)]
    """From now until it is due."""


class Nothing(Arguments):
    """No arguments."""


class WhichTimers(Arguments):
    """Timers to drop."""

    label: Annotated[str, Field(max_length=200)] = ""
    """A word of their label; empty for all of them."""


def span_s(text: str) -> float | None:
    """The one span of time in a text, such as "1 hour and 20 minutes", in seconds; None when it is not plain."""
    runs = [*_runs(text)]
    return runs[0].seconds if len(runs) == 1 else None


@dataclass(frozen=True, slots=True)
class _Run:
    """Spans that make one: "1 hour, 20 minutes and 5 seconds"."""

    start: int
    end: int
    seconds: float | None
    """None where it is not plain what is meant."""


def _runs(text: str) -> Iterator[_Run]:
    run: list[re.Match[str]] = []
    for span in _SPAN.finditer(text):
        if run and not _JOINT.fullmatch(text, run[-1].end(), span.start()):
            yield _run_of(text, run)
            run = []
        run.append(span)
    if run:
        yield _run_of(text, run)


def _run_of(text: str, spans: list[re.Match[str]]) -> _Run:
    start, end = spans[0].start(), spans[-1].end()
    sizes = [_unit_s(span) for span in spans]
    is_plain = (
        sizes == sorted(set(sizes), reverse=True)  # "5 minutes and 10 minutes" are two timers
        and not _BEFORE_NO_SPAN.search(text[:start])
        and not _AFTER_NO_SPAN.match(text, end)
    )
    return _Run(start, end, sum(map(_seconds_of, spans)) or None if is_plain else None)


def _seconds_of(span: re.Match[str]) -> float:
    if span["above"]:
        count = float(span["whole"] or 0) + float(span["above"]) / float(span["below"])
    elif span["share"]:
        count = _share(span["share"])
    else:
        count = (1.0 if span["count"] in ("a", "an") else float(span["count"])) + _share(span["more"])
    return (count + _share(span["rest"])) * _unit_s(span)


def _unit_s(span: re.Match[str]) -> int:
    return _SECONDS[span["unit"].removesuffix("s")]


def _share(words: str | None) -> float:
    """What "a half" or "3 quarters" is; nothing is zero."""
    count, _, name = (words or "").rpartition(" ")
    return (float(count) if count.isdigit() else 1.0) * _SHARES.get(name.removesuffix("s"), 0.0)


def spoken_span(seconds: float) -> str:
    """A span of time as it is said."""
    parts: list[str] = []
    left = round(seconds)
    for unit, size in reversed(_SECONDS.items()):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}" + ("s" if count > 1 else ""))
    return " and ".join(parts[:2]) or "less than a second"


async def start(reminder: Reminder, seconds: float, name: str, scope: ToolScope) -> None:
    """Let it run, in the place of those before where it is to; ``name`` is its label where it has none.

    Raises:
        ToolError: it cannot be had.
    """
    try:
        timer = await scope.timers.add(scope.job, reminder.label or name, seconds)
    except ValueError as error:
        raise ToolError(str(error)) from None
    scope.show_timer(timer, seconds)
    if reminder.replaces:
        await scope.timers.cancel(only=scope.timers_before)


async def _set(arguments: Timer, scope: ToolScope) -> str:
    span = spoken_span(arguments.seconds)
    await start(arguments, arguments.seconds, f"timer of {span}", scope)
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
    if not is_asked or re.search(r"\b(?:cancel|how much|how long|left)\b", text):
        return None
    run = _when(text)
    if run is None or run.seconds is None or run.seconds > MAX_S:
        return None
    rest = f"{_WHEN_TIMED.sub('', text[: run.start])} {_FROM_NOW.sub('', text[run.end :])}"
    what = _REMINDER.search(rest) or _TIMER_FOR.search(rest)
    return Timer(seconds=run.seconds, label=" ".join(what["what"].split()).strip(" ?.")[:200] if what else "")


def amended(
    before: R, correction: str, understand: Callable[[str], R | None], understand_bare: Callable[[str], R | None]
) -> R | None:
    """The reminder that a correction asks for in the place of ``before``. One that is to run beside it is none.

    Args:
        understand: Reads a whole request.
        understand_bare: Reads what is left of "no, make it 10 minutes please" without what people put about it.
    """
    if _BESIDE.search(correction.lower()):
        return None
    anew = understand(correction) or understand_bare(_AROUND_CORRECTION.sub("", digits_of(correction)))
    return anew and anew.model_copy(update={"label": anew.label or before.label, "replaces": True})


def _amend_set(before: Timer, correction: str) -> Timer | None:
    """The timer set anew: "no, ten minutes"."""
    return amended(before, correction, _understand_set, _understand_span)


def _understand_span(text: str) -> Timer | None:
    runs = [*_runs(text)]
    if len(runs) != 1 or (runs[0].start, runs[0].end) != (0, len(text)):
        return None
    seconds = runs[0].seconds
    return None if seconds is None or seconds > MAX_S else Timer(seconds=seconds)


def _when(text: str) -> _Run | None:
    """The span after which to tell, not one of the matter itself, as in "in 10 minutes about the 2 hour call"."""
    runs = [*_runs(text)]
    is_reminder = "remind me" in text
    before = _WHEN_REMINDED if is_reminder else _WHEN_TIMED
    marked = [run for run in runs if before.search(text[: run.start]) or _FROM_NOW.match(text, run.end)]
    candidates = marked if marked or is_reminder else runs
    return candidates[0] if len(candidates) == 1 else None


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
    amend=_amend_set,
    changes_something=True,
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
    changes_something=True,
)
