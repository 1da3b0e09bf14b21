"""A scripted interaction model that delegates: it plays a scenario's own acts, and tells results when nobody speaks.

With it the coordinator's side of delegation is measured before any model has learnt to delegate: whether every act
becomes the right job, whether every result comes back once, and how soon it could be said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from microturn.data.episode import Episode
from microturn.turns.background import Act, ActKind, ActReader, Report, ReportKind, parse_report
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Role
from microturn.turns.timing import MEL_FRAMES_PER_TURN, TURN_MS

_WORDS_PER_TURN = 1
_SPEECH = np.zeros((MEL_FRAMES_PER_TURN, 80), np.float32)


@dataclass
class DelegatingModel:
    """Answers micro-turns: the acts of an episode in their turns, and whatever it is told, read aloud in the pauses.

    It knows when the user speaks from the episode: it stands for a model that hears perfectly.
    """

    episode: Episode
    told: list[tuple[int, Report]] = field(default_factory=list[tuple[int, Report]])
    """What it was told to say, and the turn in which that came."""
    said: list[tuple[int, Report]] = field(default_factory=list[tuple[int, Report]])
    """What it said, and the turn in which it began."""
    num_turns_over_user: int = 0
    _words: list[str] = field(default_factory=list[str])
    _waiting: list[Report] = field(default_factory=list[Report])

    def __call__(self, turn: MicroTurnInput) -> MicroTurnOutput:
        for event in turn.events:
            if event.role is Role.TOOL and (report := parse_report(event.text)).kind is not ReportKind.NOTE:
                self.told.append((turn.index, report))
                self._waiting.append(report)
        is_user_speaking = self._is_user_speaking(turn.index)
        if self._waiting and not self._words and not is_user_speaking:
            report = self._waiting.pop(0)
            self.said.append((turn.index, report))
            self._words = report.text.split()
        say, self._words = self._words[:_WORDS_PER_TURN], self._words[_WORDS_PER_TURN:]
        self.num_turns_over_user += bool(say) and is_user_speaking and self.said[-1][0] == turn.index
        outputs = self.episode.outputs
        pieces = outputs[turn.index].pieces if turn.index < len(outputs) else ()
        hear = outputs[turn.index].hear if turn.index < len(outputs) else ""
        return MicroTurnOutput(
            index=turn.index,
            hear=hear,
            pieces=pieces,
            say="".join(f" {word}" for word in say),
            mel=_SPEECH if say else None,
        )

    @property
    def is_quiet(self) -> bool:
        """It has nothing left to say."""
        return not self._words and not self._waiting

    def _is_user_speaking(self, turn: int) -> bool:
        start_ms, end_ms = turn * TURN_MS, (turn + 1) * TURN_MS
        return any(word.start_ms < end_ms and word.end_ms > start_ms for word in self.episode.heard)


@dataclass(kw_only=True)
class DelegationMeasure:
    """What was measured over some episodes."""

    num_asks: int = 0
    num_right: int = 0
    """Acts that reached a backend word for word, corrections included."""
    num_wanted: int = 0
    """Questions whose answer was still wanted at the end."""
    num_told: int = 0
    """Of these, told exactly once."""
    num_unwanted_told: int = 0
    num_over_user: int = 0
    lags_ms: list[float] = field(default_factory=list[float])
    """From the turn that brought a result to the first word of it, with nobody speaking."""

    @property
    def request_accuracy(self) -> float:
        """Share of acts that became the right request."""
        return self.num_right / max(1, self.num_asks)

    @property
    def result_spoken(self) -> float:
        """Share of wanted results that were spoken once."""
        return self.num_told / max(1, self.num_wanted)

    def add(self, model: DelegatingModel, questions: Sequence[str]) -> None:
        """Count one episode in, with the questions that its backend was asked."""
        wanted, expected = expected_questions(model.episode)
        self.num_asks += len(expected)
        self.num_right += sum(question in questions for question in expected)
        results = [(turn, report) for turn, report in model.said if report.kind is not ReportKind.SAY]
        for job in wanted:
            self.num_wanted += 1
            self.num_told += [report.job for _, report in results].count(job) == 1
        self.num_unwanted_told += sum(report.job not in wanted for _, report in results)
        self.num_over_user += model.num_turns_over_user
        came = {id(report): turn for turn, report in model.told}
        self.lags_ms += [(turn - came[id(report)] + 1) * float(TURN_MS) for turn, report in model.said]


def expected_questions(episode: Episode) -> tuple[set[int], list[str]]:
    """The jobs whose answer is wanted at the end, and every question as a backend should be asked it."""
    reader = ActReader()
    acts: list[Act] = [act for output in episode.outputs for act in reader.read(output.pieces)]
    texts: dict[int, str] = {}
    wanted: set[int] = set()
    expected: list[str] = []
    for act in acts:
        if act.kind is ActKind.CANCEL:
            wanted.discard(act.job)
            continue
        is_new = act.kind is ActKind.ASK
        texts[act.job] = act.text if is_new else f"{texts[act.job]}; correction: {act.text}"
        wanted.add(act.job)
        expected.append(texts[act.job])
    return wanted, expected
