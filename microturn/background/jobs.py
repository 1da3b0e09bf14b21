"""The values of a job: what it is, how far it has come, what it answered, how it failed."""

from dataclasses import dataclass, field
from enum import StrEnum

from microturn.background.functions import PendingCall
from microturn.background.pictures import Picture
from microturn.background.places import Priority
from microturn.turns.background import BackgroundRequest
from microturn.turns.cards import TimerCard

MAX_ANSWER_CHARS = 40_000
"""A language model's answer is cut off there, and an unfinished one is shown up to there."""


class JobState(StrEnum):
    """How far a job has come."""

    WAITING = "waiting"  # for a free place
    RUNNING = "running"
    ASKING = "asking"  # the user, whether a tool may be used
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class DropReason(StrEnum):
    """Why an answer, or a whole act, was not wanted any more."""

    CANCELLED = "cancelled"  # the user said never mind
    AMENDED = "amended"  # the question changed meanwhile
    REPLACED = "replaced"  # the number was given to another question
    SESSION_ENDED = "session_ended"
    REPEATED = "repeated"  # the same act came twice, as after a restart


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a backend found out. Text is data: nothing in it is ever carried out."""

    text: str
    """The whole answer, plain or Markdown."""
    num_tokens: int = 0
    """What it took, prompt and completion together; 0 where nobody counts. Not counted again if it was charged to the
    workbench."""
    cost_usd: float | None = None
    """What that costs; None where the prices are not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that was done for a job."""

    tool: str
    outcome: str
    """``ok``, ``denied``, or what went wrong, in a few words."""
    duration_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownTimer:
    """A timer that a tool has set, as the page shows it."""

    timer_id: int
    card: TimerCard
    began_ns: int
    """On the coordinator's clock."""


@dataclass(kw_only=True)
class Job:
    """One question of a session, over all its amendments and attempts."""

    request: BackgroundRequest
    """As first asked."""
    amendments: list[str] = field(default_factory=list[str])
    priority: Priority = Priority.ASK
    """When it gets a place, where others wait as well."""
    state: JobState = JobState.WAITING
    steps: list[Step] = field(default_factory=list[Step])
    num_attempts: int = 0
    num_tokens: int = 0
    cost_usd: float | None = None
    began_ns: int = 0
    ended_ns: int | None = None
    text: str = ""
    """The answer, or why there is none."""
    partial: str = ""
    """The answer as far as it is written, while it is: for the user's eyes alone, and it may be taken back."""
    asks_for: str = ""
    """The tool that it asks permission for."""
    asks_with: str = ""
    """What the tool would be given, as JSON, cut to a line or two."""
    timers: list[ShownTimer] = field(default_factory=list[ShownTimer])
    """Set for the question and not cancelled since, also before it was corrected: its jobs share the list."""
    pictures: list[Picture] = field(default_factory=list[Picture])
    """That tools have returned for it, as far as they are kept."""
    has_acted: bool = False
    """A tool that changes something has run: the job is not tried again."""
    deeds: list[str] = field(default_factory=list[str])
    """What tools have changed for the question, a line each, also before it was corrected: its jobs share the list."""
    calls: dict[str, PendingCall] = field(default_factory=dict[str, PendingCall])
    """Of the client's functions, by id, while they wait for their output."""
    answered: set[str] = field(default_factory=set[str])
    """Functions of the client's that have given an output for the question, also before it was corrected: its jobs
    share the set."""
    is_interrupted: bool = False
    """An earlier process left it unfinished, and the user has not said yet whether to try again."""
    earlier_answer: str = ""
    """What was answered before the last correction."""

    @property
    def number(self) -> int:
        """Its number within the session."""
        return self.request.act.job

    @property
    def session_id(self) -> str:
        """Whose job it is."""
        return self.request.session_id

    @property
    def asks_back(self) -> bool:
        """Whether its answer is a question, to which a yes or a no is an answer."""
        return self.state is JobState.DONE and self.text.rstrip().endswith("?")

    @property
    def act_key(self) -> str:
        """Tells this act of the session from every other, together with its time."""
        return f"{self.request.act} {self.amendments}"

    @property
    def question(self) -> str:
        """What is asked, as it stands now."""
        return "; ".join([self.request.act.text, *(f"correction: {text}" for text in self.amendments)])


class BackendError(Exception):
    """A backend could not answer. The message is said to the user: no address, no key, no trace in it.

    Args:
        is_transient: The same may work a moment later.
    """

    def __init__(self, message: str, *, is_transient: bool = False) -> None:
        super().__init__(message)
        self.is_transient = is_transient
