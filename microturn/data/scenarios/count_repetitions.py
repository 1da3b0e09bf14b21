"""Count the repetitions of any movement aloud while it happens."""

from collections.abc import Sequence

from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import close_eyes_perhaps, new_scene, open_eyes
from microturn.data.split import PERSON_MOTIONS, THING_MOTIONS, check_part
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

REQUEST = Phrases(
    train=(
        "count the {x}",
        "please count the {x}",
        "can you count the {x}",
        "count my {x}",
        "count how many {x} you see",
        "count the {x} out loud",
        "watch and count the {x}",
        "count along with the {x}",
        "keep count of the {x}",
        "i want you to count the {x}",
        "count out the {x} for me",
        "could you count the {x} while you see them",
        "count every one of the {x}",
    ),
    heldout=(
        "please count out reps for {x}",
        "would you count the {x} aloud",
        "count my {x} as i go",
        "have a look and count the {x}",
    ),
)
ANYTHING = Phrases(
    train=("repetitions", "movements", "times", "reps", "moves"), heldout=("repeats", "cycles", "repetitions")
)
MANY: dict[str, str] = {
    "bounce": "bounces",
    "slide": "slides",
    "grow": "pulses",
    "tilt": "tilts",
    "spin": "turns",
    "blink": "blinks",
    "circle": "circles",
    "pendulum": "swings",
    "flash": "flashes",
}
"""Movements of things in the plural; people's are named so already."""
HOW_MANY = Phrases(
    train=("how many were there", "how many was that", "how many did you count", "so how many", "how many in all"),
    heldout=("how many did you see", "how many were that in all"),
)
LONGEST_MS = 20_000
FASTEST_MS, SLOWEST_MS = 850, 2_600


def play(stage: Stage, at_ms: float) -> float:
    """Ask; a person or a thing repeats a movement."""
    part = check_part(stage.cast.part)
    scene = new_scene(stage)
    if stage.chance(0.6):
        motion, actor = stage.pick(PERSON_MOTIONS[part]), scene.add_person()
        name = motion
    else:
        motion, actor = stage.pick(THING_MOTIONS[part]), scene.add_thing()
        name = MANY[motion]
    for _ in range(stage.whole(0, 1)):
        scene.add_thing()
    open_eyes(stage, scene, at_ms)
    begin_ms = request(stage, name, at_ms)
    period_ms = stage.between(FASTEST_MS, SLOWEST_MS)
    count = min(stage.whole(3, 12), int(LONGEST_MS / period_ms))
    cycle = scene.repeat(actor, motion, begin_ms, count, period_ms)
    return count_aloud(stage, cycle.starts_ms, cycle.ends_ms)


def request(stage: Stage, name: str, at_ms: float) -> float:
    """The user asks. Returns when the movement may begin."""
    thing = stage.pick(ANYTHING) if stage.chance(0.35) else name
    end = stage.user(stage.pick(REQUEST).format(x=thing), at_ms)
    begin_ms = end + stage.between(500, 3_500)
    stage.quiet(at_ms, begin_ms)
    return begin_ms


def count_aloud(stage: Stage, starts_ms: Sequence[float], ends_ms: Sequence[float]) -> float:
    """A number at the end of each repetition; then perhaps the user asks how many there were."""
    end_turn = 0
    for number, (start, end) in enumerate(zip(starts_ms, ends_ms, strict=True), start=1):
        stage.moment(spoken(number), start, end)
        said = stage.model(spoken(number), max(stage.see_turn(end), end_turn))
        end_turn = said.end_turn
    over_ms = turn_start_ms(end_turn + 1) + stage.between(1_200, 2_500)
    stage.quiet(turn_start_ms(end_turn), over_ms)
    if stage.chance(0.25):
        asked = stage.user(stage.pick(HOW_MANY), over_ms)
        over_ms = turn_start_ms(stage.model(spoken(len(ends_ms)), stage.answer_turn(asked)).end_turn + 1)
    close_eyes_perhaps(stage, over_ms)
    return over_ms


COUNT_REPETITIONS = Scenario(
    name="count-repetitions",
    summary="counts the repetitions of a movement aloud while it happens",
    play=play,
    weight=2.5,
    needs_sight=True,
)
