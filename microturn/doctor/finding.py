"""What a check has found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    GOOD = "good"
    NOTE = "note"
    """Something optional is absent: what needs it says so."""
    BAD = "bad"
    """microturn will not work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    subject: str
    verdict: Verdict
    text: str
    """What was found, with its value."""
    remedy: str = ""
    """What to do; empty where nothing is to be done."""
