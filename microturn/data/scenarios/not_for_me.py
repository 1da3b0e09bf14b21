"""Silence, noise, and talk that is not meant for the model: it listens, writes down, and says nothing."""

from microturn.data.scenarios.harmless import asks_nothing
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage

KINDS = ("nothing", "talk", "talk", "recordings", "recordings")
LONGEST_CLIP_MS = 9000
MANY_TRIES = 20


def play(stage: Stage, at_ms: float) -> float:
    """Nothing to do, in one of several ways."""
    kind = stage.pick(KINDS)
    end = at_ms + stage.between(800, 4000)
    if kind == "talk" and stage.cast.sentences:
        end = talk(stage, at_ms)
    elif kind == "recordings" and stage.cast.clips:
        end = recordings(stage, at_ms)
    stage.quiet(at_ms, end)
    return end


def talk(stage: Stage, at_ms: float) -> float:
    """The user, or somebody else, says things that ask for nothing."""
    voice = stage.cast.user if stage.chance(0.5) else stage.cast.bystanders(stage.rng)
    level_db = 0.0 if voice is stage.cast.user else stage.between(-12, 0)
    for _ in range(stage.whole(1, 5)):
        if sentence := stage.find(stage.cast.sentences, asks_nothing):
            end = stage.user(sentence, at_ms, voice=voice, level_db=level_db)
            at_ms = end + stage.between(150, 1200)
    return at_ms


def recordings(stage: Stage, at_ms: float) -> float:
    """Human recordings that ask for nothing, one after the other."""
    for _ in range(stage.whole(1, 5)):
        if clip := stage.clip(lambda clip: clip.duration_ms <= LONGEST_CLIP_MS and asks_nothing(clip.text), MANY_TRIES):
            stage.play(clip, at_ms, level_db=stage.between(-6, 0))
            at_ms += clip.duration_ms + stage.between(150, 1200)
    return at_ms + 300


NOT_FOR_ME = Scenario(
    name="not-for-me",
    summary="stays silent through silence, noise and talk that is not meant for it, and writes down the talk",
    play=play,
    weight=2.0,
)
