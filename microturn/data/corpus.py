"""The texts that the tokenizer is learnt from: what scenarios say, played without a sound, and open sentences."""

from collections.abc import Iterator, Sequence

import numpy as np

from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage
from microturn.data.visual import View
from microturn.data.voices import SpokenWord, Utterance
from microturn.turns.timing import OUT_HZ, out_samples

MS_PER_LETTER = 70


class MuteVoice:
    """Speaks without a sound, at an even pace, and remembers what it was asked to say."""

    name = base = "mute"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """Silence as long as the words."""
        self.texts.append(text)
        words, now_ms = [], 30.0
        for word in text.split():
            end_ms = now_ms + (len(word) + 1) * MS_PER_LETTER / speed
            words.append(SpokenWord(text=word, start_ms=now_ms, end_ms=end_ms))
            now_ms = end_ms
        samples = np.zeros(out_samples(now_ms + 30), np.float32)
        return Utterance(samples=samples, sample_rate=OUT_HZ, words=tuple(words), text=text, voice=self.name)


class UnfilmedStage(Stage):
    """A stage whose camera takes no picture, where only what is said matters."""

    def watch(self, view: View | None, at_ms: float) -> None:
        """Nothing reaches the model."""


def scenario_texts(num_plays: int, seed: int = 0) -> list[str]:
    """What both sides say in plays of every scenario, training's phrasings only."""
    voice = MuteVoice()
    for play in range(num_plays):
        for index, scenario in enumerate(SCENARIOS.values()):
            cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train")
            scenario.play(UnfilmedStage(np.random.default_rng([seed, play, index]), cast), 0.0)
    return voice.texts


def tokenizer_texts(sentences: Sequence[str], num_plays: int = 400) -> Iterator[str]:
    """Scenario texts and open sentences, each with the leading space that words carry in a micro-turn."""
    for text in (*scenario_texts(num_plays), *sentences):
        yield f" {text}"
