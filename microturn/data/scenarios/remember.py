"""Remember what was said, or typed, through other talk and other tasks, and tell it when asked.

A play holds one or two facts. What lies between a fact and the question is talk, small requests, and silence.
"""

from collections.abc import Callable
from dataclasses import dataclass

from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.cued import STATEMENTS
from microturn.data.scenarios.every_seconds import ACKNOWLEDGEMENT, any_words
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.short_requests import choose_request, respond
from microturn.data.stage import Stage
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.timing import turn_start_ms

ANSWER_WITHIN_MS = 4_000
"""An answer that begins later is none."""

WORDS = Phrases(
    train=(
        *("banana", "tiger", "window", "violin", "pepper", "castle", "river", "anchor", "button", "candle", "desert"),
        *("engine", "feather", "garden", "hammer", "island", "jacket", "kettle", "ladder", "magnet", "needle", "ocean"),
        *(
            "pillow",
            "quarter",
            "rocket",
            "saddle",
            "tunnel",
            "umbrella",
            "velvet",
            "walnut",
            "yellow",
            "zebra",
            "apple",
        ),
        *("blanket", "carrot", "dragon", "elbow", "forest", "guitar", "honey", "marble", "orange", "parrot", "ribbon"),
    ),
    heldout=("lantern", "mirror", "basket", "turtle", "copper", "meadow", "pocket", "silver", "thunder", "wagon"),
)
NAMES = Phrases(
    train=(
        *("anna", "peter", "maria", "john", "laura", "david", "emma", "paul", "sarah", "martin", "julia", "daniel"),
        *("lisa", "robert", "helen", "thomas", "nina", "oscar", "clara", "simon", "alice", "frank", "ruth", "victor"),
    ),
    heldout=("eric", "sophie", "walter", "nora", "hugo", "irene"),
)
PLACES = Phrases(
    train=(
        *("in the kitchen", "on the table", "under the bed", "in the car", "behind the door", "in the drawer"),
        *("on the shelf", "in the garden", "next to the lamp", "in my coat", "on the piano", "under the chair"),
        *("in the bathroom", "by the window", "in the blue box", "on the stairs"),
    ),
    heldout=("in the garage", "on the sofa", "behind the mirror", "under the table", "in the hall"),
)
BELONGINGS = Phrases(
    train=("keys", "glasses", "phone", "book", "hat", "wallet", "umbrella", "shoes", "letter", "camera", "scarf"),
    heldout=("gloves", "ticket", "watch", "pen", "bag"),
)
FAVOURITES = {
    "colour": ("red", "blue", "green", "yellow", "orange", "purple", "pink", "brown", "black", "white"),
    "animal": ("dog", "cat", "horse", "elephant", "tiger", "rabbit", "penguin", "owl", "dolphin", "bear"),
    "fruit": ("apple", "banana", "orange", "pear", "cherry", "lemon", "peach", "mango"),
    "day": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
}
"""Of each kind all that there is: both parts use it."""

