"""The figures of delegation with a background model behind it.

``request_accuracy``: of what the reference asks, corrects and cancels, the share that reached the backend in the same
words; a cancel, that was written. ``result_spoken``: of the results and failures that came and were still wanted, and
of the questions to which nothing came, the share whose words were all spoken afterwards, in order. ``over_user``: of
all that was told, the share that began while the user spoke, ``over_itself``: within another sentence of the model's.
``told_ms``: the median time from a result's arrival to its first word, in playback time, where nobody spoke meanwhile.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from microturn.evals import metric
from microturn.evals.exchange import Verdict, fitted
from microturn.evals.metric import Metrics
from microturn.evals.subject import AlwaysTalking, Session, Silent
from microturn.evals.suites.delegation import acts_of
from microturn.evals.suites.suite import ControlValues, added, headline_values, pooled
from microturn.evals.wer import normal_words
from microturn.live_evals.delegation.exchange import LiveExchange, Wanted
from microturn.live_evals.delegation.telling import Telling, tellings_of
from microturn.turns.background import ActKind, ReportKind
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import IN_SAMPLES_PER_TURN, turn_of_ms, turn_start_ms

HEADLINE = ("request_accuracy", "result_spoken", "over_user", "over_itself")


def judge(exchange: LiveExchange) -> Verdict:
    """Looks at one exchange."""
    wanted = Wanted.by(exchange.case.episode)
    num_requests, problems = _wrong_requests(wanted, exchange)
    num_wrong = len(problems)
    problems += [f"asked {question!r}" for question in _unwanted_questions(wanted, exchange)]
    tellings = tellings_of(exchange, wanted)
    results = [telling for telling in tellings if telling.is_result]
    told = [telling for telling in tellings if telling.is_told]
    due = [telling for telling in results if telling.is_wanted]
    num_unanswered = _num_unanswered(wanted, exchange, results)
    problems += ["a question was never answered"] * num_unanswered
    problems += [f"did not tell {each.arrival.report}" for each in due if not each.is_told]
    problems += [f"told {each.arrival.report}, which was taken back" for each in told if not each.is_wanted]
    problems += [f"began to tell {each.arrival.report} over the user" for each in told if each.is_over_user]
    problems += [f"told {each.arrival.report} within another sentence" for each in told if each.is_over_itself]
    at_once = [each for each in told if each.is_result and not each.is_amid_speech]
    return Verdict(
        key=exchange.case.key,
        kind=exchange.case.kind,
        is_right=not problems,
        problems=problems,
        figures={
            "requests": num_requests,
            "requests_right": num_requests - num_wrong,
            "results_due": len(due) + num_unanswered,
            "results_spoken": sum(each.is_told for each in due),
            "results": len(results),
            "results_stale": sum(each.is_told and not each.is_wanted for each in results),
            "results_failed": sum(each.arrival.report.kind is ReportKind.ERROR for each in results),
            "results_amid_speech": sum(each.is_amid_speech for each in results),
            "told": len(told),
            "told_over_user": sum(each.is_over_user for each in told),
            "told_over_itself": sum(each.is_over_itself for each in told),
            "turns": len(exchange.outputs),
            "late_turns": exchange.num_late_turns,
        },
        samples={
            "told_ms": [each.delay_ms for each in at_once],
            "told_any_ms": [each.delay_ms for each in told if each.is_result],
            "wait_ms": _waits_ms(exchange, results),
        },
    )


def summarise(verdicts: Sequence[Verdict]) -> Metrics:
    """The figures of a row, headline first."""

    def share(part: str, whole: str) -> metric.Metric:
        return metric.share(added(verdicts, part), added(verdicts, whole))

    return {
        "request_accuracy": share("requests_right", "requests"),
        "result_spoken": share("results_spoken", "results_due"),
        "over_user": share("told_over_user", "told"),
        "over_itself": share("told_over_itself", "told"),
        "told_ms": metric.median(pooled(verdicts, "told_ms")),
        "told_any_ms": metric.median(pooled(verdicts, "told_any_ms")),
        "stale": share("results_stale", "results"),
        "failed": share("results_failed", "results"),
        "came_amid_speech": share("results_amid_speech", "results"),
        "wait_ms": metric.median(pooled(verdicts, "wait_ms")),
        "late_turns": share("late_turns", "turns"),
        "success": metric.rate([verdict.is_right for verdict in verdicts]),
    }


def controls(exchanges: Sequence[LiveExchange]) -> ControlValues:
    """Those who must not score, told the same at the same moments; ``shuffled`` are the replies to other cases."""
    rows = {
        subject.name: [
            replace(each, outputs=outputs, asked=())
            for each, outputs in zip(exchanges, subject.answer([_session(each) for each in exchanges]), strict=True)
        ]
        for subject in (Silent(), AlwaysTalking())
    }
    if len(exchanges) > 1:
        rows["shuffled"] = [
            replace(each, outputs=fitted(other.outputs, len(each.outputs)), asked=other.asked)
            for each, other in zip(exchanges, [*exchanges[1:], exchanges[0]], strict=True)
        ]
    return {name: headline_values(summarise([judge(each) for each in row]), HEADLINE) for name, row in rows.items()}


def _wrong_requests(wanted: Wanted, exchange: LiveExchange) -> tuple[int, list[str]]:
    """How many requests there were to make, and what is wrong with those that were not made."""
    asked = _normal(exchange.asked)
    cancelled = {act.job for _, act in acts_of(exchange.outputs) if act.kind is ActKind.CANCEL}
    problems = [f"did not ask {words!r}" for words in wanted.questions if not _normal([words]) <= asked]
    problems += [f"did not cancel {job}" for job in wanted.cancelled if job not in cancelled]
    return len(wanted.questions) + len(wanted.cancelled), problems


def _unwanted_questions(wanted: Wanted, exchange: LiveExchange) -> list[str]:
    return sorted(_normal(exchange.asked) - _normal(wanted.questions))


def _normal(questions: Sequence[str]) -> set[str]:
    return {" ".join(normal_words(question)) for question in questions}


def _num_unanswered(wanted: Wanted, exchange: LiveExchange, results: Sequence[Telling]) -> int:
    """Questions to which nothing came, neither an answer nor a failure, after they were last put."""
    asked = {act.job: turn for turn, act in acts_of(exchange.outputs) if act.kind is not ActKind.CANCEL}
    return sum(
        not any(
            each.arrival.report.job == job and turn_of_ms(each.arrival.time_ms) > asked.get(job, turn)
            for each in results
        )
        for job, turn in wanted.last_asked.items()
    )


def _waits_ms(exchange: LiveExchange, results: Sequence[Telling]) -> list[float]:
    """From the end of the last act of a job to what came of it."""
    acts = [(turn_start_ms(turn + 1), act) for turn, act in acts_of(exchange.outputs) if act.kind is not ActKind.CANCEL]
    waits: list[float] = []
    for each in results:
        came_ms = each.arrival.time_ms
        if asked := [end_ms for end_ms, act in acts if act.job == each.arrival.report.job and end_ms <= came_ms]:
            waits.append(came_ms - asked[-1])
    return waits


def _session(exchange: LiveExchange) -> Session:
    """As many silent inputs as there are outputs."""
    silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    return [MicroTurnInput(index=k, audio=silence) for k in range(len(exchange.outputs))]
