"""A question whose answer is not to be seen yet: the model keeps quiet until it is, and answers then."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import (
    AFTER_REQUEST_MS,
    SPAN_MS,
    answer,
    ask,
    close_eyes_perhaps,
    open_eyes,
)
from microturn.data.scenarios.tell_when import other_things, prepare
from microturn.data.stage import Stage
from microturn.data.visual.story import Change, Happening, with_article
from microturn.turns.timing import turn_start_ms

QUESTIONS: dict[Change, Phrases] = {
    Change.APPEARS: Phrases(
        train=(
            "when something appears tell me what it is",
            "what will come next",
            "tell me what comes in",
            "when you see something new tell me what it is",
            "what am i going to show you",
            "watch what i show you next and tell me what it is",
            "something will come in what is it",
            "wait until something appears and say what it is",
        ),
        heldout=(
            "tell me what appears next",
            "i will show you something tell me what it is",
            "as soon as something comes in say what it is",
        ),
    ),
    Change.LEAVES: Phrases(
        train=(
            "tell me what leaves",
            "what will disappear",
            "when something leaves tell me what it was",
            "i will take something away tell me what is gone",
            "tell me what goes away",
            "watch and tell me what disappears",
        ),
        heldout=("which thing will leave", "tell me what i take away"),
    ),
    Change.MOVES: Phrases(
        train=(
            "tell me what moves",
            "what will move",
            "when something moves tell me what it is",
            "watch and tell me what moves",
            "i will move something tell me what",
        ),
        heldout=("which thing will move", "tell me what i move"),
    ),
    Change.RECOLOURS: Phrases(
        train=(
            "what colour will the {n} turn",
            "tell me what colour the {n} turns",
            "when the {n} changes colour tell me which colour it is",
            "what will be the next colour of the {n}",
            "the {n} will change its colour tell me to what",
        ),
        heldout=("which colour will the {n} take", "tell me the new colour of the {n} when it changes"),
    ),
}


def play(stage: Stage, at_ms: float) -> float:
    """Ask, wait, see, answer."""
    change = Change(stage.pick(tuple(QUESTIONS)))
    story, thing = prepare(stage, change)
    open_eyes(stage, story.scene, at_ms)
    said = ask(stage, stage.pick(QUESTIONS[change]).format(n=thing.name if thing else ""), at_ms)
    ready_ms = turn_start_ms(said.end_turn)
    now_ms = other_things(stage, story, change, thing, ready_ms + stage.between(*AFTER_REQUEST_MS))
    happening = story.happen(change, now_ms, thing=thing)
    stage.quiet(ready_ms, happening.time_ms)
    said = answer(stage, reply_to(happening), happening.time_ms, not_before=said.end_turn)
    over_ms = max(turn_start_ms(said.end_turn + 1), happening.time_ms + SPAN_MS)
    close_eyes_perhaps(stage, over_ms)
    return over_ms


def reply_to(happening: Happening) -> str:
    """The answer."""
    assert happening.thing is not None, "these questions are about things"
    match happening.change:
        case Change.RECOLOURS:
            return happening.thing.colour_name
        case Change.APPEARS:
            return with_article(happening.thing.description)
        case _:
            return f"the {happening.thing.description}"


ANSWER_WHEN = Scenario(
    name="answer-when",
    summary="is asked what will appear, leave, move, or which colour comes: keeps quiet until it shows, and answers",
    play=play,
    weight=2.0,
    needs_sight=True,
)
