"""What scenarios of sight share: the camera goes on, requests are acknowledged, moments are answered."""

from microturn.data.phrases import Phrases
from microturn.data.split import check_part
from microturn.data.stage import Said, Stage
from microturn.data.visual import Scene, View
from microturn.data.visual.story import Story
from microturn.turns.timing import turn_start_ms

ACKNOWLEDGEMENT = "okay"
SPAN_MS = 4_000
"""So long after a moment is an answer to it still of use."""
AFTER_REQUEST_MS = (900, 6_000)
"""From the acknowledgement to the first thing that happens."""


def open_eyes(stage: Stage, view: View, at_ms: float) -> None:
    """The camera shows a view from just before a moment on."""
    stage.watch(view, max(0.0, at_ms - stage.between(0, 250)))


def close_eyes_perhaps(stage: Stage, at_ms: float) -> None:
    """Now and then the camera goes off when a task is done; else it goes on showing what it showed."""
    if stage.chance(0.25):
        stage.watch(None, at_ms)


def look_away_perhaps(stage: Stage, view: View, at_ms: float) -> float:
    """Now and then the camera goes off and on again while the model waits. Returns when something may happen."""
    if not stage.chance(0.15):
        return at_ms
    back_ms = at_ms + stage.between(1_200, 3_000)
    stage.watch(None, at_ms)
    stage.watch(view, back_ms)
    return back_ms + stage.between(600, 1_500)


def new_scene(stage: Stage) -> Scene:
    """A scene of this part."""
    return Scene(stage.rng, check_part(stage.cast.part))


def new_story(stage: Stage, *, least_things: int = 0, has_person: bool | None = None) -> Story:
    """A scene with up to two things, and perhaps somebody."""
    with_person = stage.chance(0.35) if has_person is None else has_person
    return Story(new_scene(stage), num_things=stage.whole(least_things, 2), has_person=with_person)


def ask(stage: Stage, request: str, at_ms: float) -> Said:
    """The user asks for something that is to be done later; the model says that it will."""
    end = stage.user(request, at_ms)
    turn = stage.answer_turn(end)
    stage.quiet(at_ms, turn_start_ms(turn))
    return stage.model(ACKNOWLEDGEMENT, turn, is_expected=False)


def answer(stage: Stage, text: str, time_ms: float, *, not_before: int = 0) -> Said:
    """The model speaks of what is plain to see from ``time_ms`` on, when it is done with what it said before."""
    stage.moment(text, time_ms, time_ms + SPAN_MS)
    return stage.model(text, max(stage.see_turn(time_ms), not_before))


NEVER_MIND = Phrases(
    train=("never mind", "forget it", "stop", "that is all", "you can stop now", "no need any more", "stop watching"),
    heldout=("okay never mind", "you can stop watching", "that will do"),
)
