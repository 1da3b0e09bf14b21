"""The built-in tools."""

from pathlib import Path

from microturn.background.tools.alarm_tools import SET_ALARM
from microturn.background.tools.arithmetic import CALCULATE
from microturn.background.tools.files import file_tools
from microturn.background.tools.notes import FORGET_NOTES, READ_NOTES, WRITE_NOTE
from microturn.background.tools.time_of_day import TELL_TIME
from microturn.background.tools.timer_tools import CANCEL_TIMERS, LIST_TIMERS, SET_TIMER
from microturn.background.tools.tool import AnyTool, Arguments, Tool, ToolError, ToolScope
from microturn.background.tools.unit_conversion import CONVERT_UNITS, has_units
from microturn.background.tools.web import WebAccess, web_tools


def builtin_tools(files: Path | None = None, web: WebAccess | None = None) -> tuple[AnyTool, ...]:
    """The tools that there are without any configuration, and those that were configured.

    Args:
        files: A folder that may be searched and read.
        web: A search provider, and the hosts that may be fetched.

    Raises:
        ValueError: no such folder.
    """
    units = (CONVERT_UNITS,) if has_units() else ()
    timers = (SET_TIMER, SET_ALARM, LIST_TIMERS, CANCEL_TIMERS)
    fixed = (*timers, TELL_TIME, *units, CALCULATE, WRITE_NOTE, READ_NOTES, FORGET_NOTES)
    return (*fixed, *(file_tools(files) if files else ()), *(web_tools(web) if web else ()))


__all__ = ["AnyTool", "Arguments", "Tool", "ToolError", "ToolScope", "WebAccess", "builtin_tools"]
