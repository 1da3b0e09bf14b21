"""Conversion of units, with ``pint``: lengths, weights, volumes, temperatures, speeds, times, data."""

import importlib.util
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from microturn.background.numerals import digits_of
from microturn.background.tools.arithmetic import shown
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope

if TYPE_CHECKING:
    from pint import UnitRegistry

_SPOKEN_UNITS = {
    "celsius": "degC",
    "centigrade": "degC",
    "degrees celsius": "degC",
    "fahrenheit": "degF",
    "degrees fahrenheit": "degF",
    "kilometers an hour": "kph",
    "kilometers per hour": "kph",
    "kilometres per hour": "kph",
    "miles an hour": "mph",
    "miles per hour": "mph",
    "meters per second": "m/s",
    "feet": "foot",
    "inches": "inch",
    "pounds": "pound",
    "stones": "stone",
    "ounces": "ounce",
    "fluid ounces": "fluid_ounce",
    "square meters": "m**2",
    "square feet": "foot**2",
    "kilos": "kilogram",
    "cups": "cup",
    "tablespoons": "tablespoon",
    "teaspoons": "teaspoon",
    "c": "degC",
    "f": "degF",
    "kb": "kilobyte",
    "mb": "megabyte",
    "gb": "gigabyte",
    "tb": "terabyte",
    "pb": "petabyte",
    "kib": "kibibyte",
    "mib": "mebibyte",
    "gib": "gibibyte",
    "tib": "tebibyte",
    "kbit": "kilobit",
    "mbit": "megabit",
    "gbit": "gigabit",
    "kbps": "kilobit/second",
    "mbps": "megabit/second",
    "gbps": "gigabit/second",
}
_SYMBOLS = {"Kb": "kilobit", "Mb": "megabit", "Gb": "gigabit", "Tb": "terabit"}
"""Whose case tells them from those above."""
_PER = re.compile(r"\s*(?:/|\bper\b)\s*")
_UNIT = r"[a-z][a-z /]*?"
_QUESTIONS = (
    re.compile(
        rf"(?:convert|what is|what's|how much is|change)?\s*(?P<amount>-?\s*\d[\d.]*)\s*(?P<source>{_UNIT})\s+"
        rf"(?:in|into|to|as)\s+(?P<target>{_UNIT})\s*[?.]?"
    ),
    re.compile(
        rf"how many (?P<target>{_UNIT}) (?:are )?(?:there )?(?:are )?(?:in|is|are)\s+"
        rf"(?P<amount>-?\s*\d[\d.]*|an?)\s*(?P<source>{_UNIT})\s*[?.]?"
    ),
)


class Conversion(Arguments):
    """What to convert."""

    amount: float
    source: Annotated[str, Field(min_length=1, max_length=60)]
    """The unit that it is given in, in English, singular or plural, or a symbol."""
    target: Annotated[str, Field(min_length=1, max_length=60)]
    """The unit that is wanted."""


def has_units() -> bool:
    """Whether the optional package is there."""
    return importlib.util.find_spec("pint") is not None


def convert(amount: float, source: str, target: str) -> float:
    """The amount in another unit.

    Raises:
        ToolError: an unknown unit, or two that measure different things.
    """
    import pint

    registry = _registry()
    try:
        quantity: Any = registry.Quantity(amount, registry.parse_units(_named(source)))
        return float(quantity.to(registry.parse_units(_named(target))).magnitude)
    except pint.DimensionalityError:
        raise ToolError(f"{source} and {target} do not measure the same thing") from None
    except (pint.PintError, AttributeError, ValueError, TypeError, OverflowError, SyntaxError, AssertionError):
        raise ToolError(f"I do not know how to convert {source[:40]} to {target[:40]}") from None


def understand(question: str) -> Conversion | None:
    """The conversion in a plain question such as "how many feet are in two meters"."""
    text = digits_of(question).replace("minus ", "-")
    for pattern in _QUESTIONS:
        if match := pattern.fullmatch(text.strip()):
            amount = match["amount"].replace(" ", "")
            conversion = Conversion(
                amount=1.0 if amount in ("a", "an") else float(amount.rstrip(".")),
                source=_as_written(match, "source", question),
                target=_as_written(match, "target", question),
            )
            return conversion if _is_unit(conversion.source) and _is_unit(conversion.target) else None
    return None


@cache
def _registry() -> "UnitRegistry[Any]":
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def _as_written(match: re.Match[str], which: str, question: str) -> str:
    """One of the two units with the case that it has in the question: "MB" is another than "Mb"."""
    unit = match[which].strip()
    spelled = r"\s*".join(map(re.escape, unit.split()))
    found: list[str] = re.findall(rf"(?<![a-z]){spelled}(?![a-z])", question, re.IGNORECASE)
    is_first = match.start(which) == min(match.start("source"), match.start("target"))
    return found[0 if is_first else -1] if found else unit


def _named(unit: str) -> str:
    symbol = unit.strip()
    spoken = " ".join(symbol.lower().replace("degrees ", "").split())
    if named := _SYMBOLS.get(symbol) or _SPOKEN_UNITS.get(spoken):
        return named
    parts = _PER.split(symbol)
    if len(parts) > 1:
        return "/".join(map(_named, parts))
    return symbol if _is_known(symbol) else spoken


def _is_unit(unit: str) -> bool:
    return _is_known(_named(unit))


def _is_known(name: str) -> bool:
    import pint

    try:
        _registry().parse_units(name)
    except (pint.PintError, AttributeError, ValueError, TypeError, SyntaxError, AssertionError):
        return False
    return True


async def _run(arguments: Conversion, scope: ToolScope) -> str:
    value = convert(arguments.amount, arguments.source, arguments.target)
    rounded = round(value, 4 if abs(value) < 1 else 2)
    return f"{shown(arguments.amount)} {arguments.source} is {shown(rounded or value)} {arguments.target}"


CONVERT_UNITS = Tool(
    name="convert_units",
    description="Convert an amount from one unit to another: lengths, weights, volumes, temperatures, speeds, times.",
    ability="convert units",
    arguments=Conversion,
    run=_run,
    understand=understand,
)
