"""``scenarios``: anybody's own scenarios, from a file outside the package, through the same scorers.

An example is right if the reply is as expected (see ``follow``), every quiet window was kept and every "stop" obeyed.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from microturn.data.scenarios import SCENARIOS, Scenario
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.follow import follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.suites.interruption import stop_problems, stopping
from microturn.evals.suites.silence import broken_turns
from microturn.evals.suites.suite import Suite, by_kind
from microturn.evals.suites.transcript import transcript_edits


class OwnScenarios(Suite):
    """Scenarios that came from outside."""

    name = "scenarios"
    summary = "scenarios from a file of your own"
    headline = ("accuracy",)

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        self._names = [scenario.name for scenario in scenarios]

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        counts = split(limit, len(self._names))
        return [case for name, n in zip(self._names, counts, strict=True) for case in playbook.cases(name, n)]

    def judge(self, exchange: Exchange) -> Verdict:
        episode, outputs = exchange.case.episode, exchange.outputs
        followed = follow(episode, outputs)
        stoppings = [stopping(episode, stop, outputs, followed) for stop in episode.stops]
        broken = broken_turns(exchange)
        problems = [*followed.problems, *stop_problems(stoppings), *(f"spoke in turn {k}" for k in broken[:3])]
        edits, num_words = transcript_edits(exchange)
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=not problems,
            problems=problems,
            figures={"edits": edits, "words": num_words},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rows = by_kind(verdicts)
        return {
            "accuracy": metric.macro_rate({name: [v.is_right for v in row] for name, row in rows.items()}),
            **{f"accuracy/{name}": metric.rate([v.is_right for v in row]) for name, row in rows.items()},
            "wer": metric.ratio([v.figures["edits"] for v in verdicts], [v.figures["words"] for v in verdicts]),
        }


def load_scenarios(path: Path) -> list[Scenario]:
    """Runs a Python file and lists the ``Scenario`` values that it defines, which can then be played by name.

    Raises:
        ValueError: the file does not run, defines none, or takes a name that is in use.
    """
    module = _run(path)
    scenarios = [value for value in vars(module).values() if isinstance(value, Scenario)]
    fresh = [scenario for scenario in scenarios if SCENARIOS.get(scenario.name) is not scenario]
    if not fresh:
        raise ValueError(f"{path} defines no scenario: assign a microturn.data.scenarios.Scenario to a name")
    for scenario in fresh:
        if SCENARIOS.setdefault(scenario.name, scenario) is not scenario:
            raise ValueError(f"{path}: there is a scenario named '{scenario.name}' already: give it another name")
    return fresh


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"scenarios_of_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ValueError(f"{path} is no Python file: give the path of a .py file that defines scenarios")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever somebody's own file raises
        raise ValueError(f"{path} does not run: {type(error).__name__}: {error}") from error
    return module
