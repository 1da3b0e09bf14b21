"""Scores of what is said about what is seen: temporal overlap, area under the proactive curve, counts."""

from collections.abc import Sequence

from microturn.data.episode import Moment
from microturn.evals.answers import Utterance, judge, numbers, utterances
from microturn.evals.spoken import spoken_words
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS

OMEGA = 0.5
"""How little the delay of an answer counts, 0 to 1."""
UNANSWERED = 0.5
"""The level of the curve before the first reply; full marks are 2."""
FULL_MARKS = 2

Span = tuple[float, float]


def temporal_iou(said: Sequence[Span], shown: Sequence[Span]) -> float:
    """Time in both over time in either, each a set of spans without overlap among themselves."""
    both = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in said for b in shown)
    either = sum(end - start for start, end in (*said, *shown)) - both
    return both / either if either > 0 else 0.0


def said_spans(outputs: Sequence[MicroTurnOutput], first: str, last: str) -> list[Span]:
    """From each ``first`` to the next ``last``, in playback time; a ``first`` that no ``last`` follows begins none."""
    spans: list[Span] = []
    begun_ms: float | None = None
    for word in spoken_words(outputs):
        if word.text == first and begun_ms is None:
            begun_ms = word.start_ms + TURN_MS
        elif word.text == last and begun_ms is not None:
            spans.append((begun_ms, word.start_ms + TURN_MS))
            begun_ms = None
    return spans


def pauc(outputs: Sequence[MicroTurnOutput], moment: Moment) -> float:
    """ProactiveVideoQA's area under the curve (Wang et al. 2025), with ``judge`` in the place of the language model.

    Replies inside the moment's span count, at the times at which they begin to be heard, which are brought forward by
    ``OMEGA``. Each is judged together with those before it; one that makes the answer worse is left out. Who says
    nothing has 0.25, whose first reply is wrong less.
    """
    span_ms = moment.to_ms - moment.from_ms
    level, since_ms, area = UNANSWERED, 0.0, 0.0
    kept: list[str] = []
    for reply in utterances(outputs, moment.from_ms, moment.to_ms):
        marks = judge(" ".join([*kept, reply.text]), moment.label)
        if kept and marks < level:
            continue
        time_ms = (reply.start_ms - moment.from_ms) * (1 - OMEGA)
        area += level * (time_ms - since_ms)
        level, since_ms = marks, time_ms
        kept.append(reply.text)
    return (area + level * (span_ms - since_ms)) / (span_ms * FULL_MARKS)


def last_count(outputs: Sequence[MicroTurnOutput], repetitions: Sequence[Moment]) -> int | None:
    """The last number heard after the penultimate repetition is over; None if there is none."""
    from_ms = repetitions[-2].to_ms if len(repetitions) > 1 else repetitions[-1].from_ms
    late = [number for number, start_ms in numbers(spoken_words(outputs)) if start_ms + TURN_MS >= from_ms]
    return late[-1] if late else None


def matched(
    said: Sequence[Utterance], moments: Sequence[Moment], early_ms: float, late_ms: float
) -> list[tuple[Moment, Utterance]]:
    """Moments with the utterances that name them in time, each utterance for one moment."""
    pairs: list[tuple[Moment, Utterance]] = []
    free = list(said)
    for moment in moments:
        for utterance in free:
            is_in_time = -early_ms <= utterance.start_ms - moment.from_ms <= late_ms
            if is_in_time and judge(utterance.text, moment.label) == FULL_MARKS:
                pairs.append((moment, utterance))
                free.remove(utterance)
                break
    return pairs
