"""What has been decided about tools in one session: by its client, by its user, and what still waits for a word."""

import asyncio
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from microturn.background.catalog import ListedTool
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.errors import CapacityError

MAX_RULES = 64
"""Of one session's client, by pattern; more are refused."""
ANY_TOOL = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolStanding:
    """A tool, and what stands about it in a session."""

    name: str
    description: str
    permission: Permission
    is_fixed: bool
    """The operator denies it: no session changes that."""


@dataclass(frozen=True, slots=True)
class _Pending:
    tool: str
    is_acting: bool
    decision: "asyncio.Future[bool]"


class Grants:
    """The permissions of one session.

    What the operator denies stays denied. Beyond that the latest word counts: a rule of the client's, or the user's yes
    to a tool that asked; where nobody has said anything, the operator's.
    """

    def __init__(self, policy: PermissionPolicy) -> None:
        self._policy = policy
        self._rules: dict[str, Permission] = {}
        """The client's, by pattern, the latest last."""
        self._matchers: dict[str, Callable[[str], object]] = {}
        """The patterns, compiled when they are first used: the standard library's own cache holds few."""
        self._allowed: set[str] = set()
        """By the user, since the last rule that fits them."""
        self._pending: dict[int, _Pending] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called whenever something else may stand about a tool."""

    def standing(self, tool: str, *, is_acting: bool) -> Permission:
        """What stands about a tool."""
        operators = self._policy.permission_of(tool, is_acting=is_acting)
        if operators is Permission.DENY:
            return operators
        if tool in self._allowed:
            return Permission.ALLOW
        latest_first = reversed(self._rules.items())
        return next((permission for pattern, permission in latest_first if self._fits(pattern, tool)), operators)

    def standings(self, tools: Iterable[ListedTool]) -> list[ToolStanding]:
        """What stands about each of these tools."""
        return [
            ToolStanding(
                name=tool.name,
                description=tool.description,
                permission=self.standing(tool.name, is_acting=tool.is_acting),
                is_fixed=self._policy.permission_of(tool.name, is_acting=tool.is_acting) is Permission.DENY,
            )
            for tool in tools
        ]

    def rule(self, rules: Sequence[tuple[str, Permission]]) -> None:
        """The client says what stands about tools, by name or pattern; what waits for a word on one gets it.

        Args:
            rules: Of those that fit a tool, the latest counts; one of the same pattern is replaced.

        Raises:
            CapacityError: they would be too many.
        """
        merged = dict(self._rules)
        for pattern, permission in rules:
            if pattern == ANY_TOOL:
                merged.clear()  # none before it counts any more
            merged.pop(pattern, None)
            merged[pattern] = permission
        if len(merged) > MAX_RULES:
            raise CapacityError(
                f"{len(merged)} rules for the tools of a session exceed {MAX_RULES}: use patterns such as 'home_*', or "
                f"begin anew with {ANY_TOOL!r}"
            )
        self._rules = merged
        self._matchers.clear()
        self._allowed = {tool for tool in self._allowed if not any(self._fits(pattern, tool) for pattern, _ in rules)}
        self._changed()

    def inherit(self, origin: "Grants") -> None:
        """Begin with the rules of another session's client; what its user allowed was for that conversation."""
        self._rules = dict(origin._rules)
        self._changed()

    def set_aside(self) -> None:
        """Nobody uses them for a while: let go of all but what was decided."""
        self._matchers.clear()
        self.on_change = lambda: None

    def is_pending(self, job: int) -> bool:
        """Whether a job waits for the user."""
        return job in self._pending

    async def wait(self, job: int, tool: str, within_ms: int, *, is_acting: bool) -> bool:
        """The decision on a tool, whoever makes it; silence is a no."""
        decision: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending[job] = _Pending(tool, is_acting, decision)
        try:
            async with asyncio.timeout(within_ms / 1000):
                return await decision
        except TimeoutError:
            return False
        finally:
            self._pending.pop(job, None)

    def decide(self, job: int, *, is_allowed: bool) -> bool:
        """Carry the user's decision to the job that waits; False when none does.

        An allowed tool stays allowed for the session, and for whatever else waits for it.
        """
        pending = self._pending.get(job)
        if pending is None or pending.decision.done():
            return False
        pending.decision.set_result(is_allowed)
        if is_allowed:
            self._allowed.add(pending.tool)
            self._changed()
        return True

    def _fits(self, pattern: str, tool: str) -> bool:
        matcher = self._matchers.get(pattern)
        if matcher is None:
            matcher = self._matchers[pattern] = re.compile(fnmatch.translate(pattern)).match
        return matcher(tool) is not None

    def _changed(self) -> None:
        for pending in self._pending.values():
            standing = self.standing(pending.tool, is_acting=pending.is_acting)
            if standing is not Permission.ASK and not pending.decision.done():
                pending.decision.set_result(standing is Permission.ALLOW)
        self.on_change()
