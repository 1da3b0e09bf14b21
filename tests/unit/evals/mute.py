"""Scenarios played without a synthesiser: mute voices with word times, clean microphones, a camera that is off."""

import numpy as np

from microturn.data.corpus import MuteVoice, UnfilmedStage
from microturn.data.episode import Episode
from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage

SENTENCES = ("we like to walk in the park", "the big dog ran home", "my mother has a red car")


def play_mute(name: str, seed: int, stage_type: type[Stage] = UnfilmedStage) -> Episode:
    """A scenario of this name; the same seed gives the same episode."""
    voice = MuteVoice()
    rng = np.random.default_rng([seed, list(SCENARIOS).index(name)])
    cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="heldout", sentences=SENTENCES)
    stage = stage_type(rng, cast)
    end_ms = SCENARIOS[name].play(stage, stage.between(300, 1500))
    return stage.render(name, seed, end_ms + 1200, degrade=lambda samples, _: samples)
