"""Questions about the conversation itself: how often something was said or asked for, and how long ago."""

from microturn.data.numbers import spoken
from microturn.data.phrases import Requests
from microturn.data.scenarios.cued import STATEMENTS
from microturn.data.scenarios.remember import WORDS, asked
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.short_requests import REPEAT, choose_request, respond
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

SAY_WORD = Requests(
    train=(
        "{x}",
        "i say {x}",
        "here comes {x}",
        "this is {x}",
        "once more {x}",
        "and {x}",
        "now {x}",
        "i will say {x} now",
        "listen {x}",
    ),
    heldout=("this time {x}", "i am saying {x}", "hear this {x}", "my word {x}"),
)
HOW_OFTEN_SAID = Requests(
    train=(
        "how many times did i say {x}",
        "how often did i say {x}",
        "how many times have i said {x}",
        "how often have i said {x}",
        "count how often i said {x} so far",
        "do you know how often i said {x}",
        "how often was it that i said {x}",
        "tell me how many times i said {x}",
        "how many times was {x} said",
        "did you count how often i said {x}",
    ),
    heldout=(
        "can you tell me how often i said {x}",
        "how many times was it that i said {x}",
        "say how many times i have said {x}",
    ),
)
HOW_OFTEN_ASKED = Requests(
    train=(
        "how many times did i ask you to say {x}",
        "how often did i ask you to say {x}",
        "how many times have i asked you to say {x}",
        "how often did i make you say {x}",
        "tell me how many times i asked you to say {x}",
        "how many times did you have to say {x}",
        "how often did you have to say {x}",
        "do you know how often i asked you to say {x}",
    ),
    heldout=(
        "tell me how often i asked you to say {x}",
        "how many times was it that i asked you to say {x}",
        "how often was it that you had to say {x}",
    ),
)
HOW_LONG_AGO = Requests(
    train=(
        "how long ago did i say {x}",
        "how many seconds ago did i say {x}",
        "how long is it since i said {x}",
        "how much time has passed since i said {x}",
        "when did i say {x}",
        "how many seconds have passed since i said {x}",
        "tell me how long ago i said {x}",
        "do you know how long ago i said {x}",
        "how many seconds is it since i said {x}",
    ),
    heldout=(
        "how long has it been since i said {x}",
        "can you tell me how many seconds ago i said {x}",
        "how long ago was it that i said {x}",
        "tell me the seconds since i said {x}",
    ),
)
MOST_TIMES = 4


def how_often(stage: Stage, at_ms: float) -> float:
    """A word is said, or asked for, a few times among other talk; then the user asks how often."""
    word = stage.pick(WORDS)
    num_times = stage.whole(1, MOST_TIMES)
    is_asked_for = stage.chance(0.4)
    now_ms = at_ms
    for _ in range(num_times):
        now_ms = (request_word if is_asked_for else say_word)(stage, word, now_ms) + stage.between(400, 1_500)
        if stage.chance(0.4):
            now_ms = other_talk(stage, word, now_ms) + stage.between(400, 1_200)
    question = stage.pick(HOW_OFTEN_ASKED if is_asked_for else HOW_OFTEN_SAID).format(x=word)
    return asked(stage, question, spoken(num_times), now_ms)


def how_long_ago(stage: Stage, at_ms: float) -> float:
    """A word is said once; other things happen; the user asks how long ago that was."""
    word = stage.pick(WORDS)
    said_ms = now_ms = say_word(stage, word, at_ms)
    wait_ms = stage.between(2_000, 20_000)
    now_ms += stage.between(600, 1_500)
    while now_ms < said_ms + wait_ms - 4_000:
        now_ms = other_talk(stage, word, now_ms) + stage.between(400, 3_000)
    now_ms = max(now_ms, said_ms + wait_ms)

    def answer(at_ms: float) -> str:
        seconds = max(1, round((at_ms - said_ms) / 1000))
        return f"{spoken(seconds)} {'second' if seconds == 1 else 'seconds'} ago"

    return asked(stage, stage.pick(HOW_LONG_AGO).format(x=word), answer, now_ms)


def say_word(stage: Stage, word: str, at_ms: float) -> float:
    """The user says it to nobody."""
    end_ms = stage.user(stage.pick(SAY_WORD).format(x=word), at_ms)
    stage.quiet(at_ms, end_ms + 400)
    return end_ms


def request_word(stage: Stage, word: str, at_ms: float) -> float:
    """The user has the model say it."""
    turn = stage.answer_turn(stage.user(f"{stage.pick(REPEAT)} {word}", at_ms))
    return turn_start_ms(stage.model(word, turn).end_turn + 1)


def other_talk(stage: Stage, word: str, at_ms: float) -> float:
    """Something without the word."""
    if stage.chance(0.3):
        while word in (request := choose_request(stage)).text.split():
            continue
        turn = stage.answer_turn(stage.user(request.text, at_ms))
        return turn_start_ms(respond(stage, request, turn) + 1)
    while word in (sentence := stage.pick(STATEMENTS)).split():
        continue
    return stage.user(sentence, at_ms) + 300


HOW_OFTEN = Scenario(
    name="how-often",
    summary="knows how often something was said or asked for in the conversation",
    play=how_often,
    weight=1.0,
)
SINCE_WHEN = Scenario(
    name="how-long-ago",
    summary="knows how many seconds ago something was said",
    play=how_long_ago,
    weight=1.0,
)
