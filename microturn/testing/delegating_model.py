"""A scripted interaction model that delegates: it plays a scenario's own acts, and tells results when nobody speaks.

It stands for a model that hears perfectly. With it the other side of delegation is measured on its own: whether every
act becomes the right job, whether every result comes back once, and how soon it could be said
(``live_evals/delegation``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from microturn.data.episode import Episode
from microturn.data.stage import WINDOW_EARLY_MS
from microturn.turns.background import Report, ReportKind, parse_report
from microturn.turns.micro_turn import MEL_BANDS, MicroTurnInput, MicroTurnOutput, PieceKind, Role
from microturn.turns.timing import MEL_FRAMES_PER_TURN, TURN_MS, turn_of_ms

_WORDS_PER_TURN = 1
_SPEECH = np.zeros((MEL_FRAMES_PER_TURN, MEL_BANDS), np.float32)
_TAKES_BACK = re.compile(r"\s*(?:amend|cancel) (\d+)")


@dataclass
class DelegatingModel:
    """Answers micro-turns: an episode's acts and own sentences in their turns, and what it is told in the pauses.

    Sentences and results queue up: neither begins before the sound of the other is over, for a word that follows on
    is heard a text's lead later, and the user may speak by then. What answers a question that the user corrects or
    takes back is dropped.
    """

    episode: Episode
    told: list[Report] = field(default_factory=list[Report])
    """What it was told to say so far."""
    _sentences: dict[int, list[str]] = field(init=False)
    """Of its own, by the turn in which they are due."""
    _words: list[str] = field(default_factory=list[str])
    _due: list[str] = field(default_factory=list[str])
    _waiting: list[Report] = field(default_factory=list[Report])
    _taken_back: int | None = None
    """A job whose correction or end is being written."""
    _is_ringing: bool = False
    """The sound of its last word is still to come: text leads."""
    _has_sounded: bool = False
    """The micro-turn before this one carried sound."""

    def __post_init__(self) -> None:
        self._sentences = own_sentences(self.episode)

    def __call__(self, turn: MicroTurnInput) -> MicroTurnOutput:
        for event in turn.events:
            if event.role is Role.TOOL and (report := parse_report(event.text)).kind is not ReportKind.NOTE:
                self.told.append(report)
                self._waiting.append(report)
        outputs = self.episode.outputs
        played = outputs[turn.index] if turn.index < len(outputs) else MicroTurnOutput(index=turn.index)
        self._take_back(played)
        self._due += self._sentences.get(turn.index, ())
        if not self._words and not self._has_sounded and not self._is_user_speaking(turn.index):
            self._words = self._next_words()
        say, self._words = self._words[:_WORDS_PER_TURN], self._words[_WORDS_PER_TURN:]
        self._has_sounded, self._is_ringing = bool(say) or self._is_ringing, bool(say)
        return MicroTurnOutput(
            index=turn.index,
            hear=played.hear,
            pieces=played.pieces,
            say="".join(f" {word}" for word in say),
            mel=_SPEECH if self._has_sounded else None,
        )

    @property
    def is_quiet(self) -> bool:
        """It has nothing left to say."""
        return not (self._words or self._due or self._waiting or self._is_ringing)

    def _next_words(self) -> list[str]:
        if self._due:
            return self._due.pop(0).split()
        return self._waiting.pop(0).text.split() if self._waiting else []

    def _take_back(self, played: MicroTurnOutput) -> None:
        """Whatever waits for a job, or comes for it, is stale while its correction or its end is being written."""
        for piece in played.pieces:
            if piece.kind is PieceKind.ACT:
                match = _TAKES_BACK.match(piece.text)
                self._taken_back = int(match[1]) if match else self._taken_back
                self._waiting = [report for report in self._waiting if report.job != self._taken_back]
                self._taken_back = None if piece.is_end else self._taken_back

    def _is_user_speaking(self, turn: int) -> bool:
        start_ms, end_ms = turn * TURN_MS, (turn + 1) * TURN_MS
        return any(start < end_ms and end > start_ms for start, end in self.episode.utterances)


def own_sentences(episode: Episode) -> dict[int, list[str]]:
    """What the reference says that is no result of its own script, by the turn in which it begins."""
    results = written_results(episode)
    found: dict[int, list[str]] = {}
    for expected in episode.expectations:
        if expected.text not in results:
            found.setdefault(turn_of_ms(expected.from_ms + WINDOW_EARLY_MS), []).append(expected.text)
    return found


def written_results(episode: Episode) -> Sequence[str]:
    """The texts of the results that stand in an episode itself."""
    reports = [parse_report(event.text) for turn in episode.inputs for event in turn.events if event.role is Role.TOOL]
    return [report.text for report in reports if report.kind is not ReportKind.NOTE]
