"""The time and the date, here and in other time zones."""

import datetime
import re
import zoneinfo
from functools import cache

from microturn.background.numerals import digits_of
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope

_QUESTION = re.compile(
    r"(?:tell me |do you know )?(?:what(?:'s| is)?|which)?\s*(?:the )?(?P<what>time|date|day)(?: of the week)?"
    r"(?: is it| it is| is today| today)?(?: now| right now| today)?"
    r"(?: in (?P<place>(?:gmt|utc) ?[+−-] ?\d[\d:]*|[a-z .'-]+?))?(?: now| right now)?[?. ]*",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"(?:gmt|utc) (?P<sign>\+|plus|-|−|minus) (?P<hours>\d{1,2})(?:(?: : )?(?P<minutes>[0-5]\d))?")
_LARGEST_OFFSET_HOURS = 14


class Place(Arguments):
    """Where the time is wanted."""

    place: str = ""
    """A large city or an IANA time zone, such as ``Tokyo`` or ``Europe/Oslo``; empty for where the user is."""


def zone_of(place: str) -> datetime.tzinfo:
    """The time zone of a city that gives one its name, a zone by its own name, or an offset such as ``GMT+5``.

    An offset alone means what people mean by it: five hours ahead. ``Etc/GMT+5`` is the zone of that name, behind.

    Raises:
        ToolError: unknown.
    """
    if offset := _offset_of(place):
        return offset
    name = place.strip().lower().replace(" ", "_")
    zone = _zones().get(name) or _zones().get(name.rsplit("/", 1)[-1])
    if zone is None:
        raise ToolError(f"I do not know the time zone of {place[:40]}: name a large city near it")
    return zoneinfo.ZoneInfo(zone)


def _offset_of(place: str) -> datetime.tzinfo | None:
    match = _OFFSET.fullmatch(digits_of(place))
    if not match or int(match["hours"]) > _LARGEST_OFFSET_HOURS:
        return None
    span = datetime.timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return datetime.timezone(span if match["sign"] in ("+", "plus") else -span)


@cache
def _zones() -> dict[str, str]:
    """Every zone by its full name and by its city, in lower case."""
    names = sorted(zoneinfo.available_timezones())
    return {name.rsplit("/", 1)[-1].lower(): name for name in names} | {name.lower(): name for name in names}


async def _run(arguments: Place, scope: ToolScope) -> str:
    now = scope.now.astimezone(zone_of(arguments.place)) if arguments.place else scope.now
    where = f" in {arguments.place}" if arguments.place else ""
    clock = f"{now.hour}:{now.minute:02d}"
    return f"It is {clock} on {now.strftime('%A')}, {now.day} {now.strftime('%B %Y')}{where}."


def _understand(question: str) -> Place | None:
    match = _QUESTION.fullmatch(question.strip())
    return Place(place=(match["place"] or "").strip()) if match else None


TELL_TIME = Tool(
    name="tell_time",
    description="The time, weekday and date, where the user is or in another place.",
    ability="tell the time and the date",
    arguments=Place,
    run=_run,
    understand=_understand,
)
