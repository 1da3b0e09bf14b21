"""Count on while other sounds come in: an "uh huh", talk with others, recordings. Only a command would stop it."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios.count_aloud import ask, choose_numbers
from microturn.data.scenarios.harmless import asks_nothing, is_harmless
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

BACKCHANNEL = Phrases(
    train=(
        "uh huh",
        "yeah",
        "yes",
        "right",
        "okay",
        "i see",
        "good",
        "nice",
        "wow",
        "great",
        "sure",
        "no",
        "oh",
        "very good",
        "all right",
        "oh really",
        "got it",
    ),
    heldout=("hm okay", "yes yes", "oh i see", "really", "oh nice"),
)
LONGEST_CLIP_MS = 5_000
MOST_NUMBERS = 12
MANY_TRIES = 20


def play(stage: Stage, at_ms: float) -> float:
    """Ask, count, and count on whatever is heard."""
    request, numbers = choose_numbers(stage, most=MOST_NUMBERS)
    while len(numbers) > MOST_NUMBERS:
        request, numbers = choose_numbers(stage, most=MOST_NUMBERS)
    counting, _ = ask(stage, request, numbers, 1000 if stage.chance(0.7) else 600, at_ms)
    first_turn = counting.next_turn
    counting.run()
    now_ms = turn_start_ms(first_turn) + stage.between(300, 2500)
    while now_ms < counting.end_ms - 800:
        now_ms = side_talk(stage, now_ms) + stage.between(200, 2000)
    return max(counting.over_ms, now_ms)


def side_talk(stage: Stage, at_ms: float) -> float:
    """Somebody says something that asks for nothing. Returns when it ends."""
    if stage.chance(0.3):
        return stage.user(stage.pick(BACKCHANNEL), at_ms, level_db=stage.between(-6, 0))
    if stage.cast.clips and stage.chance(0.5):
        clip = stage.clip(lambda clip: asks_nothing(clip.text) and clip.duration_ms < LONGEST_CLIP_MS, MANY_TRIES)
        if clip:
            return stage.play(clip, at_ms, level_db=stage.between(-8, 0))
    if stage.cast.sentences and (sentence := stage.find(stage.cast.sentences, is_harmless)):
        is_user = stage.chance(0.4) and asks_nothing(sentence)  # what others ask is not for the model
        voice = stage.cast.user if is_user else stage.cast.bystanders(stage.rng)
        return stage.user(sentence, at_ms, voice=voice, level_db=stage.between(-12, 0))
    return stage.user(stage.pick(BACKCHANNEL), at_ms)


KEEP_GOING = Scenario(
    name="keep-going",
    summary="counts on through backchannels, talk with others and recordings; only a command stops it",
    play=play,
    weight=1.5,
)
