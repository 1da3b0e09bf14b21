"""The tools of one attempt: every call is counted, permitted, timed, cut to size, cleaned and remembered."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from microturn.background.functions import Function, fault_in
from microturn.background.grants import Grants
from microturn.background.jobs import Answer, Job, Step
from microturn.background.limits import Budget
from microturn.background.package import MAX_DEED_CHARS
from microturn.background.permissions import Permission
from microturn.background.pictures import MAX_PICTURE_BYTES, MAX_PICTURES, Picture, is_showable
from microturn.background.secrets import Redactor
from microturn.background.tools.tool import AnyTool, ToolError, ToolScope
from microturn.background.tracing import Tracing
from microturn.background.weaving import plain

TOOL_WITHIN_MS = 30_000
MAX_OUTPUT_CHARS = 12_000
"""Of one tool's output; the rest is cut off."""
MAX_ERROR_CHARS = 1_000
"""Of what a tool says about its failure, which may be a server's own words."""
MAX_ASKED_CHARS = 400
"""Of what a tool would be given, when the user is asked."""
MAX_NOTED_CHARS = 100
"""Of the same in the record of what was done, which also has to hold what came of it."""
_BROKEN_OFF = "broken off, perhaps done"
_log = logging.getLogger(__name__)


class Workbench:
    """What a backend may use for one job.

    Args:
        job: Steps are written into it.
        tools: The built-in ones.
        announce: Tells of a step that begins.
        ask_user: Asks for permission by voice or page, given the tool, what it would be given, and whether it changes
            something; the job waits within it.
        functions: Of the client's application; one with the name of a tool stands in its place.
        ask_client: Has the client call a function of its own with arguments as JSON; the job waits within it.
        learn_tools: Takes what the tools of the backend's own do, by name.
        write: Takes the answer as far as it is written.
    """

    def __init__(
        self,
        job: Job,
        tools: Mapping[str, AnyTool],
        *,
        scope: ToolScope,
        grants: Grants,
        budget: Budget,
        redactor: Redactor,
        tracing: Tracing,
        announce: Callable[[str], None],
        ask_user: Callable[[str, str, bool], Awaitable[bool]],
        functions: Sequence[Function],
        ask_client: Callable[[str, str], Awaitable[str]],
        learn_tools: Callable[[Mapping[str, str]], None],
        write: Callable[[str], None],
    ) -> None:
        self.functions = {function.name: function for function in functions}
        self.tools = {name: tool for name, tool in tools.items() if name not in self.functions}
        self._job = job
        self._scope = scope
        self._grants = grants
        self._budget = budget
        self._redactor = redactor
        self._tracing = tracing
        self._tell_begin = announce
        self._ask_user = ask_user
        self._ask_client = ask_client
        self.learn_tools = learn_tools
        """Told of the tools that the backend brings, so that the user can say what stands about each."""
        self.write = write
        """Told of the answer so far, from its beginning, as often as it grows: the user may watch. An empty one takes
        it back. Nothing of it is ever spoken."""
        self._is_charged = False

    @property
    def answered(self) -> Collection[str]:
        """Functions of the client's that have given an output for the question, also before it was corrected."""
        return self._job.answered

    @property
    def tokens_left(self) -> int:
        """What is left of the session's budget."""
        return self._budget.tokens_left

    def charge(self, num_tokens: int, cost_usd: float | None = None) -> None:
        """Count what a language model took, also where no answer came of it."""
        self._is_charged = True
        self._job.num_tokens += num_tokens
        if cost_usd is not None:
            self._job.cost_usd = (self._job.cost_usd or 0.0) + cost_usd
        self._budget.spend_tokens(num_tokens, cost_usd)

    def settle(self, answer: Answer) -> None:
        """Count what an answer took, unless that was charged as it came about."""
        if not self._is_charged:
            self.charge(answer.num_tokens, answer.cost_usd)

    def keep_picture(self, tool: str, media_type: str, data: bytes) -> bool:
        """Show the user a picture that a tool has returned, with the answer; False for one that is not kept."""
        pictures = self._job.pictures
        num_bytes = sum(len(each.data) for each in pictures) + len(data)
        if len(pictures) >= MAX_PICTURES or num_bytes > MAX_PICTURE_BYTES or not is_showable(media_type, data):
            return False
        pictures.append(Picture(tool=tool, media_type=media_type, data=data))
        return True

    async def call(self, name: str, arguments: dict[str, Any]) -> str:
        """Use a built-in tool, or a function of the client's.

        Raises:
            ToolError: there is no such tool, the user does not allow it, or it failed.
            CapacityError: the session's budget is used up.
        """
        if function := self.functions.get(name):
            return await self._call_function(function, arguments)
        tool = self.tools.get(name)
        if tool is None:
            raise ToolError(f"there is no tool {name[:60]!r}: use one of {', '.join(self.tools)}")
        return await self.guard(name, arguments, lambda: self._run(tool, arguments), is_acting=tool.is_acting)

    async def guard(
        self,
        name: str,
        arguments: Mapping[str, Any],
        use: Callable[[], Awaitable[str]],
        *,
        is_acting: bool,
        within_ms: int | None = TOOL_WITHIN_MS,
    ) -> str:
        """Use any tool, one of an MCP server too, under the rules of the session.

        Args:
            within_ms: Time for it; None where it keeps its own.

        Raises:
            ToolError: the user does not allow it, it failed, or took too long.
            CapacityError: the session's budget is used up.
        """
        self._budget.spend_tool_call()
        with self._tracing.tool(name, is_acting=is_acting), self._step(name) as outcome:
            if not await self._is_allowed(name, arguments, is_acting=is_acting):
                outcome("denied")
                raise ToolError(f"the user does not allow {name}: do without it, or say that it is needed")
            self._tell_begin(name)
            self._job.has_acted |= is_acting
            try:
                async with asyncio.timeout(None if within_ms is None else within_ms / 1000):
                    output = await (use() if name in self.tools else self._noted(name, arguments, use))
            except TimeoutError:
                raise ToolError(f"{name} did not answer within {(within_ms or 0) // 1000} seconds") from None
            except ToolError as error:
                raise ToolError(self._redactor.clean(str(error))[:MAX_ERROR_CHARS]) from error
            except Exception as error:  # A tool's edge: whatever breaks in it, the job goes on.
                _log.warning("tool failed", extra={"fields": {"tool": name, "error": type(error).__name__}})
                raise ToolError(f"{name} failed ({type(error).__name__})") from error
        output = self._redactor.clean(output)
        if len(output) > MAX_OUTPUT_CHARS:
            output = f"{output[:MAX_OUTPUT_CHARS]}\n[{len(output) - MAX_OUTPUT_CHARS} characters more]"
        return output

    async def _call_function(self, function: Function, arguments: dict[str, Any]) -> str:
        """Have the client call a function. What it does there is not known: it counts as something that was changed.

        It is the client's own, so nobody is asked unless the operator's rules say so.
        """
        if fault := fault_in(function.parameters, arguments):
            raise ToolError(f"{function.name}: {fault}")

        async def use() -> str:
            self._job.has_acted = True
            return await self._ask_client(function.name, json.dumps(arguments, ensure_ascii=False))

        return await self.guard(function.name, arguments, use, is_acting=False, within_ms=None)

    async def _run(self, tool: AnyTool, arguments: dict[str, Any]) -> str:
        """Run a built-in tool."""
        if tool.is_repeatable:
            return await tool.call(arguments, self._scope)
        self._job.has_acted = True
        return await self._noted(tool.name, arguments, lambda: tool.call(arguments, self._scope))

    async def _noted(self, name: str, arguments: Mapping[str, Any], use: Callable[[], Awaitable[str]]) -> str:
        """Use what may change something. It is written down before it begins: it may be broken off."""
        deeds, deed = self._job.deeds, f"{name} {self._shown(arguments, MAX_NOTED_CHARS)}".rstrip()
        place = len(deeds)
        deeds.append(f"{deed}: {_BROKEN_OFF}")
        try:
            output = await use()
        except ToolError as error:
            deeds[place] = f"{deed}: failed: {self._outcome(str(error))}"
            raise
        deeds[place] = f"{deed}: {self._outcome(output)}"
        return output

    def _outcome(self, text: str) -> str:
        return plain(self._redactor.clean(text))[:MAX_DEED_CHARS]

    def miss(self, server: str, why: str) -> None:
        """Note that a server of tools is not there."""
        _log.warning("tool server absent", extra={"fields": {"server": server, "error": why}})
        self._job.steps.append(Step(tool=server, outcome=f"not available ({why})", duration_ms=0))

    async def _is_allowed(self, name: str, arguments: Mapping[str, Any], *, is_acting: bool) -> bool:
        match self._grants.standing(name, is_acting=is_acting):
            case Permission.ALLOW:
                return True
            case Permission.DENY:
                return False
            case Permission.ASK:
                is_allowed = await self._ask_user(name, self._shown(arguments, MAX_ASKED_CHARS), is_acting)
                # It may have been denied since, while the job waited for its place.
                return is_allowed and self._grants.standing(name, is_acting=is_acting) is not Permission.DENY

    def _shown(self, arguments: Mapping[str, Any], max_chars: int) -> str:
        """What a tool is given, in short."""
        if not arguments:
            return ""
        text = self._redactor.clean(plain(json.dumps(arguments, ensure_ascii=False, default=str)))
        return text if len(text) <= max_chars else text[: max_chars - 1] + "…"

    def _step(self, name: str) -> AbstractContextManager[Callable[[str], None]]:
        return _recorded(self._job, name)


@contextmanager
def _recorded(job: Job, name: str) -> Generator[Callable[[str], None], None, None]:
    """Write down how a tool's use went; the caller may say it better."""
    outcomes: list[str] = []
    began_ns = time.monotonic_ns()
    try:
        yield outcomes.append
    except asyncio.CancelledError:
        outcomes.append("cancelled")
        raise
    except ToolError as error:
        outcomes.append(plain(str(error))[:120])
        raise
    else:
        outcomes.append("ok")
    finally:
        duration_ms = (time.monotonic_ns() - began_ns) // 1_000_000
        outcome = outcomes[0] if outcomes else "failed"
        job.steps.append(Step(tool=name, outcome=outcome, duration_ms=duration_ms))
