"""Chained tools: the reference is perfect, whoever does not listen to the correction is not, and no control scores."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from microturn.background.jobs import Answer
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.setup import BackgroundConfig
from microturn.background.tools.tool import ToolError
from microturn.background.workbench import Workbench
from microturn.cli import app
from microturn.data.corpus import MuteVoice
from microturn.data.episode import Episode
from microturn.data.stage import Cast
from microturn.live_evals.chained_tools.command import chained_command
from microturn.live_evals.chained_tools.front import FrontEntry, episode_of
from microturn.live_evals.chained_tools.run import ReferenceBackend, run_chained
from microturn.live_evals.chained_tools.scoring import Attempt, judge, matching_arguments
from microturn.live_evals.chained_tools.tasks import Task, draw_tasks, solved
from microturn.live_evals.chained_tools.world import SPECS, Call, World
from microturn.live_evals.delegation.command import delegation_command
from microturn.testing.delegating_model import DelegatingModel
from microturn.testing.endpoint import EndpointReply, scripted_endpoint
from microturn.testing.scripted_engine import ScriptedEngine

LIMIT = 32


def test_the_same_seed_draws_the_same_tasks_and_another_draws_others():
    first, again, other = draw_tasks(LIMIT), draw_tasks(LIMIT), draw_tasks(LIMIT, seed=1)
    assert [task.words for task in first] == [task.words for task in again]
    assert {task.words for task in first}.isdisjoint(task.words for task in other)
    assert len({task.words for task in first}) == LIMIT
    assert all(task.words == task.words.lower() for task in first)


@pytest.mark.parametrize(
    ("tool", "wrong", "right"),
    [
        ("pay_bill", {"bill_id": "B1", "account": "piggy bank"}, {"bill_id": "B1", "account": "savings"}),
        (
            "transfer_money",
            {"person": "nobody", "amount": 5, "currency": "euro"},
            {"person": "ada", "amount": 5, "currency": "euro"},
        ),
    ],
)
def test_a_call_that_is_refused_changes_nothing(tool: str, wrong: dict[str, object], right: dict[str, object]):
    world, untried = World.of_seed(0), World.of_seed(0)
    with pytest.raises(ToolError):
        world.use(tool, wrong)
    assert world.state() == untried.state()
    assert world.use(tool, right) == untried.use(tool, right)
    assert world.state() == untried.state()


async def test_every_correction_matters():
    for task in draw_tasks(LIMIT):
        (right, _), (wrong, _) = await solved(task), await solved(task, is_corrected=False)
        assert right.calls != wrong.calls, task.words
        assert len(right.calls) >= 1
        assert right.state() == (await solved(task))[0].state()


async def test_the_reference_is_perfect_and_no_control_scores():
    report = await run_chained(ReferenceBackend, limit=LIMIT)
    suite = report.suites["chained-tools"]
    figures = {name: metric.value for name, metric in suite.metrics.items()}
    assert [figures[name] for name in ("tool_f1", "argument_accuracy", "pass_at_1", "told")] == [1, 1, 1, 1]
    assert suite.metrics["first_word_ms"].count == LIMIT
    assert suite.controls["reference"]["pass_at_1"] == 1
    assert suite.controls["uncorrected"]["pass_at_1"] == 0
    assert suite.controls["uncorrected"]["tool_f1"] > 0.8
    assert suite.controls["silent"] == {"tool_f1": 0, "argument_accuracy": 0, "pass_at_1": 0, "told": 0}
    assert suite.controls["shuffled"]["pass_at_1"] == 0


class Hasty:
    """Books the first flight it finds, without listening to the end."""

    name = "hasty"
    package_policy = PackagePolicy()

    def __init__(self, tasks: object) -> None:
        pass

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        found = json.loads(await bench.call("search_flights", {"city": "Oslo", "day": "monday"}))
        await bench.call("book_flight", {"flight_id": found[0]["flight_id"]})
        return Answer(text="Booked.")

    async def close(self) -> None:
        pass


async def test_the_right_tools_with_the_wrong_arguments_score_for_the_tools_alone():
    report = await run_chained(Hasty, limit=1)
    figures = {name: metric.value for name, metric in report.suites["chained-tools"].metrics.items()}
    assert figures["tool_f1"] == 1
    assert figures["argument_accuracy"] < 1
    assert figures["pass_at_1"] == 0
    assert figures["told"] == 0


async def test_a_language_model_behind_an_endpoint_calls_the_tools():
    """Any OpenAI-compatible endpoint: this one is played, and gets the first call wrong at first."""
    pytest.importorskip("pydantic_ai")
    from microturn.background.backends.agent import AgentBackend, EndpointConfig

    (task,) = draw_tasks(1)
    wanted, answer = await solved(task)
    search, book = wanted.calls
    replies = [
        EndpointReply(tool="search_flights", arguments={"city": "atlantis"}),
        EndpointReply(tool=search.tool, arguments=dict(search.arguments)),
        EndpointReply(tool=book.tool, arguments=dict(book.arguments)),
        EndpointReply(text=answer),
    ]
    async with scripted_endpoint(replies) as endpoint:
        agent = AgentBackend(EndpointConfig(base_url=endpoint.base_url, model="m"))
        report = await run_chained(lambda tasks: agent, limit=1)
    figures = {name: metric.value for name, metric in report.suites["chained-tools"].metrics.items()}
    assert (figures["tool_f1"], figures["argument_accuracy"], figures["pass_at_1"]) == (1, 1, 1)
    assert "search_flights: day: Field required" in str(endpoint.requests[1]["messages"])


async def test_what_changes_nothing_passes_only_if_it_is_said():
    warm = [task for task in draw_tasks(200) if task.kind == "home" and await _changes_nothing(task)]
    task = warm[0]
    wanted, answer = await solved(task)
    assert judge(task, Attempt.of(wanted, answer), wanted).is_right
    assert not judge(task, Attempt.of(wanted, "Done."), wanted).is_right


async def _changes_nothing(task: Task) -> bool:
    return (await solved(task))[0].state() == task.world().state()


def test_a_call_stands_for_one_expected_call():
    expected = [Call(tool="set_light", arguments={"room": "study", "is_on": False})] * 2
    assert matching_arguments(expected, expected[:1]) == (4, 2)
    assert matching_arguments(expected, []) == (4, 0)
    other = [Call(tool="set_light", arguments={"room": "Living_Room", "is_on": False})]
    assert matching_arguments([replace(other[0], arguments={"room": "living room", "is_on": False})], other) == (2, 2)


@pytest.mark.parametrize("tool", list(SPECS))
def test_every_tool_has_a_schema_that_refuses_what_it_does_not_know(tool: str):
    assert SPECS[tool].arguments.model_json_schema()["additionalProperties"] is False
    with pytest.raises(ValueError, match="surprise"):
        World.of_seed(0).use(tool, {"surprise": 1})


def play(task: Task) -> Episode:
    voice = MuteVoice()
    return episode_of(task, Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="heldout"))


async def test_spoken_to_a_perfect_model_in_front_it_is_as_good():
    entry = FrontEntry("perfect", lambda episode: ScriptedEngine(DelegatingModel(episode)), play, pace_ms=0)
    report = await run_chained(ReferenceBackend, entry, limit=8)
    suite = report.suites["chained-tools"]
    assert suite.metrics["pass_at_1"].value == 1
    assert suite.metrics["told"].value == 1
    assert suite.metrics["first_word_ms"].count == 8


def test_the_command_writes_figures_and_examples(tmp_path: Path):
    config = BackgroundConfig(mode="reference")
    chained_command(config, limit=2, json_path=tmp_path / "r.json", out=tmp_path, console=Console(file=io.StringIO()))
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["model"] == "reference"
    assert written["settings"] == {"limit": 2, "seed": 0, "entry": "text"}
    assert written["suites"]["chained-tools"]["metrics"]["pass_at_1"]["value"] == 1
    kept = [json.loads(line) for line in (tmp_path / "chained-tools.jsonl").read_text().splitlines()]
    assert [each["is_right"] for each in kept] == [True, True]
    assert kept[0]["calls"][0]["tool"] == "search_flights"


@pytest.mark.parametrize("command", [chained_command, delegation_command])
def test_a_model_that_cannot_stand_in_front_is_refused(command: Callable[..., object]):
    is_fronted = {"is_fronted": True} if command is chained_command else {}
    with pytest.raises(ValueError, match="give a checkpoint folder, or perfect"):
        command(BackgroundConfig(mode="tools"), model="nobody", limit=1, **is_fronted)


def test_it_is_run_by_itself():
    result = CliRunner().invoke(app, ["eval", "chained-tools", "time"])
    assert result.exit_code == 2
    assert "by itself" in " ".join(result.output.replace("│", " ").split())  # however it was wrapped


async def test_a_deaf_model_in_front_hands_nothing_over():
    entry = FrontEntry("deaf", lambda episode: ScriptedEngine(), play, pace_ms=0)
    report = await run_chained(ReferenceBackend, entry, limit=2)
    suite = report.suites["chained-tools"]
    assert (suite.metrics["tool_f1"].value, suite.metrics["first_word_ms"].value) == (0, None)
