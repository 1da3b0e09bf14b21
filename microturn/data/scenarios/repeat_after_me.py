"""Repeat what the user says: numbers, words and open-vocabulary sentences."""

from microturn.data import everyday
from microturn.data.numbers import spoken
from microturn.data.phrases import Requests
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
        words = choose_words(stage)
        end = stage.user(stage.pick(REQUEST).format(x=words), end_ms)
        turn = stage.answer_turn(end)
        stage.quiet(end_ms, turn_start_ms(turn))
        said = stage.model(words, turn)
        end_ms = turn_start_ms(said.end_turn + 1) + stage.between(300, 1800)
    return end_ms


REPEAT_AFTER_ME = Scenario(
    name="repeat-after-me",
    summary="repeats numbers, words and sentences after the user",
    play=play,
    weight=2.0,
)
