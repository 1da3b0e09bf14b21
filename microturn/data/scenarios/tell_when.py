"""Watch for something and say so when it happens, the first time or every time; other things happen meanwhile."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios.every_seconds import THINGS
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import (
    AFTER_REQUEST_MS,
    NEVER_MIND,
    SPAN_MS,
    answer,
    ask,
    close_eyes_perhaps,
    look_away_perhaps,
    new_story,
    open_eyes,
)
from microturn.data.stage import Stage
from microturn.data.visual import Thing
from microturn.data.visual.palette import COLOURS
from microturn.data.visual.story import SETTLE_MS, Change, Story
from microturn.turns.timing import turn_start_ms

TELL_ME = Phrases(
    train=(
        "tell me when {c}",
        "let me know when {c}",
        "please tell me when {c}",
        "can you tell me when {c}",
        "could you tell me when {c}",
        "i want to know when {c}",
        "watch and tell me when {c}",
        "tell me as soon as {c}",
        "let me know as soon as {c}",
        "keep an eye out and tell me when {c}",
        "please watch the camera and tell me when {c}",
        "speak up when {c}",
        "warn me when {c}",
        "call out when {c}",
        "when {c} tell me",
        "when {c} let me know",
        "just tell me when {c}",
        "look at this and tell me when {c}",
    ),
    heldout=(
        "could you let me know when {c}",
        "would you tell me when {c}",
        "please let me know as soon as {c}",
        "tell me the moment {c}",
        "have a look and let me know when {c}",
        "i would like to know when {c}",
    ),
)
SAY_WHEN = Phrases(
    train=(
        "say {x} when {c}",
        "please say {x} when {c}",
        "when {c} say {x}",
        "say {x} as soon as {c}",
        "can you say {x} when {c}",
        "i want you to say {x} when {c}",
        "watch and say {x} when {c}",
    ),
    heldout=("would you say {x} when {c}", "as soon as {c} say {x}", "say {x} the moment {c}"),
)
EVERY_TIME = Phrases(
    train=(
        "say {x} every time {c}",
        "every time {c} say {x}",
        "please say {x} each time {c}",
        "whenever {c} say {x}",
        "say {x} whenever {c}",
    ),
    heldout=("each time {c} i want you to say {x}", "would you say {x} every time {c}"),
)
CONDITIONS: dict[Change, Phrases] = {
    Change.APPEARS: Phrases(
        train=(
            "a {n} appears",
            "you see a {n}",
            "a {n} comes in",
            "there is a {n}",
            "a {n} shows up",
            "the {n} appears",
            "the {n} is there",
            "the {n} is back",
            "i show you a {n}",
            "i hold up a {n}",
        ),
        heldout=("you can see a {n}", "a {n} comes into view", "a {n} turns up", "i show you the {n}"),
    ),
    Change.LEAVES: Phrases(
        train=(
            "the {n} leaves",
            "the {n} is gone",
            "the {n} goes away",
            "the {n} disappears",
            "you no longer see the {n}",
            "i take away the {n}",
            "the {n} is taken away",
            "there is no {n} any more",
        ),
        heldout=("the {n} is no longer there", "the {n} goes out of view", "somebody takes the {n}"),
    ),
    Change.MOVES: Phrases(
        train=(
            "the {n} moves",
            "the {n} starts to move",
            "the {n} is moved",
            "i move the {n}",
            "somebody moves the {n}",
        ),
        heldout=("the {n} begins to move", "the {n} changes its place"),
    ),
    Change.RECOLOURS: Phrases(
        train=(
            "the {n} turns {k}",
            "the {n} is {k}",
            "the {n} becomes {k}",
            "the {n} changes to {k}",
            "the {n} changes colour",
            "the colour of the {n} changes",
            "you see a {k} {n}",
        ),
        heldout=("the {n} has turned {k}", "the {n} goes {k}", "the {n} takes another colour"),
    ),
    Change.LIGHT_OFF: Phrases(
        train=(
            "the light goes off",
            "it gets dark",
            "the light is off",
            "somebody turns off the light",
            "the lights go out",
            "i switch off the light",
            "the room goes dark",
        ),
        heldout=("the light is turned off", "it goes dark", "i turn the light off"),
    ),
    Change.LIGHT_ON: Phrases(
        train=(
            "the light goes on",
            "it gets bright",
            "the light is on",
            "somebody turns on the light",
            "the lights come on",
            "i switch on the light",
            "you can see again",
        ),
        heldout=("the light is turned on", "it is bright again", "i turn the light on"),
    ),
    Change.HAND_UP: Phrases(
        train=(
            "a hand is raised",
            "i raise my hand",
            "somebody raises a hand",
            "a hand goes up",
            "you see a raised hand",
            "my hand is up",
            "i put my hand up",
            "i lift my arm",
            "an arm goes up",
        ),
        heldout=("the person raises a hand", "i lift my hand", "a hand is up", "somebody puts a hand up"),
    ),
    Change.HAND_DOWN: Phrases(
        train=("the hand goes down", "i lower my hand", "my hand is down", "i put my hand down", "the arm goes down"),
        heldout=("the person lowers the hand", "the hand is down again"),
    ),
    Change.PERSON_COMES: Phrases(
        train=(
            "somebody comes in",
            "a person comes in",
            "you see somebody",
            "someone appears",
            "someone comes",
            "there is a person",
            "i come back",
        ),
        heldout=("somebody shows up", "a person appears", "someone comes into view"),
    ),
    Change.PERSON_LEAVES: Phrases(
        train=("the person leaves", "i leave", "i am gone", "nobody is there any more", "the person is gone"),
        heldout=("the person goes away", "i walk away", "there is nobody left"),
    ),
}
REPLIES: dict[Change, str] = {
    Change.APPEARS: "the {n} is here",
    Change.LEAVES: "the {n} is gone",
    Change.MOVES: "the {n} moves",
    Change.RECOLOURS: "the {n} is {k}",
    Change.LIGHT_OFF: "the light is off",
    Change.LIGHT_ON: "the light is on",
    Change.HAND_UP: "a hand is up",
    Change.HAND_DOWN: "the hand is down",
    Change.PERSON_COMES: "a person is here",
    Change.PERSON_LEAVES: "the person is gone",
}
AND_BACK: dict[Change, Change] = {
    Change.LIGHT_OFF: Change.LIGHT_ON,
    Change.HAND_UP: Change.HAND_DOWN,
    Change.PERSON_COMES: Change.PERSON_LEAVES,
}
"""Changes that can happen again, and what has to happen in between."""
THINGS_CHANGES = (Change.APPEARS, Change.LEAVES, Change.MOVES, Change.RECOLOURS)
PERSONS_CHANGES = (Change.HAND_UP, Change.HAND_DOWN, Change.PERSON_LEAVES)
DISAPPEARANCES = frozenset({Change.LEAVES, Change.LIGHT_ON, Change.PERSON_LEAVES})
"""Changes that darkness or a camera going off and on might be taken for: "you no longer see the ball", "you can see
again"."""
NEVER = 0.1
"""Share of plays in which what is waited for does not come."""


