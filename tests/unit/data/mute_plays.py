"""Scenarios played by voices without a sound."""

from collections.abc import Sequence

import numpy as np

from microturn.data.corpus import MuteVoice
from microturn.data.episode import Episode
from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage


def mute_cast(part: str = "train", sentences: Sequence[str] = ()) -> Cast:
    """One voice for everybody."""
    voice = MuteVoice()
    return Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part=part, sentences=sentences)


def play_on(stage: Stage, name: str, seed: int) -> Episode:
    """One scenario alone, and a second after it."""
    end_ms = SCENARIOS[name].play(stage, 400.0)
    return stage.render(name, seed, end_ms + 1_000, lambda samples, _: samples)


def mute_stage(seed: int, part: str = "train", sentences: Sequence[str] = (), kind: type[Stage] = Stage) -> Stage:
    """A stage for them."""
    return kind(np.random.default_rng(seed), mute_cast(part, sentences))
