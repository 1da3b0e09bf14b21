"""Every bound that the coordinator keeps, and the budget of a session."""

import math
from dataclasses import dataclass

from microturn.errors import CapacityError


@dataclass(frozen=True, kw_only=True)
class JobLimits:
    """What the background may take up."""

    max_running: int = 16
    """Jobs that run at once, over all sessions; more wait."""
    max_running_per_session: int = 4
    """Of one session; more wait."""
    max_waiting_per_session: int = 16
    """More are refused, and the user is told."""
    max_kept_per_session: int = 64
    """Jobs that are over and can still be amended or referred to; the oldest is forgotten."""
    attempt_within_ms: int = 120_000
    """Time for one attempt, tools included."""
    permission_within_ms: int = 60_000
    """Time for the user to allow a tool; then it is denied."""
    function_within_ms: int = 120_000
    """Time for the client to give a function's output."""
    max_attempts: int = 3
    first_backoff_ms: int = 500
    """Wait before the second attempt; doubles with each."""
    progress_every_ms: int = 12_000
    """How often a long job lets hear of itself."""
    max_progress: int = 4
    """How many times it does so."""


@dataclass(frozen=True, kw_only=True)
class BudgetLimits:
    """What one session may spend."""

    max_jobs: int = 500
    max_tool_calls: int = 1_000
    max_tokens: int = 2_000_000
    max_usd: float = math.inf
    """Where the prices are known."""


class Budget:
    """What one session has spent."""

    def __init__(self, limits: BudgetLimits) -> None:
        self._limits = limits
        self.num_jobs = 0
        self.num_tool_calls = 0
        self.num_tokens = 0
        self.cost_usd = 0.0

    def spend_job(self) -> None:
        """Count a job. Raises CapacityError when none is left."""
        _check("questions", self.num_jobs, self._limits.max_jobs)
        self.require_tokens()
        self.num_jobs += 1

    def spend_tool_call(self) -> None:
        """Count a call of a tool. Raises CapacityError when none is left."""
        _check("tool calls", self.num_tool_calls, self._limits.max_tool_calls)
        self.num_tool_calls += 1

    def spend_tokens(self, count: int, cost_usd: float | None = None) -> None:
        """Count tokens of a language model, after they were used, and what they cost where that is known."""
        self.num_tokens += count
        self.cost_usd += cost_usd or 0.0

    def require_tokens(self) -> None:
        """Raises CapacityError when no token is left, or no money for one."""
        _check("tokens", self.num_tokens, self._limits.max_tokens)
        if self._is_money_spent:
            raise CapacityError(f"this session has used its {self._limits.max_usd:g} dollars: start a new session")

    @property
    def tokens_left(self) -> int:
        """Tokens that may still be used."""
        return 0 if self._is_money_spent else max(0, self._limits.max_tokens - self.num_tokens)

    @property
    def _is_money_spent(self) -> bool:
        return self.cost_usd >= self._limits.max_usd


def _check(what: str, spent: int, limit: int) -> None:
    if spent >= limit:
        raise CapacityError(f"this session has used its {limit} {what}: start a new session")