TELL_WORD = Requests(
    train=(
        "remember the word {x}",
        "please remember the word {x}",
        "my word is {x}",
        "my secret word is {x}",
        "the password is {x}",
        "keep the word {x} in mind",
        "i give you a word to remember {x}",
        "the word of the day is {x}",
        "can you remember the word {x} for me",
        "do not forget the word {x}",
    ),
    heldout=("try to remember the word {x}", "here is my word {x}", "the secret word is {x} keep it in mind"),
)
ASK_WORD = Requests(
    train=(
        "what was my word",
        "what was the word",
        "which word did i tell you",
        "what word did you have to remember",
        "tell me the word again",
        "do you remember my word",
        "what is the word that i told you",
        "say the word that i gave you",
    ),
    heldout=("which word was it", "what word did i tell you to remember", "do you still know the word"),
)
TELL_NUMBER = Requests(
    train=(
        "remember the number {x}",
        "please remember the number {x}",
        "my number is {x}",
        "the number is {x}",
        "keep the number {x} in mind",
        "my room number is {x}",
        "can you remember the number {x} for me",
        "do not forget the number {x}",
        "i want you to remember the number {x}",
    ),
    heldout=("try to remember the number {x}", "here is my number {x}", "the number for today is {x}"),
)
ASK_NUMBER = Requests(
    train=(
        "what was my number",
        "what was the number",
        "what number did i tell you",
        "which number did you have to remember",
        "tell me the number again",
        "do you remember the number",
        "what is the number that i told you",
        "say the number that i gave you",
    ),
    heldout=("which number was it", "what number did i tell you to remember", "do you still know the number"),
)
TELL_NAME = Requests(
    train=(
        "my name is {x}",
        "i am {x}",
        "you can call me {x}",
        "hello my name is {x}",
        "they call me {x}",
        "by the way my name is {x}",
    ),
    heldout=("i am called {x}", "hi i am {x}", "just call me {x}"),
)
ASK_NAME = Requests(
    train=(
        "what is my name",
        "do you know my name",
        "who am i",
        "what am i called",
        "do you remember my name",
        "say my name",
    ),
    heldout=("can you tell me my name", "do you still know my name", "what was my name again"),
)
TELL_FAVOURITE = Requests(
    train=(
        "my favourite {k} is {x}",
        "the {k} that i like most is {x}",
        "i like {x} best it is my favourite {k}",
        "remember that my favourite {k} is {x}",
    ),
    heldout=("of every {k} i like {x} the most", "my {k} is {x} i like it best"),
)
ASK_FAVOURITE = Requests(
    train=(
        "what is my favourite {k}",
        "which {k} do i like most",
        "do you remember my favourite {k}",
        "tell me my favourite {k}",
    ),
    heldout=("what was my favourite {k} again", "which {k} do i like best"),
)
TELL_PLACE = Requests(
    train=(
        "i put my {k} {x}",
        "my {k} is {x}",
        "remember that i left my {k} {x}",
        "i left my {k} {x}",
        "i am putting my {k} {x}",
    ),
    heldout=("my {k} lies {x}", "please remember i have put my {k} {x}"),
)
ASK_PLACE = Requests(
    train=(
        "where did i put my {k}",
        "where is my {k}",
        "where did i leave my {k}",
        "do you know where my {k} is",
        "tell me where my {k} is",
    ),
    heldout=("where have i put my {k}", "do you remember where my {k} is"),
)
TYPED = Phrases(
    train=("the code is {x}", "code: {x}", "remember this: {x}", "my code is {x}", "note: {x}", "keep in mind: {x}"),
    heldout=("here is the code: {x}", "please note {x}", "this is the code {x}"),
)
ASK_TYPED = Phrases(
    train=(
        "what did i type",
        "what was the code",
        "what did i write",
        "tell me the code that i typed",
        "read me what i typed before",
        "which code did i write down",
    ),
    heldout=("what is the code that i typed", "what did i write to you", "what have i typed before"),
)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something to be remembered."""

    told: str
    question: str
    answer: str
    is_typed: bool = False


def play(stage: Stage, at_ms: float) -> float:
    """One or two facts, other things, and the questions in either order."""
    kinds = [str(k) for k in stage.rng.choice(list(FACTS), 1 if stage.chance(0.6) else 2, replace=False)]
    facts = [FACTS[kind](stage) for kind in kinds]
    now_ms = at_ms
    for fact in facts:
        now_ms = told(stage, fact, now_ms) + stage.between(300, 1_500)
    now_ms = meanwhile(stage, now_ms)
    stage.rng.shuffle(facts)
    for fact in facts:
        now_ms = asked(stage, fact.question, fact.answer, now_ms) + stage.between(300, 1_200)
    return now_ms


def told(stage: Stage, fact: Fact, at_ms: float) -> float:
    """The model takes note. Returns when it has said so."""
    if fact.is_typed:
        turn = stage.event(TextEvent(role=Role.USER, text=fact.told), at_ms) + 1
    else:
        turn = stage.answer_turn(stage.user(fact.told, at_ms))
        stage.quiet(at_ms, turn_start_ms(turn))
    return turn_start_ms(stage.model(ACKNOWLEDGEMENT, turn, is_expected=False).end_turn + 1)


def asked(stage: Stage, question: str, answer: str | Callable[[float], str], at_ms: float) -> float:
    """The question and its answer, which may depend on when (media time) it is given. Returns when that is over."""
    end_ms = stage.user(question, at_ms)
    turn = stage.answer_turn(end_ms)
    answer = answer if isinstance(answer, str) else answer(turn_start_ms(turn))
    stage.quiet(at_ms, turn_start_ms(turn))
    stage.moment(answer, end_ms, end_ms + ANSWER_WITHIN_MS)
    return turn_start_ms(stage.model(answer, turn).end_turn + 1)


def meanwhile(stage: Stage, at_ms: float, most: int = 3) -> float:
    """Talk, small requests and silence. Returns when the user may speak again."""
    for _ in range(stage.whole(1, most)):
        if stage.chance(0.4):
            request = choose_request(stage)
            turn = stage.answer_turn(stage.user(request.text, at_ms))
            at_ms = turn_start_ms(respond(stage, request, turn) + 1)
        elif stage.chance(0.7):
            at_ms = stage.user(stage.pick(STATEMENTS), at_ms) + 400
        else:
            at_ms += stage.between(1_500, 5_000)
        at_ms += stage.between(300, 1_500)
    return at_ms


def _word(stage: Stage) -> Fact:
    is_any = stage.cast.part == "train" and bool(stage.cast.sentences) and stage.chance(0.4)
    word = any_words(stage, 1) if is_any else stage.pick(WORDS)
    return Fact(told=stage.pick(TELL_WORD).format(x=word), question=stage.pick(ASK_WORD), answer=word)


def _number(stage: Stage) -> Fact:
    number = spoken(stage.whole(2, 120))
    return Fact(told=stage.pick(TELL_NUMBER).format(x=number), question=stage.pick(ASK_NUMBER), answer=number)


def _name(stage: Stage) -> Fact:
    name = stage.pick(NAMES)
    return Fact(told=stage.pick(TELL_NAME).format(x=name), question=stage.pick(ASK_NAME), answer=name)


def _favourite(stage: Stage) -> Fact:
    kind = stage.pick(tuple(FAVOURITES))
    chosen = stage.pick(FAVOURITES[kind])
    return Fact(
        told=stage.pick(TELL_FAVOURITE).format(k=kind, x=chosen),
        question=stage.pick(ASK_FAVOURITE).format(k=kind),
        answer=chosen,
    )


def _place(stage: Stage) -> Fact:
    thing, place = stage.pick(BELONGINGS), stage.pick(PLACES)
    answer = place.replace("my ", "your ")
    return Fact(
        told=stage.pick(TELL_PLACE).format(k=thing, x=place),
        question=stage.pick(ASK_PLACE).format(k=thing),
        answer=answer,
    )


def _typed(stage: Stage) -> Fact:
    if stage.chance(0.5):
        answer = " ".join(spoken(stage.whole(0, 9)) for _ in range(stage.whole(2, 4)))
    else:
        answer = stage.pick(WORDS)
    return Fact(told=stage.pick(TYPED).format(x=answer), question=stage.pick(ASK_TYPED), answer=answer, is_typed=True)


FACTS: dict[str, Callable[[Stage], Fact]] = {
    "word": _word,
    "number": _number,
    "name": _name,
    "favourite": _favourite,
    "place": _place,
    "typed": _typed,
}

REMEMBER = Scenario(
    name="remember",
    summary="remembers words, numbers, names, places and what was typed, and tells them when asked later",
    play=play,
    weight=2.0,
)
