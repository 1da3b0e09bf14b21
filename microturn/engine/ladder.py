"""Overload, handled in a declared order: each rung is visible to the client, and undone when load falls.

    0  everything
    1  fewer video frames
    2  smaller text cap
    3  fewer flow steps, none of them guided; heard words are not looked at whole
    4  no new sessions

A rung is climbed when the engine has been too busy, or late, over a short window; it is left only after a longer
calm one, so that the engine does not swing between two rungs.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from microturn.turns.timing import MAX_TEXT_TOKENS_PER_TURN, ns_of_ms


class Rung(IntEnum):
    """How far the engine has degraded. Each rung includes those below it."""

    EVERYTHING = 0
    FEWER_FRAMES = 1
    SMALLER_TEXT_CAP = 2
    FEWER_FLOW_STEPS = 3
    NO_NEW_SESSIONS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What one micro-turn may cost."""

    max_text_tokens: int = MAX_TEXT_TOKENS_PER_TURN
    """Sampled text tokens in one output."""
    num_flow_steps: int = 4
    """Euler steps of the flow head."""
    is_guided: bool = True
    """Whether those steps are guided where the model's configuration asks for it."""
    num_words: int = 3
    """Words that are spelt out where the model is not sure which one it hears; 1: the likeliest token is taken."""
    video_every_turns: int = 1
    """Of so many turns one takes its frames in, the others none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LadderSettings:
    """When to climb and when to come down, and what each rung gives up."""

    window_ms: int = 1_000
    """Load is measured over this span."""
    busy_share: float = 0.85
    """Climb when the engine worked for more than this share of the window."""
    max_missed_in_window: int = 2
    """Climb when more deadlines than this were missed within the window."""
    calm_share: float = 0.6
    """Come down when the engine worked for less than this share of the window, ..."""
    calm_ms: int = 5_000
    """... for this long, without a missed deadline."""
    degraded_video_every_turns: int = 2
    degraded_max_text_tokens: int = 6
    degraded_num_flow_steps: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.calm_share < self.busy_share:
            raise ValueError(
                f"calm_share {self.calm_share} must lie in (0, busy_share {self.busy_share}), or the ladder swings"
            )


class Ladder:
    """Turns measured load into a rung."""

    def __init__(self, full: Budget | None = None, settings: LadderSettings | None = None) -> None:
        self.full = full or Budget()
        self.settings = settings or LadderSettings()
        self.rung = Rung.EVERYTHING
        self.num_climbs: dict[Rung, int] = {rung: 0 for rung in Rung if rung is not Rung.EVERYTHING}
        """How often each rung was entered from below."""
        self._work: deque[tuple[int, int, int]] = deque()
        self._changed_ns = 0
        self._calm_since_ns = 0

    @property
    def budget(self) -> Budget:
        """What a micro-turn may cost on the present rung."""
        return self.budget_on(self.rung)

    def budget_on(self, rung: Rung) -> Budget:
        """What a micro-turn may cost on a rung."""
        full, given_up = self.full, self.settings
        return Budget(
            video_every_turns=given_up.degraded_video_every_turns
            if rung >= Rung.FEWER_FRAMES
            else full.video_every_turns,
            max_text_tokens=min(
                full.max_text_tokens,
                given_up.degraded_max_text_tokens if rung >= Rung.SMALLER_TEXT_CAP else full.max_text_tokens,
            ),
            num_flow_steps=min(
                full.num_flow_steps,
                given_up.degraded_num_flow_steps if rung >= Rung.FEWER_FLOW_STEPS else full.num_flow_steps,
            ),
            num_words=full.num_words if rung < Rung.FEWER_FLOW_STEPS else 1,
            is_guided=full.is_guided and rung < Rung.FEWER_FLOW_STEPS,
        )

    @property
    def is_admitting(self) -> bool:
        """Whether new sessions are taken."""
        return self.rung < Rung.NO_NEW_SESSIONS

    def record(self, start_ns: int, end_ns: int, num_missed: int) -> Rung:
        """Takes note of one batch's work and returns the rung that follows from it."""
        self._work.append((start_ns, end_ns, num_missed))
        return self.update(end_ns)

    def update(self, now_ns: int) -> Rung:
        """The rung at this moment. Called on idle ticks too, so that an engine without work comes down."""
        settings = self.settings
        share, num_missed = self._load(now_ns)
        if share >= settings.calm_share or num_missed:
            self._calm_since_ns = now_ns
        is_overloaded = share > settings.busy_share or num_missed > settings.max_missed_in_window
        # One rung per window: the effect of a step must show before the next is taken.
        if is_overloaded and self.rung < Rung.NO_NEW_SESSIONS and self._has_settled(now_ns):
            self.rung = Rung(self.rung + 1)
            self.num_climbs[self.rung] += 1
            self._changed_ns = now_ns
        elif self.rung > Rung.EVERYTHING and now_ns - self._calm_since_ns >= ns_of_ms(settings.calm_ms):
            self.rung = Rung(self.rung - 1)
            self._changed_ns = self._calm_since_ns = now_ns
        return self.rung

    def _has_settled(self, now_ns: int) -> bool:
        return self.rung is Rung.EVERYTHING or now_ns - self._changed_ns >= ns_of_ms(self.settings.window_ms)

    def _load(self, now_ns: int) -> tuple[float, int]:
        """Share of the window spent at work, and deadlines missed within it."""
        window_ns = ns_of_ms(self.settings.window_ms)
        start_ns = now_ns - window_ns
        while self._work and self._work[0][1] <= start_ns:
            self._work.popleft()
        busy_ns = sum(end - max(start, start_ns) for start, end, _ in self._work)
        return busy_ns / window_ns, sum(missed for _, _, missed in self._work)
