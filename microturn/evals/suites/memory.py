"""``memory``: what was said, typed or shown earlier is told when it is asked for, whatever lay in between.

``recall``: the share of questions answered with the right words and no others (words that carry no meaning apart), over
what was told, typed and said or asked for so many times. Rows of their own: ``recall/half-hour``, the same facts with
half an hour between the fact (one alone) and the question: some talk of others, then a room in which nobody speaks
(what is heard is text, of which a model keeps a bounded amount); ``how_long_ago``, answers in seconds that are off by
at most ``OFF_BY_S`` or ``OFF_BY_SHARE``; ``shown``, what was seen before, not run for a subject that is
shown no pictures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, cycle, islice

from microturn.data.episode import Episode, Moment
from microturn.evals import metric
from microturn.evals.answers import numbers
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.metric import Metric, Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.spoken import TimedWord, spoken_words
from microturn.evals.suites.suite import Suite, added, if_seen, unseen
from microturn.evals.wer import normal_words
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import TURN_MS, turn_of_ms, turn_start_ms

TOLD, HOW_OFTEN, HOW_LONG_AGO, SHOWN = "remember", "how-often", "how-long-ago", "remember-shown"
LATER = "half an hour later"
LATER_TURNS = 30 * 60 * 1000 // TURN_MS
NUM_FILLERS = 4
"""Plays of talk, each heard once, and plays of a room without talk, which fill the rest of the half hour."""
OFF_BY_S, OFF_BY_SHARE = 2.0, 0.2
_IDLE = frozenset(
    (
        *("a", "an", "the", "it", "is", "was", "were", "you", "your", "that", "this", "said", "told", "me", "i", "my"),
        *("word", "number", "name", "code", "favourite", "and", "ago", "times", "time", "about", "showed", "typed"),
    )
)
_SAME = {"once": "one", "twice": "two"}
"""Of how often, in one word."""


class MemorySuite(Suite):
    """Asked later."""

    name = "memory"
    summary = "tells what was said, typed or shown earlier, how often, how long ago, and half an hour later"
    headline = ("recall",)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        some = max(1, limit // 5)
        told = playbook.cases(TOLD, max(1, limit - 4 * some))
        one_fact = [case for case in told if len(case.episode.moments) == 1]
        talk = _inputs(playbook.cases("not-for-me", NUM_FILLERS))
        room = _inputs(playbook.cases("not-for-me", NUM_FILLERS, accept=lambda episode: not episode.heard))
        between = list(islice(chain(talk, cycle(room)), LATER_TURNS))
        return [
            *told,
            *playbook.cases(HOW_OFTEN, some),
            *playbook.cases(HOW_LONG_AGO, some),
            *playbook.cases(SHOWN, some),
            *(_later(case, between) for case in one_fact[: max(1, limit // 10)]),
        ]

    def judge(self, exchange: Exchange) -> Verdict:
        questions = sorted(exchange.case.episode.moments, key=lambda moment: moment.from_ms)
        words = spoken_words(exchange.outputs)
        ends_ms = [*(moment.from_ms for moment in questions[1:]), float("inf")]
        problems: list[str] = []
        for question, end_ms in zip(questions, ends_ms, strict=True):
            said = [w for w in words if question.from_ms <= w.start_ms + TURN_MS < min(question.to_ms, end_ms)]
            if not is_answered(said, question):
                problems.append(f"said '{' '.join(w.text for w in said)}', not '{question.label}'")
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=not problems,
            problems=problems,
            figures={"questions": len(questions), "recalled": len(questions) - len(problems), **unseen(exchange)},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        def of(*kinds: str) -> Metric:
            rows = [v for v in verdicts if v.kind in kinds]
            return metric.share(added(rows, "recalled"), added(rows, "questions"))

        return {
            "recall": of(TOLD, HOW_OFTEN),
            "recall/told": of(TOLD),
            "recall/how-often": of(HOW_OFTEN),
            "recall/half-hour": of(LATER),
            "how_long_ago": of(HOW_LONG_AGO),
            **if_seen({"shown": of(SHOWN)}, verdicts),
        }


def is_answered(said: Sequence[TimedWord], question: Moment) -> bool:
    """Whether these words, and no others that mean anything, are the answer; seconds may be a little off."""
    wanted = normal_words(question.label)
    if not wanted[-2:-1] or wanted[-2] not in ("second", "seconds"):
        return _meaning(word.text for word in said) == _meaning(wanted)
    (true, _), *_ = numbers([TimedWord(text=word, start_ms=0.0) for word in wanted])
    found = [number for number, _ in numbers(said)]
    is_near = len(found) == 1 and abs(found[0] - true) <= max(OFF_BY_S, OFF_BY_SHARE * true)
    return is_near and any(word.text in ("second", "seconds") for word in said)


def later(episode: Episode, between: Sequence[MicroTurnInput]) -> Episode:
    """The episode with other micro-turns put in after its first reply has ended."""
    assert episode.said, "a fact is acknowledged"
    cut = turn_of_ms(_first_end_ms(episode)) + 1
    shift_ms = turn_start_ms(len(between))

    def moved(ms: float) -> float:
        return ms + shift_ms if ms >= turn_start_ms(cut) else ms

    inputs = [*episode.inputs[:cut], *between, *episode.inputs[cut:]]
    silence = [MicroTurnOutput(index=0)] * len(between)
    outputs = [*episode.outputs[:cut], *silence, *episode.outputs[cut:]]
    return replace(
        episode,
        inputs=[replace(turn, index=k) for k, turn in enumerate(inputs)],
        outputs=[replace(output, index=k) for k, output in enumerate(outputs)],
        heard=[replace(w, start_ms=moved(w.start_ms), end_ms=moved(w.end_ms)) for w in episode.heard],
        said=[replace(w, start_ms=moved(w.start_ms), end_ms=moved(w.end_ms)) for w in episode.said],
        expectations=[
            replace(e, from_ms=moved(e.from_ms), to_ms=moved(e.from_ms) + e.to_ms - e.from_ms)
            for e in episode.expectations
        ],
        quiets=[replace(q, from_ms=moved(q.from_ms), to_ms=moved(q.to_ms)) for q in episode.quiets],
        moments=[replace(m, from_ms=moved(m.from_ms), to_ms=moved(m.to_ms)) for m in episode.moments],
    )


def _later(case: Case, between: Sequence[MicroTurnInput]) -> Case:
    return Case(key=f"{case.key}-later", kind=LATER, episode=later(case.episode, between))


def _inputs(cases: Sequence[Case]) -> list[MicroTurnInput]:
    return [turn for case in cases for turn in case.episode.inputs]


def _first_end_ms(episode: Episode) -> float:
    """Reply time at which the first stretch of sound ends."""
    first = next(k for k, output in enumerate(episode.outputs) if output.is_speaking)
    end = next((k for k in range(first, len(episode.outputs)) if not episode.outputs[k].is_speaking), first + 1)
    return float(turn_start_ms(end))


def _meaning(words: Iterable[str]) -> list[str]:
    return [_SAME.get(word, word) for word in words if word not in _IDLE]
