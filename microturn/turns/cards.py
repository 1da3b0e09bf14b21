"""Small pieces of interface that an answer may bring along: a timer, a checklist, a chart.

They are data and nothing else: every string is text, every number is finite, every size is bounded. A page that draws
them needs no trust in whoever wrote them.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_TIMER_S = 7 * 24 * 3_600
MAX_ITEMS = 30
MAX_POINTS = 60

Title = Annotated[str, Field(max_length=120)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Card(BaseModel):
    """Unknown fields are refused: a card is drawn whole or not at all."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TimerCard(_Card):
    """Counts down on the page; it makes no sound and reminds of nothing by itself."""

    type: Literal["timer"]
    title: Title = ""
    """What it is for."""
    seconds: Annotated[float, Field(gt=0, le=MAX_TIMER_S, allow_inf_nan=False)]
    """From the moment of the answer."""


class ChecklistItem(_Card):
    """One line of a checklist."""

    text: Annotated[str, Field(min_length=1, max_length=200)]
    """What is to be done."""
    done: bool = False
    """Whether it is ticked to begin with."""


class ChecklistCard(_Card):
    """Lines that the user can tick, for the user's own eyes."""

    type: Literal["checklist"]
    title: Title = ""
    """What it lists."""
    items: Annotated[list[ChecklistItem], Field(min_length=1, max_length=MAX_ITEMS)]
    """The lines, in order."""


class ChartCard(_Card):
    """One row of numbers, as bars or as a line."""

    type: Literal["chart"]
    title: Title = ""
    """What it shows."""
    style: Literal["bar", "line"] = "bar"
    """How it is drawn."""
    unit: Annotated[str, Field(max_length=20)] = ""
    """Stands behind the numbers."""
    labels: Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=MAX_POINTS)]
    """One for each value."""
    values: Annotated[list[Number], Field(min_length=1, max_length=MAX_POINTS)]
    """As many as there are labels."""

    @model_validator(mode="after")
    def _check_lengths(self) -> "ChartCard":
        if len(self.labels) != len(self.values):
            raise ValueError(f"{len(self.labels)} labels for {len(self.values)} values: give each value a label")
        return self


Card = TimerCard | ChecklistCard | ChartCard
