"""Questions about what is to be seen now: what, what colour, how many, whether, where; and when the camera is off."""

from collections.abc import Callable

from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import new_story, open_eyes
from microturn.data.stage import Stage
from microturn.data.visual.story import Change, Story, with_article
from microturn.data.visual.things import NAMES
from microturn.data.visual.view import CANVAS_WIDTH
from microturn.turns.timing import turn_start_ms

WHAT = Phrases(
    train=(
        "what do you see",
        "what can you see",
        "tell me what you see",
        "what is there",
        "what is in front of you",
        "look and tell me what you see",
        "what am i showing you",
        "what is in the picture",
        "describe what you see",
    ),
    heldout=("please say what you see", "what is it that you see", "what do you see right now"),
)
COLOUR = Phrases(
    train=(
        "what colour is the {n}",
        "which colour is the {n}",
        "tell me the colour of the {n}",
        "what is the colour of the {n}",
        "what colour does the {n} have",
    ),
    heldout=("can you say what colour the {n} is", "which colour does the {n} have"),
)
HOW_MANY = Phrases(
    train=("how many things do you see", "how many things are there", "count the things", "how many do you see"),
    heldout=("how many things can you see", "tell me how many things there are"),
)
IS_THERE = Phrases(
    train=("is there a {n}", "do you see a {n}", "can you see a {n}", "is a {n} there", "am i holding up a {n}"),
    heldout=("do you see the {n}", "tell me if there is a {n}"),
)
LIGHT = Phrases(
    train=("is the light on", "is it dark", "is the light off", "is it bright"),
    heldout=("is the light turned on", "is it dark now"),
)
WHICH = Phrases(
    train=("what is {k}", "which thing is {k}", "what is the {k} thing", "tell me what is {k}"),
    heldout=("which one is {k}", "what {k} thing do you see"),
)
WHERE = Phrases(
    train=("where is the {n}", "on which side is the {n}", "where do you see the {n}", "is the {n} left or right"),
    heldout=("which side is the {n} on", "tell me where the {n} is"),
)
NOTHING = "i see nothing"
DARK_WORDS = ("dark", "off")


def play(stage: Stage, at_ms: float) -> float:
    """One to three questions about one scene, which may change in between; or a camera that is off."""
    if stage.chance(0.12):
        stage.watch(None, max(0.0, at_ms - 200))
        return reply(stage, stage.pick(WHAT), NOTHING, at_ms + 1_200)
    story = new_story(stage, least_things=1, has_person=stage.chance(0.2))
    open_eyes(stage, story.scene, at_ms)
    at_ms += stage.between(300, 1_500)
    for _ in range(stage.whole(1, 3)):
        question, answer_text = QUESTIONS[stage.pick(tuple(QUESTIONS))](stage, story)
        at_ms = reply(stage, question, answer_text, at_ms) + stage.between(300, 1_500)
        if stage.chance(0.4):
            at_ms = change(story, at_ms) + stage.between(800, 1_500)
    return at_ms


def reply(stage: Stage, question: str, text: str, at_ms: float) -> float:
    """One question and its answer, at once."""
    end = stage.user(question, at_ms)
    turn = stage.answer_turn(end)
    stage.quiet(at_ms, turn_start_ms(turn))
    return turn_start_ms(stage.model(text, turn).end_turn + 1)


def change(story: Story, at_ms: float) -> float:
    """Something changes that keeps a thing to be asked about."""
    but = {Change.MOVES, Change.PERSON_COMES, Change.PERSON_LEAVES} | (
        {Change.LEAVES} if len(story.present) < 2 else set()
    )
    happening = story.any_change(at_ms, but=frozenset(but))
    return at_ms if happening is None else happening.time_ms


def _what(stage: Stage, story: Story) -> tuple[str, str]:
    things = [with_article(thing.description) for thing in _in_order(story)]
    if story.person is not None:
        things.append("a person")
    return stage.pick(WHAT), " and ".join(things) if story.is_light else "it is dark"


def _colour(stage: Stage, story: Story) -> tuple[str, str]:
    thing = _any(stage, story)
    return stage.pick(COLOUR).format(n=thing.name), thing.colour_name if story.is_light else "it is dark"


def _how_many(stage: Stage, story: Story) -> tuple[str, str]:
    return stage.pick(HOW_MANY), spoken(len(story.present)) if story.is_light else "it is dark"


def _is_there(stage: Stage, story: Story) -> tuple[str, str]:
    name = _any(stage, story).name if stage.chance(0.5) else stage.pick(NAMES)
    is_there = name in [thing.name for thing in story.present]
    text = ("yes" if is_there else "no") if story.is_light else "it is dark"
    return stage.pick(IS_THERE).format(n=name), text


def _light(stage: Stage, story: Story) -> tuple[str, str]:
    question = stage.pick(LIGHT)
    asks_dark = any(word in question.split() for word in DARK_WORDS)
    return question, "yes" if asks_dark != story.is_light else "no"


def _which(stage: Stage, story: Story) -> tuple[str, str]:
    thing = _any(stage, story)
    return stage.pick(WHICH).format(k=thing.colour_name), f"the {thing.name}" if story.is_light else "it is dark"


def _where(stage: Stage, story: Story) -> tuple[str, str]:
    thing = _any(stage, story)
    x = thing.place.last[0] / CANVAS_WIDTH
    side = "on the left" if x < 0.4 else "on the right" if x > 0.6 else "in the middle"
    return stage.pick(WHERE).format(n=thing.name), side if story.is_light else "it is dark"


def _any(stage: Stage, story: Story):
    return story.present[stage.whole(0, len(story.present) - 1)]


def _in_order(story: Story):
    return sorted(story.present, key=lambda thing: thing.place.last[0])


QUESTIONS: dict[str, Callable[[Stage, Story], tuple[str, str]]] = {
    "what": _what,
    "colour": _colour,
    "how many": _how_many,
    "is there": _is_there,
    "light": _light,
    "which": _which,
    "where": _where,
}

LOOK_AND_SAY = Scenario(
    name="look-and-say",
    summary="answers questions about what it sees: what, what colour, how many, where, whether",
    play=play,
    weight=2.0,
    needs_sight=True,
)
