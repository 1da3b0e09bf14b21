"""An interaction model in front: the request is spoken to it, and the reply is what comes out of it."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from microturn.background.coordinator import Coordinator
from microturn.data.episode import Episode
from microturn.data.make import Material, cast_for
from microturn.data.stage import Cast, Stage
from microturn.evals.spoken import speaks
from microturn.live_evals.chained_tools.run import Bind
from microturn.live_evals.chained_tools.tasks import Task
from microturn.live_evals.playing import live_outputs
from microturn.server.background_engine import BackgroundEngine
from microturn.server.engine_port import Engine
from microturn.turns.background import Act, ActKind
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS, turn_start_ms

MAX_ANSWER_TURNS = 300
"""A request that has no result after so many turns is given up."""
QUIET_TURNS = 10
"""The reply is over after so many turns without speech, once the result has come."""
NO_ACT_TURNS = 50
"""Nothing was handed over so long after the request: nothing will be."""


def episode_of(task: Task, cast: Cast) -> Episode:
    """A task spoken in clean sound, and the reply of a model that hears perfectly: it hands the words over."""
    stage = Stage(np.random.default_rng(task.seed), cast)
    end_ms = stage.user(task.words, 400.0)
    turn = stage.answer_turn(end_ms)
    act_turn = stage.act(Act(kind=ActKind.ASK, job=1, text=task.words), turn)
    end_turn = max(act_turn, stage.model("one moment", turn).end_turn)
    return stage.render("chained-tools", task.seed, turn_start_ms(end_turn + 2), lambda samples, _: samples)


def spoken_by(material: Material) -> Callable[[Task], Episode]:
    """Tasks in voices that training never saw."""
    return lambda task: episode_of(task, cast_for(np.random.default_rng(task.seed), material))


class FrontEntry:
    """A session with an engine, whose acts the coordinator takes up.

    Args:
        engine_for: The engine that answers an episode; a live one is the same for all.
        play: A task as an episode.
        pace_ms: Wall time of a micro-turn: 200 for a live engine, which answers in its time; 0 for a scripted one.
    """

    def __init__(
        self,
        name: str,
        engine_for: Callable[[Episode], Engine],
        play: Callable[[Task], Episode],
        *,
        pace_ms: int = TURN_MS,
    ) -> None:
        self.name = name
        self._engine_for = engine_for
        self._play = play
        self._pace_ms = pace_ms

    async def ask(self, task: Task, coordinator: Coordinator, bind: Bind) -> tuple[str, float | None, float | None]:
        """See ``microturn.live_evals.chained_tools.run.Entry``. Times are media time: the playback of what was said."""
        episode = await asyncio.to_thread(self._play, task)
        session = await BackgroundEngine(self._engine_for(episode), coordinator).open()
        bind(session.session_id)
        reply = _Reply(end_ms=max(word.end_ms for word in episode.heard))

        async def settle(_: int) -> None:
            await coordinator.wait_until_idle()

        turns = live_outputs(session, episode.inputs, pace_ms=self._pace_ms, before=None if self._pace_ms else settle)
        try:
            async with aclosing(turns):
                async for output, _ in turns:
                    jobs = coordinator.jobs(session.session_id)
                    reply.add(output, has_result=bool(jobs) and all(job.state.is_over for job in jobs))
                    is_deaf = not jobs and reply.num_turns_since_request > NO_ACT_TURNS
                    if reply.is_over or is_deaf or output.index + 1 >= len(episode.inputs) + MAX_ANSWER_TURNS:
                        break
        finally:
            await session.close()
        return reply.told, reply.first_word_ms, reply.result_ms


@dataclass
class _Reply:
    """What is said after a request, turn by turn."""

    end_ms: float
    """Of the request."""
    told: str = ""
    """Said once the result had come."""
    first_word_ms: float | None = None
    result_ms: float | None = None
    num_turns_since_request: int = 0
    _num_quiet: int = 0

    def add(self, output: MicroTurnOutput, *, has_result: bool) -> None:
        """Take a turn's output in; it is heard in the next turn."""
        heard_ms = turn_start_ms(output.index + 1) - self.end_ms
        self.num_turns_since_request = max(0, int(heard_ms // TURN_MS))
        if speaks(output) and heard_ms >= 0 and self.first_word_ms is None:
            self.first_word_ms = heard_ms
        if not has_result:
            return
        self.told += output.say
        if speaks(output) and self.result_ms is None:
            self.result_ms = heard_ms
        self._num_quiet = 0 if speaks(output) else self._num_quiet + 1

    @property
    def is_over(self) -> bool:
        """The result has come, and nothing more is said."""
        return self._num_quiet >= QUIET_TURNS
