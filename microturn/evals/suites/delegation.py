"""``delegation``: questions go to the background in the user's words, and results are told when nobody speaks.

``request_accuracy``: of the acts that the reference writes (ask, amend, cancel), the share that the reply writes too,
with the same number and words, within ``ACT_WITHIN_TURNS`` of the reference's end. ``result_spoken``: of the results
that come in, the share whose words are all spoken, in order, afterwards. ``over_user``: of those, the share that begins
while the user speaks, short pauses between two words included. ``told_ms``: the median time from a result's arrival to
its first word, in playback time. ``success``: the share of examples with each act of the reference once and no other,
every result told, none over the user, and nothing said where there is nothing to say.

Here the results are the episode's own, at moments of its own. ``live_evals/delegation`` judges the same with a real
coordinator and a real backend behind the reply.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from microturn.data.episode import Episode
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.spoken import TimedWord, spoken_words
from microturn.evals.suites.silence import broken_turns
from microturn.evals.suites.suite import Suite, added, by_kind, pooled
from microturn.evals.wer import normal_words
from microturn.turns.background import Act, ActReader, ReportKind, parse_report
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS, turn_start_ms

ACT_WITHIN_TURNS = 10
"""An act that ends more turns away from the reference's does not count: it answers something else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What became of one result."""

    arrival_ms: int
    """End of the micro-turn that brought it, in media time."""
    start_ms: float | None
    """When its first word sounds, in playback time; None if it was not spoken."""
    is_over_user: bool = False


class DelegationSuite(Suite):
    """Handing over, and telling."""

    name = "delegation"
    summary = "hands questions to the background model, goes on talking, tells the results when nobody speaks"
    headline = ("request_accuracy", "result_spoken", "over_user")

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        asking = limit // 4
        return [*playbook.cases("delegate", limit - asking), *playbook.cases("permission", asking)]

    def judge(self, exchange: Exchange) -> Verdict:
        episode = exchange.case.episode
        expected, written = acts_of(episode.outputs), acts_of(exchange.outputs)
        pairs = matching(expected, written)
        missing = [act for i, (_, act) in enumerate(expected) if i not in pairs]
        extra = [act for k, (_, act) in enumerate(written) if k not in pairs.values()]
        broken = broken_turns(exchange)
        results = told_results(episode, exchange.outputs)
        spoken = [told for told in results if told.start_ms is not None]
        problems = [f"wrote {act}, which was not due" for act in extra]
        problems += [f"did not write {act}" for act in missing]
        problems += [f"spoke in turn {k}, where nothing was to be said" for k in broken[:2]]
        problems += ["did not tell a result"] * (len(results) - len(spoken))
        problems += ["began to tell a result over the user"] * sum(told.is_over_user for told in spoken)
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=not problems,
            problems=problems,
            figures={
                "acts": len(expected),
                "acts_right": len(pairs),
                "results": len(results),
                "results_spoken": len(spoken),
                "results_over_user": sum(told.is_over_user for told in spoken),
            },
            samples={"told_ms": [told.start_ms - told.arrival_ms for told in spoken if told.start_ms is not None]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        return {
            "request_accuracy": metric.share(added(verdicts, "acts_right"), added(verdicts, "acts")),
            "result_spoken": metric.share(added(verdicts, "results_spoken"), added(verdicts, "results")),
            "over_user": metric.share(added(verdicts, "results_over_user"), added(verdicts, "results_spoken")),
            "told_ms": metric.median(pooled(verdicts, "told_ms")),
            "success": metric.rate([verdict.is_right for verdict in verdicts]),
            **{f"success/{kind}": metric.rate([v.is_right for v in row]) for kind, row in by_kind(verdicts).items()},
        }


def acts_of(outputs: Sequence[MicroTurnOutput]) -> list[tuple[int, Act]]:
    """The acts of a reply, each with the turn in which it ends."""
    reader = ActReader()
    return [(turn, act) for turn, output in enumerate(outputs) for act in reader.read(output.pieces)]


def matching(expected: Sequence[tuple[int, Act]], written: Sequence[tuple[int, Act]]) -> dict[int, int]:
    """Places of the expected acts that were written at their time, each with the place of the act that is it."""
    pairs: dict[int, int] = {}
    for i, (turn, act) in enumerate(expected):
        for k, (written_turn, other) in enumerate(written):
            is_free = k not in pairs.values()
            if is_free and _is_same(act, other) and abs(written_turn - turn) <= ACT_WITHIN_TURNS:
                pairs[i] = k
                break
    return pairs


def told_results(episode: Episode, outputs: Sequence[MicroTurnOutput]) -> list[Told]:
    """What became of every result, failure and message that came in."""
    words = spoken_words(outputs)
    results: list[Told] = []
    for turn in episode.inputs:
        for report in [parse_report(event.text) for event in turn.events]:
            if report.kind is ReportKind.NOTE:
                continue
            arrival_ms = turn_start_ms(turn.index) + TURN_MS
            start_ms = _start_of(normal_words(report.text), words, from_ms=turn_start_ms(turn.index))
            is_over = start_ms is not None and any(start <= start_ms < end for start, end in episode.utterances)
            results.append(Told(arrival_ms=arrival_ms, start_ms=start_ms, is_over_user=is_over))
    return results


def _start_of(expected: Sequence[str], words: Sequence[TimedWord], from_ms: float) -> float | None:
    """Playback time at which these words begin, one after the other, no earlier than a reply time."""
    texts = [word.text for word in words]
    for at, word in enumerate(words):
        if word.start_ms >= from_ms and texts[at : at + len(expected)] == list(expected):
            return word.start_ms + TURN_MS
    return None


def _is_same(act: Act, other: Act) -> bool:
    return (act.kind, act.job) == (other.kind, other.job) and normal_words(act.text) == normal_words(other.text)
