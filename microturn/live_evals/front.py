"""Who stands in front of the background: a live model, or one that hears perfectly, to show what the rest is worth."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from microturn.data.episode import Episode
from microturn.server.engine_port import Engine
from microturn.testing.delegating_model import DelegatingModel
from microturn.testing.scripted_engine import ScriptedEngine

PERFECT = "perfect"
"""As a model: hears and hands over as the reference does, and tells results in the pauses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """An interaction model for an evaluation."""

    name: str
    """For the report: a checkpoint's with the hash of its weights."""
    engine_for: Callable[[Episode], Engine]
    """The engine that answers an episode; a live one is the same for all."""
    is_scripted: bool
    """It takes no time of its own, so that sessions may run side by side."""


@asynccontextmanager
async def opened_front(model: str | None) -> AsyncGenerator[Front, None]:
    """A front to talk to, for as long as the context lasts.

    Args:
        model: A checkpoint folder, or ``perfect``; nano unless given.

    Raises:
        ValueError: neither a folder nor ``perfect``.
        MicroturnError: the checkpoint cannot be used.
    """
    if model == PERFECT:
        yield Front(name=PERFECT, engine_for=lambda episode: ScriptedEngine(DelegatingModel(episode)), is_scripted=True)
        return
    check_front(model)
    from microturn.engine.engine import Engine as LiveEngine
    from microturn.engine.loading import load_checkpoint, nano_folder
    from microturn.engine.runner import ModelRunner

    folder = nano_folder() if model is None else Path(model)
    runner = ModelRunner(load_checkpoint(folder))
    async with LiveEngine(runner) as engine:
        yield Front(name=f"{folder.name} {runner.model_hash}", engine_for=lambda episode: engine, is_scripted=False)


def check_front(model: str | None) -> None:
    """Raises ValueError for a model that cannot stand in front of a background."""
    if model not in (None, PERFECT) and not Path(model).is_dir():
        raise ValueError(f"{model!r} cannot stand in front of a background: give a checkpoint folder, or {PERFECT}")