def play(stage: Stage, at_ms: float) -> float:
    """Ask; things happen; then the one that was asked for."""
    change = Change(stage.pick(tuple(CONDITIONS)))
    story, thing = prepare(stage, change)
    open_eyes(stage, story.scene, at_ms)
    if change in AND_BACK and stage.chance(0.4):
        return every_time(stage, story, change, at_ms)
    colour = story.scene.fresh_colour(*thing.place.last[:2]) if thing else stage.pick(COLOURS)
    words = {"n": thing.name if thing else "", "k": colour}
    condition = stage.pick(CONDITIONS[change]).format(**words)
    if stage.chance(0.3):
        reply = stage.pick(THINGS)
        request = stage.pick(SAY_WHEN).format(x=reply, c=condition)
    else:
        reply = REPLIES[change].format(**words)
        request = stage.pick(TELL_ME).format(c=condition)
    said = ask(stage, request, at_ms)
    ready_ms = turn_start_ms(said.end_turn)
    now_ms = other_things(stage, story, change, thing, ready_ms + stage.between(*AFTER_REQUEST_MS))
    if stage.chance(NEVER):
        stage.quiet(ready_ms, now_ms)
        return stage.user(stage.pick(NEVER_MIND), now_ms) + 1_000
    time_ms = happen(story, change, thing, colour, now_ms)
    stage.quiet(ready_ms, time_ms)
    over_ms = turn_start_ms(answer(stage, reply, time_ms, not_before=said.end_turn).end_turn + 1)
    close_eyes_perhaps(stage, max(over_ms, time_ms + SPAN_MS))
    return max(over_ms, time_ms + SPAN_MS)


