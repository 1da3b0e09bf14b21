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
from microturn.server.background_engine import BackgroundEngine
from microturn.testing.delegating_model import DelegatingModel, DelegationMeasure
from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.background import ActKind, ActReader
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN

NUM_EPISODES = 40
MOST_SILENT_TURNS = 200


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


async def hold_session(model: DelegatingModel, backend: HeldBackend, release_turn: int) -> None:
    """Play an episode against a real coordinator; the answers come in a given turn, whoever speaks then."""
    async with Coordinator(backend) as coordinator:
        session = await BackgroundEngine(ScriptedEngine(model), coordinator).open()
        outputs, reader = session.outputs(), ActReader()
        for index in range(release_turn + len(model.episode.inputs) + MOST_SILENT_TURNS):
            silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
            session.push_audio(PcmChunk(start_sample=index * IN_SAMPLES_PER_TURN, samples=silence))
            output, _ = await anext(outputs)
            for act in reader.read(output.pieces):
                if act.kind is not ActKind.CANCEL:
                    await backend.came.get()
            if index == release_turn:
                backend.let_go.set()
            if index >= release_turn:
                await coordinator.wait_until_idle()
                if model.told and model.is_quiet and index > len(model.episode.inputs):
                    break
        await session.close()


async def test_every_act_becomes_its_job_and_every_wanted_result_is_told_once_and_not_over_the_user():
    measure = DelegationMeasure()
    async with asyncio.timeout(5 * WITHIN_S):
        for seed in range(NUM_EPISODES):
            model, backend = DelegatingModel(episode(seed)), HeldBackend()
            last_act = max(output.index for output in model.episode.outputs if output.pieces)
            await hold_session(model, backend, last_act + seed % 5)
            measure.add(model, backend.asked)
    assert measure.num_asks > NUM_EPISODES
    assert measure.request_accuracy == 1
    assert measure.result_spoken == 1
    assert measure.num_unwanted_told == 0
    assert measure.num_over_user == 0
    assert np.median(measure.lags_ms) <= 1_000
