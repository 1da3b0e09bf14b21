"""Say something once, when a time has passed."""

from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases, Requests, hold_out
from microturn.data.scenarios.every_seconds import ACKNOWLEDGEMENT, something
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import TURN_MS, turn_start_ms

REQUEST = Requests(
    train=(
        "in {n} seconds say {x}",
        "in {n} seconds [please|you|can you|could you|you should|will you] say {x}",
        "[say|tell me|call out|call|announce|repeat] {x} [in|after|when you have waited] {n} seconds",
        "[after|in] {n} seconds [say|call out|announce|let me hear|tell me] {x}",
        "[wait|wait for|pause|pause for|be silent for|hold on for] {n} seconds [and|then|before you] say {x}",
        "[can|will] you [wait|pause] {n} seconds and say {x}",
        "[can|could|will] you [say|call out|tell me] {x} [in|after] {n} seconds",
        "remind me [in|after] {n} seconds to {x}",
        "[remind me|tell me|ask me|warn me|order me] to {x} [in|after|when it has been] {n} seconds",
        "[in|after] {n} seconds [remind me|ask me|warn me] to {x}",
        "{n} seconds from now [say|tell me|remind me to|call out] {x}",
        "when {n} seconds [have passed|have gone by|are over|are up] say {x}",
        "[i want|i need|i would like] you to say {x} in {n} seconds",
        "[once|as soon as] {n} seconds have passed say {x}",
        "[give me|let] {n} seconds [pass|] and then say {x}",
    ),
    heldout=(
        "would you say {x} in {n} seconds",
        "could you wait {n} seconds and then say {x}",
        "in {n} seconds i want you to say {x}",
        "please remind me to {x} in {n} seconds",
        "after {n} seconds tell me to {x}",
    ),
)
NOUNS = Phrases(
    train=(
        "tea",
        "coffee",
        "dinner",
        "lunch",
        "the bus",
        "the train",
        "your call",
        "the oven",
        "school",
        "work",
        "play",
        "the game",
        "the show",
        "the water",
        "the pasta",
        "the cake",
        "bed",
        "the break",
    ),
    heldout=("the tea", "breakfast", "the taxi", "the bread", "the movie"),
)
STATES = ("is ready", "is done", "is here", "is over", "time")
hold_out(f"{noun} {state}" for noun in NOUNS.heldout for state in STATES)


def play(stage: Stage, at_ms: float) -> float:
    """Ask and wait."""
    seconds, thing = stage.whole(2, 12), something(stage)
    if stage.chance(0.3):
        thing = f"{stage.pick(NOUNS)} {stage.pick(STATES)}"
    end = stage.user(stage.pick(REQUEST).format(x=thing, n=spoken(seconds)), at_ms)
    first_turn = stage.answer_turn(end)
    stage.quiet(at_ms, turn_start_ms(first_turn))
    stage.model(ACKNOWLEDGEMENT, first_turn, is_expected=False)
    said = stage.model(thing, first_turn + seconds * 1000 // TURN_MS)
    stage.quiet(turn_start_ms(first_turn) + 1200, turn_start_ms(said.first_turn) - 600)
    return turn_start_ms(said.end_turn + 1) + stage.between(300, 1500)


IN_SECONDS = Scenario(
    name="in-seconds",
    summary="says something once, so many seconds later",
    play=play,
    weight=1.4,
)
