"""The coordinator's side of delegation, measured with a scripted interaction model on the scenario's own episodes."""

import asyncio

import numpy as np
from background_doubles import WITHIN_S

from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.workbench import Workbench
from microturn.data.corpus import MuteVoice
from microturn.data.episode import Episode
from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage
from microturn.evals.exchange import Case, Verdict
from microturn.evals.suites.delegation import acts_of
from microturn.live_evals.delegation import LiveExchange, judge, summarise
from microturn.live_evals.delegation.session import play_live
from microturn.testing.delegating_model import DelegatingModel
from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.background import ActKind

NUM_EPISODES = 40


class HeldBackend:
    """Answers every question with itself, once it is let go."""

    name = "held"
    package_policy = PackagePolicy()

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.came: asyncio.Queue[str] = asyncio.Queue()
        self.let_go = asyncio.Event()

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        self.asked.append(package.question)
        self.came.put_nowait(package.question)
        await self.let_go.wait()
        return Answer(text=f"here is {len(package.question)}. it is so")

    async def close(self) -> None:
        pass


def episode(seed: int) -> Episode:
    voice = MuteVoice()
    cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="heldout", sentences=("hello there",))
    stage = Stage(np.random.default_rng(seed), cast)
    end_ms = SCENARIOS["delegate"].play(stage, 400.0)
    return stage.render("delegate", seed, end_ms + 1_000, lambda samples, _: samples)


async def hold_session(case: Case, backend: HeldBackend, release_turn: int) -> LiveExchange:
    """Play an episode against a real coordinator; the answers come in a given turn, whoever speaks then."""
    acts = acts_of(case.episode.outputs)

    async def before(index: int) -> None:
        for turn, act in acts:
            if turn == index - 1 and act.kind is not ActKind.CANCEL:
                await backend.came.get()
        if index == release_turn:
            backend.let_go.set()
        if index >= release_turn:
            await coordinator.wait_until_idle()

    async with Coordinator(backend) as coordinator:
        engine = ScriptedEngine(DelegatingModel(case.episode))
        return await play_live(case, engine, coordinator, backend.asked, pace_ms=0, before=before)


async def test_every_act_becomes_its_job_and_every_wanted_result_is_told_once_and_not_over_the_user():
    verdicts: list[Verdict] = []
    async with asyncio.timeout(5 * WITHIN_S):
        for seed in range(NUM_EPISODES):
            case = Case(key=str(seed), kind="delegate", episode=episode(seed))
            last_act = max(turn for turn, _ in acts_of(case.episode.outputs))
            verdicts.append(judge(await hold_session(case, HeldBackend(), last_act + 1 + seed % 5)))
    assert [problem for verdict in verdicts for problem in verdict.problems] == []
    found = summarise(verdicts)
    assert found["request_accuracy"].count > NUM_EPISODES
    assert (found["request_accuracy"].value, found["result_spoken"].value) == (1, 1)
    assert (found["over_user"].value, found["over_itself"].value, found["stale"].value) == (0, 0, 0)
    assert (found["told_ms"].value or 0) <= 1_000
