"""What a run of chained tools is worth: which tools, with which arguments, to which end, how soon.

``tool_f1``: F1 of the tools that were used against those of the reference, as multisets, averaged over tasks.
``argument_accuracy``: of the arguments in the reference's calls, the share that the best matching call of the same tool
has too. ``pass_at_1``: the share of tasks after which the world is as the reference leaves it; where nothing was to be
changed, the answer has to say what it is about. ``told``: answers that do. ``first_word_ms``: median from the end of
the request to the first thing said. ``result_ms``: to the result.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microturn.evals import metric
from microturn.evals.exchange import Verdict
from microturn.evals.metric import Metrics
from microturn.evals.suites.suite import added, by_kind, pooled
from microturn.evals.wer import normal_words
from microturn.live_evals.chained_tools.tasks import Task
from microturn.live_evals.chained_tools.world import Call, World, plain

HEADLINE = ("tool_f1", "argument_accuracy", "pass_at_1", "told")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What somebody made of a task."""

    calls: Sequence[Call]
    state: Mapping[str, Any]
    """Of the world afterwards."""
    answer: str = ""
    """What the user was told."""
    first_word_ms: float | None = None
    """None: nothing was said."""
    result_ms: float | None = None

    @classmethod
    def of(cls, world: World, answer: str = "", **times: float | None) -> "Attempt":
        """What a world tells."""
        return cls(calls=list(world.calls), state=world.state(), answer=answer, **times)


def judge(task: Task, attempt: Attempt, wanted: World) -> Verdict:
    """Compare an attempt with the world in which the reference has acted."""
    expected, used = Counter(c.tool for c in wanted.calls), Counter(c.tool for c in attempt.calls)
    num_common = (expected & used).total()
    num_arguments, num_right = matching_arguments(wanted.calls, attempt.calls)
    is_told = all(set(normal_words(fact)) <= set(normal_words(attempt.answer)) for fact in task.facts)
    is_state_right = attempt.state == wanted.state()
    needs_no_change = wanted.state() == task.world().state()
    problems = [f"did not use {tool}" for tool in (expected - used).elements()]
    problems += [f"used {tool}" for tool in (used - expected).elements()]
    problems += ["the world is not as it should be"] * (not is_state_right)
    problems += ["did not say what came of it"] * (not is_told)
    times = {"first_word_ms": attempt.first_word_ms, "result_ms": attempt.result_ms}
    return Verdict(
        key=task.key,
        kind=task.kind,
        is_right=is_state_right and (is_told or not needs_no_change),
        problems=problems,
        figures={"arguments": num_arguments, "arguments_right": num_right, "told": is_told},
        samples={
            "f1": [2 * num_common / max(1, expected.total() + used.total())],
            **{name: [value] for name, value in times.items() if value is not None},
        },
    )


def summarise(verdicts: Sequence[Verdict]) -> Metrics:
    """The figures, headline first."""
    return {
        "tool_f1": metric.mean(pooled(verdicts, "f1")),
        "argument_accuracy": metric.share(added(verdicts, "arguments_right"), added(verdicts, "arguments")),
        "pass_at_1": metric.rate([verdict.is_right for verdict in verdicts]),
        "told": metric.rate([bool(verdict.figures["told"]) for verdict in verdicts]),
        "first_word_ms": metric.median(pooled(verdicts, "first_word_ms")),
        "result_ms": metric.median(pooled(verdicts, "result_ms")),
        **{
            f"pass_at_1/{kind}": metric.rate([verdict.is_right for verdict in row])
            for kind, row in by_kind(verdicts).items()
        },
    }


def matching_arguments(expected: Sequence[Call], used: Sequence[Call]) -> tuple[int, int]:
    """How many arguments were expected, and how many of them some call has; a call stands for one expected call."""
    left = list(used)
    num_expected = num_right = 0
    for call in expected:
        num_expected += len(call.arguments)
        candidates = [other for other in left if other.tool == call.tool]
        if candidates:
            best = max(candidates, key=lambda other: _num_equal(call, other))
            num_right += _num_equal(call, best)
            left.remove(best)
    return num_expected, num_right


def _num_equal(call: Call, other: Call) -> int:
    return sum(_is_equal(value, other.arguments.get(name)) for name, value in call.arguments.items())


def _is_equal(value: object, other: object) -> bool:
    if isinstance(value, str) and isinstance(other, str):
        return plain(value) == plain(other)
    if isinstance(value, int | float) and isinstance(other, int | float):
        return abs(value - other) < 0.005
    return value == other
