"""The user takes something back: while asking, or while the model is already at it. What was meant last is done."""

from microturn.data.numbers import spoken
from microturn.data.phrases import Requests
from microturn.data.scenarios.count_aloud import STOPPERS, Counting, say_stop, stop_meant_ms
from microturn.data.scenarios.every_seconds import THINGS
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.short_requests import COUNT, choose_request, respond
from microturn.data.scenarios.take_turns import with_false_start
from microturn.data.stage import Stage
from microturn.turns.timing import TURN_MS, turn_start_ms

FROM_HERE = Requests(
    train=(
        "no i meant from {a} to {b}",
        "i meant from {a} to {b}",
        "no from {a} to {b} please",
        "wait count from {a} to {b} instead",
        "sorry count from {a} to {b} instead",
        "no no from {a} to {b}",
        "make it from {a} to {b}",
        "not that count from {a} to {b}",
        "oh no i wanted from {a} to {b}",
        "forget that count from {a} to {b}",
        "wait i meant from {a} to {b}",
        "sorry from {a} to {b}",
        "actually from {a} to {b}",
        "no please from {a} to {b}",
    ),
    heldout=(
        "oh i meant from {a} to {b}",
        "no make that from {a} to {b}",
        "please count from {a} to {b} instead",
        "wait no from {a} to {b} please",
        "i am sorry i meant from {a} to {b}",
    ),
)
OTHER_WORDS = Requests(
    train=(
        "no say {x} instead",
        "say {x} instead",
        "from now on say {x}",
        "change that to {x}",
        "make it {x}",
        "i meant {x}",
        "no i want you to say {x}",
        "now say {x} instead",
        "no please say {x}",
        "i would rather hear {x}",
        "from here on say {x}",
        "let it be {x}",
        "sorry i meant {x}",
        "actually say {x}",
    ),
    heldout=(
        "please change it to {x}",
        "i would like to hear {x} instead",
        "say {x} from now on",
        "i would prefer {x}",
        "let us have {x} instead",
    ),
)
EVERY = Requests(
    train=(
        "say {x} every {n} seconds",
        "every {n} seconds say {x}",
        "please say {x} every {n} seconds",
        "can you say {x} every {n} seconds",
        "i want you to say {x} every {n} seconds",
        "every {n} seconds please say {x}",
    ),
    heldout=(
        "could you say {x} every {n} seconds",
        "every {n} seconds you say {x}",
        "i would like {x} every {n} seconds",
    ),
)
LONGEST_SAID_MS = 1_200
KINDS = {"while asking": 0.4, "while counting": 0.35, "while reminding": 0.25}


def play(stage: Stage, at_ms: float) -> float:
    """One change of mind."""
    kind = str(stage.rng.choice(list(KINDS), p=list(KINDS.values())))
    return COURSES[kind](stage, at_ms)


def while_asking(stage: Stage, at_ms: float) -> float:
    """Before the model could begin; perhaps twice."""
    for _ in range(stage.whole(1, 2)):
        asked = choose_request(stage, is_divided=True, can_be_false=True)
        end_ms = with_false_start(stage, asked, at_ms)
        turn = stage.answer_turn(end_ms)
        stage.quiet(at_ms, turn_start_ms(turn))
        at_ms = turn_start_ms(respond(stage, asked, turn) + 1) + stage.between(300, 1_500)
    return at_ms


def while_counting(stage: Stage, at_ms: float) -> float:
    """The model has begun to count; it drops that once it hears that it is to count from somewhere else.

    That is at the word "from", or at a "wait": until then a "no" or an "oh" may be meant for somebody else.
    """
    first, length = stage.whole(0, 40), stage.whole(8, 12)
    request = f"{stage.pick(COUNT).format(a=spoken(first))} to {spoken(first + length - 1)}"
    turn = stage.answer_turn(stage.user(request, at_ms))
    stage.quiet(at_ms, turn_start_ms(turn))
    change_ms = turn_start_ms(turn) + stage.between(1_300, 4_500)
    start, count = stage.whole(0, 60), stage.whole(3, 5)
    num_before = len(stage.heard)
    end_ms = stage.user(stage.pick(FROM_HERE).format(a=spoken(start), b=spoken(start + count - 1)), change_ms)
    meant_ms = stop_meant_ms(stage.heard[num_before:], end_ms, (*STOPPERS, "from"))
    stop_turn = stage.stop_turn(meant_ms)
    count_until(stage, first, turn, change_ms, stop_turn)
    stage.cut(stop_turn)
    anew_turn = max(stage.answer_turn(end_ms), stop_turn)
    stage.stop(meant_ms, turn_start_ms(anew_turn))
    anew = Counting(stage, range(start, start + count), 1000, anew_turn)
    anew.run()
    return anew.over_ms


def count_until(stage: Stage, number: int, turn: int, change_ms: float, stop_turn: int) -> None:
    """Counts until a turn; what begins after ``change_ms`` may be left out."""
    while turn < stop_turn:
        is_expected = turn_start_ms(turn + 1) < change_ms
        said = stage.model(spoken(number), turn, is_expected=is_expected)
        number, turn = number + 1, max(turn + 1000 // TURN_MS, said.end_turn)


def while_reminding(stage: Stage, at_ms: float) -> float:
    """What is said every so many seconds becomes something else; the beat goes on."""
    seconds = stage.whole(3, 5)
    period = seconds * 1000 // TURN_MS
    before, after = choose_short(stage), choose_short(stage)
    end_ms = stage.user(stage.pick(EVERY).format(x=before, n=spoken(seconds)), at_ms)
    first = stage.answer_turn(end_ms)
    stage.quiet(at_ms, turn_start_ms(first))
    stage.model("okay", first, is_expected=False)
    stage.model(before, first + period)
    change_ms = turn_start_ms(first + period) + stage.between(LONGEST_SAID_MS, LONGEST_SAID_MS + 200)
    end_ms = stage.user(stage.pick(OTHER_WORDS).format(x=after), change_ms)
    beat, num_times = first + 2 * period, stage.whole(1, 2)
    while beat < stage.answer_turn(end_ms):  # it was still being told: the beat passes in silence
        beat += period
    end_turns = [stage.model(after, beat + k * period).end_turn for k in range(num_times)]
    over_ms = turn_start_ms(end_turns[-1] + 1)
    return reminded_no_more(stage, after, beat + num_times * period, over_ms) if stage.goes_on else over_ms


def reminded_no_more(stage: Stage, words: str, next_beat: int, at_ms: float) -> float:
    """The user says stop before the next beat, or over it."""
    meant_ms, end_ms = say_stop(stage, at_ms + stage.between(200, 1_200))
    stop_turn = stage.stop_turn(meant_ms)
    if next_beat < stop_turn:
        stage.model(words, next_beat)
        stage.cut(stop_turn)
    over_ms = max(end_ms, turn_start_ms(next_beat)) + stage.between(600, 1_500)
    stage.stop(meant_ms, over_ms)
    return over_ms


def choose_short(stage: Stage) -> str:
    """One or two words to be said."""
    while True:
        words = stage.pick(THINGS)
        if len(words.split()) <= 2:
            return words


COURSES = {"while asking": while_asking, "while counting": while_counting, "while reminding": while_reminding}

CHANGE_OF_MIND = Scenario(
    name="change-of-mind",
    summary="does what was meant last when the user takes something back, while asking or in the middle of the task",
    play=play,
    weight=1.5,
)
