"""Repeat what the user says: numbers, words, open-vocabulary sentences, and what people have recorded."""

import re

from microturn.data import everyday
from microturn.data.human import Clip
from microturn.data.numbers import spoken
from microturn.data.phrases import Requests, is_heldout
from microturn.data.scenarios.every_seconds import THINGS, any_words
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

REQUEST = Requests(
    train=(
        "repeat after me {x}",
        "repeat after me {x}",
        "[|please|just|now|and now] repeat [after me|this|the following|these words|what i say|the words|it|] {x}",
        "[say|speak] [this|the words|the following|these words|with me|what i say|it after me|after me|] {x}",
        "[can|could|will] you [say|repeat|repeat this|repeat the words|say after me] {x}",
        "[i want|i need|i would like] you to [say|repeat] {x}",
        "let me hear you say {x}",
        "[listen and|and] repeat {x}",
        "[these are my words|here are the words] {x}",
        "[now you say|you say|try to say|try saying] {x}",
    ),
    heldout=(
        "could you repeat after me {x}",
        "would you say {x}",
        "now say after me {x}",
        "please repeat the words {x}",
    ),
)
MOST_WORDS = 9
CLIP_CHANCE = 0.25
"""In training, where there are human recordings."""
MOST_CLIP_WORDS, LONGEST_CLIP_MS = 8, 7000
CAN_BE_SAID = re.compile(r"[a-z']+( [a-z']+)*")
MANY_TRIES = 20


def choose_words(stage: Stage) -> str:
    """What is to be repeated."""
    if stage.cast.part == "train" and stage.chance(0.25):
        return everyday.phrase(stage.rng)
    if stage.cast.sentences and stage.chance(0.6 if stage.cast.part == "train" else 0.35):
        return any_words(stage, stage.whole(1, MOST_WORDS))
    if stage.chance(0.4):
        return " ".join(spoken(stage.whole(0, 100)) for _ in range(stage.whole(1, 4)))
    return stage.pick(THINGS)


def play(stage: Stage, at_ms: float) -> float:
    """Say it, and hear it back; perhaps twice."""
    end_ms = at_ms
    for _ in range(stage.whole(1, 2)):
        words, end = demand(stage, end_ms)
        turn = stage.answer_turn(end)
        stage.quiet(end_ms, turn_start_ms(turn))
        said = stage.model(words, turn)
        end_ms = turn_start_ms(said.end_turn + 1) + stage.between(300, 1800)
    return end_ms


def demand(stage: Stage, at_ms: float) -> tuple[str, float]:
    """The user asks for words, and says them or has a recording say them. Returns the words, and when they end (ms)."""
    is_recorded = stage.cast.part == "train" and bool(stage.cast.clips) and stage.chance(CLIP_CHANCE)
    if is_recorded and (clip := stage.clip(is_short, MANY_TRIES)):
        asked_ms = stage.user(stage.pick(REQUEST).format(x="").strip(), at_ms)
        return clip.text, stage.play(clip, asked_ms + stage.between(100, 900), level_db=stage.between(-6, 0))
    words = choose_words(stage)
    return words, stage.user(stage.pick(REQUEST).format(x=words), at_ms)


def is_short(clip: Clip) -> bool:
    """Whether a recording is a few plain words, and none that evaluation asks for."""
    is_few = len(clip.text.split()) <= MOST_CLIP_WORDS and clip.duration_ms <= LONGEST_CLIP_MS
    return is_few and CAN_BE_SAID.fullmatch(clip.text) is not None and not is_heldout(clip.text)


REPEAT_AFTER_ME = Scenario(
    name="repeat-after-me",
    summary="repeats numbers, words, sentences and recordings after the user",
    play=play,
    weight=2.0,
)
