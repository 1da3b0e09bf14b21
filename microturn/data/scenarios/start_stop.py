"""Say "start" when a movement starts and "stop" when it stops."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import ask, close_eyes_perhaps, new_scene, open_eyes
from microturn.data.split import PERSON_MOTIONS, THING_MOTIONS, check_part
from microturn.data.stage import Said, Stage
from microturn.turns.timing import turn_start_ms

REQUEST = Phrases(
    train=(
        "say {a} when {who} starts {doing} and {b} when {it} stops",
        "please say {a} when {who} starts {doing} and {b} when {it} stops",
        "when {who} starts {doing} say {a} and when {it} stops say {b}",
        "say {a} when {who} begins {doing} then {b} when {it} stops",
        "say {a} as soon as {who} starts {doing} and {b} as soon as {it} stops",
        "can you say {a} when {who} starts {doing} and {b} when {it} is done",
        "watch and say {a} when {who} starts {doing} then say {b} when {it} stops",
        "tell me {a} when {who} starts {doing} and {b} when {it} stops",
        "say {a} when you see {who} {doing} and {b} when {it} is over",
        "i want you to say {a} when {who} starts {doing} and {b} at the end",
    ),
    heldout=(
        "would you say {a} when {who} starts {doing} and then {b} when {it} stops",
        "say {a} the moment {who} starts {doing} and {b} the moment {it} stops",
        "as soon as {who} starts {doing} say {a} and when {it} ends say {b}",
    ),
)
WORDS = Phrases(
    train=("start stop", "start stop", "start stop", "go done", "now over", "on off", "begin end", "yes no", "up down"),
    heldout=("start stop",),
)
DOING: dict[str, str] = {
    "squats": "doing squats",
    "jumping jacks": "doing jumping jacks",
    "waves": "waving",
    "claps": "clapping",
    "nods": "nodding",
    "arm raises": "raising the arms",
    "kicks": "kicking",
    "bows": "bowing",
    "arm curls": "doing arm curls",
    "punches": "punching",
    "lunges": "doing lunges",
    "side bends": "bending",
    "bounce": "bouncing",
    "slide": "sliding",
    "grow": "growing",
    "tilt": "tilting",
    "spin": "spinning",
    "blink": "blinking",
    "circle": "going round",
    "pendulum": "swinging",
    "flash": "flashing",
}
"""Movements as people ask for them."""
PEOPLE = ("the person", "somebody", "the man", "the woman", "he", "she")
ONSET_MS, STILL_MS = 150, 250
"""A movement has begun, or is over, when this much of it, or of stillness, has been seen."""


def play(stage: Stage, at_ms: float) -> float:
    """Ask; a person or a thing moves for a while."""
    part = check_part(stage.cast.part)
    scene = new_scene(stage)
    if stage.chance(0.6):
        motion, actor = stage.pick(PERSON_MOTIONS[part]), scene.add_person()
        who, it = stage.pick(PEOPLE), "it"
    else:
        motion, actor = stage.pick(THING_MOTIONS[part]), scene.add_thing()
        who, it = f"the {actor.name}", "it"
    for _ in range(stage.whole(0, 1)):
        scene.add_thing()
    open_eyes(stage, scene, at_ms)
    first, last = stage.pick(WORDS).split()
    doing = "moving" if stage.chance(0.35) else DOING[motion]
    said = ask(stage, stage.pick(REQUEST).format(a=first, b=last, who=who, it=it, doing=doing), at_ms)
    begin_ms = turn_start_ms(said.end_turn) + stage.between(900, 5_000)
    period_ms = stage.between(700, 1_700)
    count = max(2, round(stage.between(4_000, 10_000) / period_ms))
    cycle = scene.repeat(actor, motion, begin_ms, count, period_ms)
    return mark(stage, said, cycle.starts_ms[0], cycle.ends_ms[-1], first, last)


def mark(stage: Stage, said: Said, begin_ms: float, end_ms: float, first: str, last: str) -> float:
    """The model says both words. Returns when all is over."""
    stage.moment(f"{first} {last}", begin_ms, end_ms)
    stage.quiet(turn_start_ms(said.end_turn), begin_ms)
    opened = stage.model(first, stage.see_turn(begin_ms + ONSET_MS))
    stage.quiet(turn_start_ms(opened.end_turn), end_ms)
    stage.model(last, stage.see_turn(end_ms + STILL_MS))
    over_ms = end_ms + stage.between(2_000, 3_500)
    close_eyes_perhaps(stage, over_ms)
    return over_ms


START_STOP = Scenario(
    name="start-stop",
    summary="says 'start' when somebody or something starts to move and 'stop' when it stops",
    play=play,
    weight=1.5,
    needs_sight=True,
)
