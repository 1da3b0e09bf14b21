"""What an exchange with a background model behind it holds, and what its user wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from microturn.data.episode import Episode
from microturn.evals.exchange import Case
from microturn.evals.suites.delegation import acts_of
from microturn.turns.background import Act, ActKind, Report
from microturn.turns.micro_turn import MicroTurnOutput, PieceKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A report as it was handed to the model."""

    report: Report
    time_ms: float
    """Media time."""


@dataclass(frozen=True, kw_only=True)
class LiveExchange:
    """A case, the answer to it, and what went on behind it."""

    case: Case
    outputs: Sequence[MicroTurnOutput]
    """As many as it took until everything was answered, mostly more than the episode has inputs."""
    arrivals: Sequence[Arrival] = ()
    """In the order in which they came."""
    asked: Sequence[str] = ()
    """Questions that the backend was given, with their corrections; one that was tried again stands here again."""
    num_late_turns: int = 0
    """Micro-turns that were answered too late for their pace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenBack:
    """The user corrects or takes back a question, and the reference writes that in these turns."""

    job: int
    first_turn: int
    last_turn: int
    is_final: bool
    """Nothing is asked in its place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What an episode's user asks for, as the reference hears it."""

    questions: Sequence[str]
    """Everything that should reach the backend, corrections included."""
    cancelled: Sequence[int]
    """Jobs."""
    last_asked: Mapping[int, int]
    """The jobs whose answer is wanted at the end, each with the turn in which its last request was whole."""
    taken_back: Sequence[TakenBack]

    @classmethod
    def by(cls, episode: Episode) -> "Wanted":
        """What the acts of the reference come to."""
        texts: dict[int, str] = {}
        last_asked: dict[int, int] = {}
        questions: list[str] = []
        acts = _acts_with_turns(episode)
        for act, _, last_turn in acts:
            if act.kind is ActKind.CANCEL:
                last_asked.pop(act.job, None)
                continue
            is_new = act.kind is ActKind.ASK
            texts[act.job] = act.text if is_new else f"{texts[act.job]}; correction: {act.text}"
            last_asked[act.job] = last_turn
            questions.append(texts[act.job])
        return cls(
            questions=questions,
            cancelled=[act.job for act, _, _ in acts if act.kind is ActKind.CANCEL],
            last_asked=last_asked,
            taken_back=[
                TakenBack(job=act.job, first_turn=first, last_turn=last, is_final=act.kind is ActKind.CANCEL)
                for act, first, last in acts
                if act.kind is not ActKind.ASK
            ],
        )


def _acts_with_turns(episode: Episode) -> list[tuple[Act, int, int]]:
    """The acts of the reference, each with the turns in which it begins and ends."""
    first_turns: list[int] = []
    is_open = False
    for output in episode.outputs:
        for piece in output.pieces:
            if piece.kind is PieceKind.ACT:
                first_turns += [] if is_open else [output.index]
                is_open = not piece.is_end
    acts = acts_of(episode.outputs)
    return [(act, first, last) for first, (last, act) in zip(first_turns, acts, strict=True)]