def prepare(stage: Stage, change: Change) -> tuple[Story, Thing | None]:
    """A scene in which a change can come, and the thing that it concerns."""
    least = 1 if change in THINGS_CHANGES and change is not Change.APPEARS else 0
    has_person = True if change in PERSONS_CHANGES else False if change is Change.PERSON_COMES else None
    story = new_story(stage, least_things=least, has_person=has_person)
    if change is Change.HAND_DOWN:
        story.happen(Change.HAND_UP, 0.0)
    if change is Change.LIGHT_ON:
        story.happen(Change.LIGHT_OFF, 0.0)
    if change is Change.APPEARS:
        return story, story.scene.add_thing(is_outside=True)
    return story, story.present[0] if change in THINGS_CHANGES else None


def other_things(stage: Stage, story: Story, change: Change, thing: Thing | None, at_ms: float) -> float:
    """Up to three changes that neither are the one nor seem to be; perhaps the camera goes off first. Returns when the
    one may come."""
    if change not in DISAPPEARANCES:
        at_ms = look_away_perhaps(stage, story.scene, at_ms)
    but = {change, Change.PERSON_LEAVES, Change.PERSON_COMES, AND_BACK.get(change, change)}
    if change in PERSONS_CHANGES:
        but |= {Change.HAND_UP, Change.HAND_DOWN}
    if change in DISAPPEARANCES:
        but.add(Change.LIGHT_OFF)
    if change is Change.LIGHT_ON:
        return at_ms
    for _ in range(stage.whole(0, 3)):
        if story.any_change(at_ms, but=frozenset(but), sparing=thing) is None:
            break
        at_ms += SETTLE_MS + stage.between(0, 2_500)
    if not story.is_light:
        story.happen(Change.LIGHT_ON, at_ms)
        at_ms += SETTLE_MS + stage.between(0, 1_500)
    return at_ms


def happen(story: Story, change: Change, thing: Thing | None, colour: str, at_ms: float) -> float:
    """What was asked for. Returns when it is plain to see."""
    if change is Change.RECOLOURS and thing is not None:
        return story.scene.recolour(thing, colour, at_ms)
    return story.happen(change, at_ms, thing=thing).time_ms


def every_time(stage: Stage, story: Story, change: Change, at_ms: float) -> float:
    """It happens two or three times, and the user ends it."""
    word = stage.pick(THINGS)
    request = stage.pick(EVERY_TIME).format(x=word, c=stage.pick(CONDITIONS[change]))
    said = ask(stage, request, at_ms)
    now_ms = turn_start_ms(said.end_turn) + stage.between(900, 3_500)
    for _ in range(stage.whole(2, 3)):
        time_ms = story.happen(change, now_ms).time_ms
        stage.quiet(turn_start_ms(said.end_turn), time_ms)
        said = answer(stage, word, time_ms, not_before=said.end_turn)
        now_ms = max(turn_start_ms(said.end_turn), time_ms + SETTLE_MS) + stage.between(300, 2_000)
        now_ms = story.happen(AND_BACK[change], now_ms).time_ms + SETTLE_MS + stage.between(0, 1_500)
    end = stage.user(stage.pick(NEVER_MIND), now_ms)
    stage.quiet(turn_start_ms(said.end_turn), end + 1_000)
    close_eyes_perhaps(stage, end + 1_000)
    return max(end + 1_000, turn_start_ms(said.end_turn + 1))


TELL_WHEN = Scenario(
    name="tell-when",
    summary="watches, and says so when something appears, leaves, moves, changes colour, a hand goes up, the light off",
    play=play,
    weight=3.0,
    needs_sight=True,
)
