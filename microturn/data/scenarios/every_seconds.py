"""Say something every so many seconds, until told to stop."""

from microturn.data import everyday
from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases, Requests, is_heldout
from microturn.data.scenarios.count_aloud import say_stop
from microturn.data.scenarios.jumble import jumble
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import TURN_MS, turn_start_ms

REQUEST = Requests(
    train=(
        "say {x} every {n} seconds until i say stop",
        "say {x} every {n} seconds",
        "[say|repeat|tell me|call|announce] {x} [every|each|once every|one time every] {n} seconds",
        "[keep saying|go on saying|keep repeating|start saying] {x} every {n} seconds",
        "[say|repeat|call out] {x} every {n} seconds [until|till] i [say stop|stop you|ask you to stop|say so]",
        "every {n} seconds [|please|you|just|you should|i need you to|will you|can you] say {x}",
        "[each|once every|always every] {n} seconds say {x}",
        "[|please|can you|will you] remind me to {x} every {n} seconds",
        "[remind|tell|ask|warn|order] me to {x} [every|once every] {n} seconds",
        "[keep reminding|keep asking|keep on telling|go on telling] me to {x} every {n} seconds",
        "every {n} seconds [remind me|tell me|ask me|warn me] to {x}",
        "[i want|i need|i would like|i wish] you to say {x} every {n} seconds",
        "[now|okay|so] say {x} every {n} seconds until i [ask you to|tell you to] stop",
        "until i [tell you to stop|stop you|say enough|speak again] [keep saying|repeat|say] {x} every {n} seconds",
        "[can|could|will] you [say|repeat|keep saying|remind me to] {x} every {n} seconds",
        "with {n} seconds in between [say|keep saying|repeat] {x}",
        "wait {n} seconds [each time and|and then] say {x} [again and again|over and over]",
    ),
    heldout=(
        "would you say {x} every {n} seconds until i say stop",
        "every {n} seconds i want you to say {x}",
        "could you remind me to {x} every {n} seconds",
        "keep telling me to {x} every {n} seconds",
        "until i say stop say {x} every {n} seconds",
    ),
)
THINGS = Phrases(
    train=(
        "breathe",
        "breathe in",
        "breathe out",
        "drink water",
        "stretch",
        "stand up",
        "sit down",
        "look up",
        "look left",
        "smile",
        "relax",
        "push",
        "pull",
        "turn",
        "turn around",
        "switch",
        "next",
        "go",
        "ready",
        "hello",
        "now",
        "check the door",
        "check the time",
        "check your mail",
        "move",
        "jump",
        "step",
        "left",
        "right",
        "up",
        "down",
        "tick",
        "beep",
        "ping",
        "one more",
        "again",
        "keep going",
        "good job",
        "well done",
        "look at me",
        "wash your hands",
        "close the window",
        "open the door",
        "take a break",
        "take a step",
        "lift your arm",
        "change sides",
        "red",
        "blue",
        "green",
        "apple",
        "banana",
        "coffee",
        "tea",
        "music",
        "dance",
        "run",
        "walk",
        "swim",
        "read",
        "write",
        "listen",
        "be quiet",
        "speak up",
        "stay calm",
        "hold still",
        "blink",
        "clap",
    ),
    heldout=(
        "breathe in and out",
        "drink some water",
        "stand straight",
        "look right",
        "check the window",
        "turn left",
        "take a deep breath",
        "move your arm",
        "good morning",
        "lift your left arm",
        "open the window",
        "go home",
    ),
)
ACKNOWLEDGEMENT = "okay"


def play(stage: Stage, at_ms: float) -> float:
    """Ask, hear it a few times, and stop it."""
    seconds, thing = stage.whole(2, 8), something(stage)
    end = stage.user(stage.pick(REQUEST).format(x=thing, n=spoken(seconds)), at_ms)
    first_turn = stage.answer_turn(end)
    stage.quiet(at_ms, turn_start_ms(first_turn))
    stage.model(ACKNOWLEDGEMENT, first_turn, is_expected=False)
    period_turns = seconds * 1000 // TURN_MS
    num_times = stage.whole(1, max(1, min(5, 16 // seconds)))
    turns = [first_turn + period_turns * (i + 1) for i in range(num_times)]
    stop_ms = turn_start_ms(turns[-1]) + stage.between(300, seconds * 1000 - 200)
    meant_ms, stop_end = say_stop(stage, stop_ms)
    stop_turn = stage.stop_turn(meant_ms)
    busy_until = first_turn
    for turn in [*turns, turns[-1] + period_turns]:
        if busy_until <= turn < stop_turn:
            busy_until = stage.model(thing, turn).end_turn
    if busy_until > stop_turn:
        stage.cut(stop_turn)
    quiet_ms = stage.between(1500, seconds * 1000 + 1500)
    stage.stop(meant_ms, stop_end + quiet_ms)
    return stop_end + quiet_ms


def something(stage: Stage) -> str:
    """What is to be said. In training seldom one of the bank: what was learnt by heart need not be heard, and is said
    in the place of what was asked for when that is new. Half is everyday, for most of what people ask to be told is;
    the rest is any words at all."""
    kind = stage.between(0, 1) if stage.cast.part == "train" else 1
    if kind < 0.5:
        return everyday.phrase(stage.rng)
    if kind < 0.8 and stage.cast.sentences:
        thing = any_words(stage, stage.whole(1, 4))
        return stage.pick(THINGS) if is_heldout(thing) else thing
    return stage.pick(THINGS)


def any_words(stage: Stage, length: int) -> str:
    """Words of one sentence as they stand there, or, in training, words in no order."""
    if stage.cast.part == "train" and stage.chance(0.4):
        return jumble(stage, length)
    words = stage.pick(stage.cast.sentences).split()
    start = stage.whole(0, max(0, len(words) - length))
    return " ".join(words[start : start + length])


EVERY_SECONDS = Scenario(
    name="every-seconds",
    summary="says something every so many seconds until told to stop",
    play=play,
    weight=1.6,
)
