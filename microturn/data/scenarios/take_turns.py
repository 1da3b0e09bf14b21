"""A conversation of short turns: answered at once, but not within a pause, after an "um", or when nothing was asked."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios.cued import STATEMENTS
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.short_requests import Asked, choose_request, respond
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

PAUSE_MS = (500, 2_200)
"""Within a request, longer than many a system waits before it takes the turn."""
FILLERS = ("um", "uh", "er", "hm", "well um", "uh let me see", "um you know")
"""Heard in every voice; both parts hold them."""
MARKERS = Phrases(
    train=(
        "no wait",
        "wait no",
        "no sorry",
        "sorry",
        "i mean",
        "no i mean",
        "oh no",
        "or rather",
        "not that",
        "scratch that",
        "sorry i mean",
        "no no",
        "let me say that again",
        "actually no",
        "correction",
    ),
    heldout=("no hold on", "oh sorry i meant", "or no", "that is wrong i mean", "actually i mean"),
)
THINKING = Phrases(
    train=(
        "let me think",
        "hm let me see",
        "where was i",
        "um well",
        "so",
        "okay so",
        "i am just thinking aloud",
        "give me a moment",
        "i do not know yet",
        "what did i want to say",
        "hm that is hard",
        "i have to think about it",
        "never mind i will think about it later",
        "anyway",
        "just a second",
        "let me look",
        "hang on i am thinking",
        "how shall i put it",
        "i wonder",
        "oh well",
        "right so",
        "hm okay",
        "there was something else",
    ),
    heldout=(
        "let me think about that",
        "uh where were we",
        "i need a moment to think",
        "hm i am not sure yet",
        "one second i have to think",
        "oh what was it again",
    ),
)
"""Said to nobody in particular."""
RECORDED_CHANCE = 0.5
KINDS = {"at once": 0.25, "pause": 0.25, "um": 0.15, "false start": 0.2, "nothing asked": 0.15}


def play(stage: Stage, at_ms: float) -> float:
    """A few turns of the user, most of which ask for something."""
    now_ms = at_ms
    for _ in range(stage.whole(2, 4)):
        now_ms = one_turn(stage, str(stage.rng.choice(list(KINDS), p=list(KINDS.values()))), now_ms)
        now_ms += stage.between(300, 1_500)
    return now_ms


def one_turn(stage: Stage, kind: str, at_ms: float) -> float:
    """The user speaks, and is answered if there is something to answer. Returns when that is over."""
    if kind == "nothing asked":
        return nothing_asked(stage, at_ms)
    asked = choose_request(stage, is_divided=kind != "at once", can_be_false=kind == "false start")
    end_ms = SPEAK[kind](stage, asked, at_ms)
    turn = stage.answer_turn(end_ms)
    stage.quiet(at_ms, turn_start_ms(turn))
    return turn_start_ms(respond(stage, asked, turn) + 1)


def nothing_asked(stage: Stage, at_ms: float) -> float:
    """Talk, perhaps with a pause, and then silence."""
    end_ms = stage.user(stage.pick(THINKING if stage.chance(0.5) else STATEMENTS), at_ms)
    if stage.chance(0.5):
        end_ms = stage.user(stage.pick(STATEMENTS), end_ms + stage.between(*PAUSE_MS))
    over_ms = end_ms + stage.between(1_200, 2_500)
    stage.quiet(at_ms, over_ms)
    return over_ms


def at_once(stage: Stage, asked: Asked, at_ms: float) -> float:
    """In one breath; now and then in a recording, where there is one of just these words."""
    recorded = [clip for clip in stage.cast.clips if clip.text == asked.text]
    if recorded and stage.chance(RECORDED_CHANCE):
        return stage.play(recorded[stage.whole(0, len(recorded) - 1)].load(), at_ms, level_db=stage.between(-6, 0))
    return stage.user(asked.text, at_ms)


def with_pause(stage: Stage, asked: Asked, at_ms: float) -> float:
    """A pause between the opening and the rest."""
    return stage.user(asked.rest, stage.user(asked.opening, at_ms) + stage.between(*PAUSE_MS))


def with_um(stage: Stage, asked: Asked, at_ms: float) -> float:
    """Fillers before the request, within it, or both, some of them long drawn."""
    is_before = stage.chance(0.5)
    opening = f"{stage.pick(FILLERS)} {asked.opening}" if is_before else asked.opening
    if is_before and stage.chance(0.5):
        return stage.user(f"{opening} {asked.rest}", at_ms)
    middle = stage.user(f"{opening} {stage.pick(FILLERS)}", at_ms)
    return stage.user(asked.rest, middle + stage.between(200, 1_500))


def with_false_start(stage: Stage, asked: Asked, at_ms: float) -> float:
    """Another value first, taken back in the same breath; the right one follows, perhaps after a moment."""
    begun = f"{asked.opening} {asked.false_rest} {stage.pick(MARKERS)}"
    if stage.chance(0.6):
        return stage.user(f"{begun} {asked.rest}", at_ms)
    return stage.user(asked.rest, stage.user(begun, at_ms) + stage.between(200, 1_200))


SPEAK = {"at once": at_once, "pause": with_pause, "um": with_um, "false start": with_false_start}

TAKE_TURNS = Scenario(
    name="take-turns",
    summary="answers at once, waits through pauses, ums and false starts, and is silent when nothing is asked",
    play=play,
    weight=2.0,
)
