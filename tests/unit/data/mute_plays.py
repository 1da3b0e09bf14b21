"""Scenarios played by voices without a sound, and recordings without one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microturn.data.corpus import MuteVoice
from microturn.data.episode import Episode
from microturn.data.human import Clip
from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage
from microturn.data.voices import Utterance


class MuteClip(Clip):
    """A human recording that no file holds."""

    def load(self) -> Utterance:
        """Silence as long as the words."""
        return MuteVoice().say(self.text)


def mute_clips(*texts: str) -> list[Clip]:
    """One recording of each text."""
    spans = [tuple((word.start_ms, word.end_ms) for word in MuteVoice().say(text).words) for text in texts]
    return [
        MuteClip(path=Path(), text=text, voice="human:mute:0", spans=times)
        for text, times in zip(texts, spans, strict=True)
    ]


def mute_cast(part: str = "train", sentences: Sequence[str] = (), clips: Sequence[Clip] = ()) -> Cast:
    """One voice for everybody who is not recorded."""
    voice = MuteVoice()
    return Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part=part, sentences=sentences, clips=clips)


def play_on(stage: Stage, name: str, seed: int) -> Episode:
    """One scenario alone, and a second after it."""
    end_ms = SCENARIOS[name].play(stage, 400.0)
    return stage.render(name, seed, end_ms + 1_000, lambda samples, _: samples)


def mute_stage(
    seed: int,
    part: str = "train",
    sentences: Sequence[str] = (),
    kind: type[Stage] = Stage,
    clips: Sequence[Clip] = (),
) -> Stage:
    """A stage for them."""
    return kind(np.random.default_rng(seed), mute_cast(part, sentences, clips))
