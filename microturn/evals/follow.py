"""Whether a reply does what an episode expects: the expected words, each in its window, and nothing else.

The episode's own reference reply tells what may be said beside the expected words (an acknowledgement) and what need
not be (the rest of a word that was cut). Around a "stop" the moment of falling silent is judged by the interruption
suite; words that begin there are neither demanded nor forbidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from microturn.data.episode import Episode, Variant
from microturn.data.stage import WINDOW_EARLY_MS, WINDOW_LATE_MS
from microturn.data.voices import SpokenWord
from microturn.evals.spoken import TimedWord, spoken_words, wordless_sounds
from microturn.evals.wer import normal_words
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS

STOP_WITHIN_MS = 400
"""The sound has to end this soon after the stopping word, in playback time."""
BEFORE_STOP_MS = 600
"""The stopping word is being said for about this long before its end: from then on the reply may fall silent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """One word that the reply should hold, or may."""

    text: str
    from_ms: float
    to_ms: float
    """Window in which it begins, in reply time. Words inside a phrase follow in order, without a window's end."""
    is_optional: bool = False
    is_expected: bool = True
    """Whether it is part of an expectation, rather than merely allowed."""
    is_opening: bool = True
    """Whether it opens its phrase."""

    @property
    def window(self) -> str:
        """The window, for people."""
        return (
            f"{self.from_ms / 1000:.1f}-{self.to_ms / 1000:.1f} s"
            if self.is_opening
            else f"{self.from_ms / 1000:.1f}- s"
        )

    def accepts(self, word: TimedWord) -> bool:
        """Whether a spoken word is this one."""
        return word.text == self.text and self.from_ms <= word.start_ms <= self.to_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """How a reply compares with the demands."""

    demands: tuple[Demand, ...]
    is_met: tuple[bool, ...]
    """One a demand."""
    extras: tuple[TimedWord, ...]
    """Words and wordless sounds that nothing asked for."""

    def after(self, time_ms: float) -> "Followed":
        """The part that begins at or after a reply time. A phrase belongs where its window is centred."""
        kept = [i for i, d in enumerate(self.demands) if d.from_ms + WINDOW_EARLY_MS >= time_ms]
        return Followed(
            demands=tuple(self.demands[i] for i in kept),
            is_met=tuple(self.is_met[i] for i in kept),
            extras=tuple(word for word in self.extras if word.start_ms >= time_ms),
        )

    @property
    def num_demanded(self) -> int:
        """Words that had to be said."""
        return sum(not d.is_optional for d in self.demands)

    @property
    def num_met(self) -> int:
        """Words that had to be said, and were, in time."""
        return sum(met and not d.is_optional for d, met in zip(self.demands, self.is_met, strict=True))

    @property
    def is_right(self) -> bool:
        """All that was demanded and nothing else."""
        return self.num_met == self.num_demanded and not self.extras

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, for people."""
        missing = (
            f"'{d.text}' did not begin in {d.window}"
            for d, met in zip(self.demands, self.is_met, strict=True)
            if not met and not d.is_optional
        )
        return (*missing, *(f"'{word.text}' at {word.start_ms / 1000:.1f} s was not asked for" for word in self.extras))


def follow(episode: Episode, outputs: Sequence[MicroTurnOutput]) -> Followed:
    """Compares a reply with what an episode expects; of several right ways to go on, with the one that it comes nearest
    to.
    """
    ways = [episode, *(varied(episode, variant) for variant in episode.variants)]
    return max((_follow(way, outputs) for way in ways), key=lambda f: (f.is_right, f.num_met - len(f.extras)))


def varied(episode: Episode, variant: Variant) -> Episode:
    """The episode as if its reference had gone on another way."""
    said = [
        SpokenWord(text=text, start_ms=start_ms, end_ms=start_ms)
        for expectation in variant.expectations
        for start_ms in [expectation.from_ms + WINDOW_EARLY_MS]
        for text in normal_words(expectation.text)
    ]
    return replace(
        episode,
        variants=(),
        expectations=[
            *(e for e in episode.expectations if e.from_ms + WINDOW_EARLY_MS < variant.from_ms),
            *variant.expectations,
        ],
        said=[*(word for word in episode.said if word.start_ms < variant.from_ms), *said],
    )


def _follow(episode: Episode, outputs: Sequence[MicroTurnOutput]) -> Followed:
    words = spoken_words(outputs)
    demands = demands_of(episode)
    met, used = _align(demands, words)
    extras = [word for i, word in enumerate(words) if i not in used] + wordless_sounds(outputs, words)
    return Followed(
        demands=tuple(demands),
        is_met=tuple(i in met for i in range(len(demands))),
        extras=tuple(w for w in sorted(extras, key=_start_ms) if not _is_at_stop(episode, w.start_ms)),
    )


def demands_of(episode: Episode) -> list[Demand]:
    """The words that an episode expects, and those it allows, in order."""
    demands = [
        Demand(
            text=text,
            from_ms=expectation.from_ms,
            to_ms=expectation.to_ms if i == 0 else float("inf"),
            is_opening=i == 0,
        )
        for expectation in sorted(episode.expectations, key=lambda e: e.from_ms)
        for i, text in enumerate(normal_words(expectation.text))
    ]
    reference = [TimedWord(text=t, start_ms=w.start_ms) for w in episode.said for t in normal_words(w.text)]
    met, used = _align(demands, reference)
    optional = [
        replace(d, is_optional=True) if i not in met or _is_at_stop(episode, reference[met[i]].start_ms) else d
        for i, d in enumerate(demands)
    ]
    allowed = [
        Demand(
            text=word.text,
            from_ms=word.start_ms - WINDOW_EARLY_MS,
            to_ms=word.start_ms + WINDOW_LATE_MS,
            is_optional=True,
            is_expected=False,
        )
        for i, word in enumerate(reference)
        if i not in used
    ]
    return sorted([*optional, *allowed], key=lambda d: d.from_ms)


def _is_at_stop(episode: Episode, start_ms: float) -> bool:
    """Whether a word that begins at a reply time falls into the moment in which the reply breaks off."""
    return any(
        stop.word_end_ms - BEFORE_STOP_MS - TURN_MS <= start_ms < stop.word_end_ms + STOP_WITHIN_MS - TURN_MS
        for stop in episode.stops
    )


def _align(demands: Sequence[Demand], words: Sequence[TimedWord]) -> tuple[dict[int, int], set[int]]:
    """The best matching in order of demands and words: as many as possible, demanded ones before optional ones.

    Returns:
        The word of each demand that is met, and the words that are used.
    """
    num_demands, num_words = len(demands), len(words)
    best = [[0.0] * (num_words + 1) for _ in range(num_demands + 1)]  # best[i][j]: demands from i on, words from j on
    gains = [1.0 if demand.is_optional else 1.5 for demand in demands]
    for i in range(num_demands - 1, -1, -1):
        for j in range(num_words - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if demands[i].accepts(words[j]):
                best[i][j] = max(best[i][j], best[i + 1][j + 1] + gains[i])
    met: dict[int, int] = {}
    i = j = 0
    while i < num_demands and j < num_words:
        if demands[i].accepts(words[j]) and best[i][j] == best[i + 1][j + 1] + gains[i]:
            met[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return met, set(met.values())


def _start_ms(word: TimedWord) -> float:
    return word.start_ms
