"""What a session has asked, by number: enough to take a question up again that an earlier process left unanswered.

Read from the acts themselves, so that nothing of it needs to be kept beside the engine's journal.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

from microturn.background.permissions import is_taken_back, spoken_decision
from microturn.turns.background import Act, ActKind

MAX_QUESTIONS = 64
"""The oldest is forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """An ask with its corrections."""

    act: Act
    amendments: tuple[str, ...] = ()


class Questions:
    """The questions of one session, as they stand now."""

    def __init__(self) -> None:
        self._by_number: OrderedDict[int, Question] = OrderedDict()

    def take_in(self, act: Act) -> None:
        """Take in the next act. A bare yes or no corrects nothing."""
        match act.kind:
            case ActKind.ASK:
                self._by_number.pop(act.job, None)
                self._by_number[act.job] = Question(act=act)
                if len(self._by_number) > MAX_QUESTIONS:
                    self._by_number.popitem(last=False)
            case ActKind.AMEND:
                question = self._by_number.get(act.job)
                if question is not None and spoken_decision(act.text) is None and not is_taken_back(act.text):
                    self._by_number[act.job] = replace(question, amendments=(*question.amendments, act.text))
            case ActKind.CANCEL:
                self._by_number.pop(act.job, None)

    def get(self, number: int) -> Question | None:
        """The question of a number, where it is known."""
        return self._by_number.get(number)
