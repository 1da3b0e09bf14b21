"""What became of every report: whether it was told, when, and over whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from microturn.data.episode import Episode
from microturn.data.scenarios.delegate import FILLERS, UNDERSTOOD
from microturn.evals.spoken import TimedWord, sounds, spoken_words
from microturn.evals.wer import normal_words
from microturn.live_evals.delegation.exchange import Arrival, LiveExchange, Wanted
from microturn.turns.background import ReportKind
from microturn.turns.timing import TURN_MS, turn_of_ms, turn_start_ms

AMID_MS = 1_000
"""Speech that begins later than this after a report is no reason why it was not told at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """What became of one report."""

    arrival: Arrival
    start_ms: float | None
    """When its first word sounds, in playback time; None if it was not spoken whole."""
    is_wanted: bool
    """The question was not corrected or taken back before it was told."""
    is_over_user: bool
    """It began while the user was speaking already."""
    is_over_itself: bool
    """It began before another sentence of the model's was over."""
    is_amid_speech: bool
    """Somebody spoke when it came, or within ``AMID_MS``, before it was told."""

    @property
    def is_told(self) -> bool:
        """Whether its words were spoken."""
        return self.start_ms is not None

    @property
    def is_result(self) -> bool:
        """An answer, or that there is none: not a word on the way there."""
        return self.arrival.report.kind in (ReportKind.DONE, ReportKind.ERROR)

    @property
    def delay_ms(self) -> float:
        """From its arrival to its first word."""
        assert self.start_ms is not None, "it was told"
        return self.start_ms - self.arrival.time_ms


def tellings_of(exchange: LiveExchange, wanted: Wanted) -> list[Telling]:
    """What became of every report that asks to be told, in the order in which they came."""
    words = spoken_words(exchange.outputs)
    utterances = exchange.case.episode.utterances
    phrases = [normal_words(text) for text in _sentences(exchange.case.episode)]
    tellings: list[Telling] = []
    for arrival, place in _places(exchange, wanted, words):
        start_ms = None if place is None else words[place].start_ms + TURN_MS
        tellings.append(
            Telling(
                arrival=arrival,
                start_ms=start_ms,
                is_wanted=_is_wanted(wanted, arrival, start_ms),
                is_over_user=start_ms is not None and any(start < start_ms < end for start, end in utterances),
                is_over_itself=place is not None and _is_within(place, words, exchange, phrases),
                is_amid_speech=_is_amid_speech(exchange, arrival.time_ms, start_ms),
            )
        )
        phrases.append(normal_words(arrival.report.text))
    return tellings


def _places(exchange: LiveExchange, wanted: Wanted, words: Sequence[TimedWord]) -> list[tuple[Arrival, int | None]]:
    """Every report that asks to be told, with the place of its first word among those spoken.

    The same words do not tell two reports. Where one is part of another, the longer one has them; where both say the
    same, one that was still wanted when they were spoken.
    """
    arrivals = [each for each in exchange.arrivals if each.report.kind is not ReportKind.NOTE]
    expected = [normal_words(each.report.text) for each in arrivals]
    taken: set[int] = set()
    places: dict[int, int] = {}
    longest_first = sorted(range(len(arrivals)), key=lambda number: -len(expected[number]))
    for is_stale_too in (False, True):
        for number in longest_first:
            place = _place_of(expected[number], words, taken, from_ms=arrivals[number].time_ms)
            if number in places or place is None:
                continue
            if is_stale_too or _is_wanted(wanted, arrivals[number], words[place].start_ms + TURN_MS):
                taken |= {*range(place, place + len(expected[number]))}
                places[number] = place
    return [(arrival, places.get(number)) for number, arrival in enumerate(arrivals)]


def _place_of(expected: Sequence[str], words: Sequence[TimedWord], taken: set[int], *, from_ms: float) -> int | None:
    """Where these words are spoken, one after the other, no earlier than a moment, and not for another report."""
    for place, word in enumerate(words):
        span = [each.text for each in words[place : place + len(expected)]]
        is_free = taken.isdisjoint(range(place, place + len(expected)))
        if word.start_ms + TURN_MS >= from_ms and is_free and span == list(expected):
            return place
    return None


def _is_wanted(wanted: Wanted, arrival: Arrival, start_ms: float | None) -> bool:
    for back in wanted.taken_back:
        is_earlier = turn_of_ms(arrival.time_ms) <= back.last_turn  # it answers the question as it was
        is_told_before = start_ms is not None and start_ms <= turn_start_ms(back.first_turn + 1)
        if back.job == arrival.report.job and not is_told_before and (is_earlier or back.is_final):
            return False
    return True


def _is_within(
    place: int, words: Sequence[TimedWord], exchange: LiveExchange, phrases: Sequence[Sequence[str]]
) -> bool:
    """Whether words begin before another sentence of the same stretch of sound is over.

    Known sentences alone are looked for: one is under way where its beginning stands right before the words, and no
    whole one does.
    """
    turn = turn_of_ms(words[place].start_ms)
    stretch = next((each for each in sounds(exchange.outputs) if each.first_turn <= turn < each.end_turn), None)
    from_ms = turn_start_ms(turn if stretch is None else stretch.first_turn)
    before = [word.text for word in words[:place] if word.start_ms >= from_ms]
    if any(_ends_with(before, phrase) for phrase in phrases):
        return False
    return any(_ends_with(before, phrase[:length]) for phrase in phrases for length in range(1, len(phrase)))


def _ends_with(words: Sequence[str], phrase: Sequence[str]) -> bool:
    return bool(phrase) and list(words[-len(phrase) :]) == list(phrase)


def _is_amid_speech(exchange: LiveExchange, came_ms: float, start_ms: float | None) -> bool:
    until_ms = came_ms + AMID_MS if start_ms is None else min(came_ms + AMID_MS, start_ms)
    own = [(sound.playback_start_ms, sound.playback_end_ms) for sound in sounds(exchange.outputs)]
    return any(start < until_ms and end > came_ms for start, end in (*exchange.case.episode.utterances, *own))


def _sentences(episode: Episode) -> list[str]:
    """Sentences of its own that a model may well be in the middle of."""
    return [*(expected.text for expected in episode.expectations), *FILLERS.train, *FILLERS.heldout, UNDERSTOOD]
