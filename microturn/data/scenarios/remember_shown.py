"""Remember what was shown: a thing goes, or the camera; other things happen; then the user asks what it was."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios.remember import asked, meanwhile
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import new_story, open_eyes
from microturn.data.stage import Stage
from microturn.data.visual.story import Change, with_article

ASK_SHOWN = Phrases(
    train=(
        "what did i show you",
        "what did i show you before",
        "what was it that i showed you",
        "do you remember what i showed you",
        "what did you see before",
        "tell me what i showed you",
        "what was there before",
    ),
    heldout=("what have i shown you", "which thing did i show you", "what did you see a while ago"),
)
ASK_COLOUR = Phrases(
    train=(
        "what colour was the {n}",
        "which colour was the {n}",
        "what was the colour of the {n}",
        "do you remember the colour of the {n}",
        "tell me what colour the {n} was",
    ),
    heldout=("which colour did the {n} have", "can you say what colour the {n} was"),
)


def play(stage: Stage, at_ms: float) -> float:
    """Show one thing, take it or the camera away, talk, and ask."""
    story = new_story(stage, least_things=1, has_person=False)
    while len(story.present) > 1:  # one thing, so that there is one answer
        story = new_story(stage, least_things=1, has_person=False)
    thing = story.present[0]
    name, colour, description = thing.name, thing.colour_name, thing.description
    open_eyes(stage, story.scene, at_ms)
    gone_ms = at_ms + stage.between(1_500, 4_000)
    if stage.chance(0.5):
        stage.watch(None, gone_ms)
    else:
        gone_ms = story.happen(Change.LEAVES, gone_ms, thing=thing).time_ms
    now_ms = meanwhile(stage, gone_ms + stage.between(500, 1_500), most=2)
    if stage.chance(0.5):
        return asked(stage, stage.pick(ASK_COLOUR).format(n=name), colour, now_ms)
    return asked(stage, stage.pick(ASK_SHOWN), with_article(description), now_ms)


REMEMBER_SHOWN = Scenario(
    name="remember-shown",
    summary="tells what it was shown before, and in which colour, when that is no longer to be seen",
    play=play,
    weight=1.0,
    needs_sight=True,
)
