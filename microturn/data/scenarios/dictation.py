"""Numbers, words and commands said one after the other to nobody: the model writes them down and says nothing."""

from microturn.data.numbers import spoken
from microturn.data.scenarios.count_aloud import FASTER, GO_ON, SKIP_TO, SLOWER, START_AGAIN, STOP
from microturn.data.scenarios.every_seconds import THINGS
from microturn.data.scenarios.harmless import asks_nothing, begins_with_greeting
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage

COMMANDS = (STOP, GO_ON, START_AGAIN, SLOWER, FASTER)
"""They ask for nothing before the model has said anything."""
HARMLESS = (STOP, SLOWER, FASTER)
"""They ask for nothing while nothing is running; a "go on" might take up again what was stopped."""
RESUMING = frozenset(
    (
        *("go", "going", "continue", "carry", "keep", "counting", "resume", "proceed", "take"),
        *("again", "start", "begin", "over", "beginning", "top"),
    )
)
"""One of these is in all that tells a model to go on or to start again."""
MOST_CLIP_WORDS = 3
MANY_TRIES = 30


def play(stage: Stage, at_ms: float) -> float:
    """A few breaths of words."""
    now_ms = end_ms = at_ms
    for _ in range(stage.whole(3, 8)):
        end_ms = (
            recording(stage, now_ms) if stage.cast.clips and stage.chance(0.3) else stage.user(words(stage), now_ms)
        )
        now_ms = end_ms + stage.between(120, 900)
    stage.quiet(at_ms, end_ms + 1000)
    return end_ms + 500


def words(stage: Stage) -> str:
    """A breath."""
    kind = stage.pick(("numbers", "numbers", "numbers", "things", "command"))
    if kind == "things":
        return things(stage)
    if kind == "command":
        return command(stage)
    return " ".join(spoken(stage.whole(0, 120 if stage.chance(0.5) else 20)) for _ in range(stage.whole(1, 5)))


def command(stage: Stage) -> str:
    """One that asks for nothing as things stand."""
    if stage.has_spoken:
        return stage.pick(HARMLESS[stage.whole(0, len(HARMLESS) - 1)])
    if stage.chance(0.2):
        return stage.pick(SKIP_TO).format(n=spoken(stage.whole(0, 100)))
    return stage.pick(COMMANDS[stage.whole(0, len(COMMANDS) - 1)])


def things(stage: Stage) -> str:
    """One or two of what others have said now and then, but no greeting, which is answered; and nothing that might take
    up again what was stopped, once the model has spoken."""
    while True:
        said = " ".join(stage.pick(THINGS) for _ in range(stage.whole(1, 2)))
        if not begins_with_greeting(said) and not (stage.has_spoken and might_resume(said)):
            return said


def might_resume(said: str) -> bool:
    """Whether a model that has been stopped might take it for a "go on" or a "start again"."""
    return not RESUMING.isdisjoint(said.split())


def recording(stage: Stage, at_ms: float) -> float:
    """A human recording of a word or a few that ask for nothing. Returns when it ends."""
    if clip := stage.clip(
        lambda clip: len(clip.text.split()) <= MOST_CLIP_WORDS and asks_nothing(clip.text), MANY_TRIES
    ):
        return stage.play(clip, at_ms, level_db=stage.between(-6, 0))
    return stage.user(words(stage), at_ms)


DICTATION = Scenario(
    name="dictation",
    summary="writes down numbers, words and commands that are said to nobody, and says nothing",
    play=play,
    weight=1.0,
)
