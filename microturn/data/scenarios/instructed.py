"""Instructions that the application gives in writing: how to greet, to be brief, which language to speak.

They come as system text when the session begins, and hold for what the user asks after that. Without any, a courtesy is
answered in a whole sentence and numbers are said in English.
"""

from collections.abc import Callable
from dataclasses import dataclass

from microturn.data.languages import LANGUAGES
from microturn.data.languages.german import german_number
from microturn.data.languages.spanish import spanish_number
from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases
from microturn.data.scenarios.count_aloud import UP_TO, Counting
from microturn.data.scenarios.every_seconds import something
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.short_requests import COURTESIES
from microturn.data.stage import Stage
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.timing import TURN_MS, turn_of_ms, turn_start_ms

GREET = Phrases(
    train=(
        "greet the user with {x}",
        "begin by saying {x}",
        "say {x} when the session begins",
        "start with {x}",
        "your first words are {x}",
        "open with {x}",
        "welcome the user with {x}",
        "greet the caller and say {x}",
        "first say {x}",
        "when the user comes say {x}",
        "your greeting is {x}",
        "say {x} to greet the user",
    ),
    heldout=(
        "begin with {x}",
        "greet whoever comes with {x}",
        "the first thing that you say is {x}",
        "as a greeting say {x}",
    ),
)
GREETINGS = Phrases(
    train=(
        "hello",
        "hello there",
        "welcome",
        "hi how can i help you",
        "good morning",
        "good evening and welcome",
        "nice to meet you",
        "hello i am your assistant",
        "welcome back",
        "hello what can i do for you",
        "good day",
        "hi i am listening",
        "thank you for calling",
        "welcome to the museum",
    ),
    heldout=("hello and welcome", "good afternoon", "hi what can i do", "welcome to our house", "hello my friend"),
)
BRIEF = Phrases(
    train=(
        "be brief",
        "keep it short",
        "use few words",
        "answer in one word",
        "say as little as you can",
        "be short",
        "short answers please",
        "do not talk much",
        "answer as briefly as possible",
        "keep your answers short",
    ),
    heldout=("answer briefly", "use as few words as you can", "please keep it brief", "give short answers"),
)
SPEAK = Phrases(
    train=(
        "speak {l}",
        "always answer in {l}",
        "answer in {l}",
        "your language is {l}",
        "talk to the user in {l}",
        "the user wants to hear {l}",
        "say everything in {l}",
        "use {l}",
        "reply in {l} only",
        "from now on speak {l}",
    ),
    heldout=("please speak {l}", "your answers are in {l}", "give every answer in {l}", "talk {l}"),
)
NO_MORE = Phrases(
    train=(
        "forget these instructions",
        "speak as you like again",
        "the instructions are over",
        "no more instructions",
        "speak as before",
        "never mind the instructions",
    ),
    heldout=("speak as usual again", "the instructions no longer hold"),
)
"""So that they do not hold for what comes after."""
BRIEFLY = {
    "how are you": "fine",
    "thank you": "sure",
    "thank you very much": "sure",
    "are you there": "yes",
    "can you hear me": "yes",
    "what can you do": "count",
    "hello": "hello",
    "hi": "hi",
    "good morning": "morning",
    "good night": "night",
    "goodbye": "bye",
}
"""Courtesies in few words."""
FOREIGN = {
    "es": {
        "hello": "hola",
        "hi": "hola",
        "good morning": "buenos días",
        "good evening": "buenas tardes",
        "how are you": "muy bien gracias",
        "thank you": "de nada",
        "are you there": "sí aquí estoy",
        "can you hear me": "sí te oigo",
        "goodbye": "adiós",
        "good night": "buenas noches",
    },
    "de": {
        "hello": "hallo",
        "hi": "hallo",
        "good morning": "guten morgen",
        "good evening": "guten abend",
        "how are you": "gut danke",
        "thank you": "bitte",
        "are you there": "ja ich bin da",
        "can you hear me": "ja ich höre dich",
        "goodbye": "auf wiedersehen",
        "good night": "gute nacht",
    },
}
"""Courtesies by language."""
NUMBERS: dict[str, Callable[[int], str]] = {"es": spanish_number, "de": german_number}
COUNTED = (3, 6)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How the model is to speak."""

    replies: dict[str, str]
    """To courtesies."""
    language: str = "en"


def play(stage: Stage, at_ms: float) -> float:
    """An instruction, and what the user says under it."""
    kind = stage.pick(("greet", "greet", "brief", "language", "language", "none"))
    if kind == "greet":
        return greeted(stage, at_ms)
    if kind == "none":
        return asked_under(stage, Manner(replies=COURTESIES), at_ms)
    if kind == "brief":
        text, manner = stage.pick(BRIEF), Manner(replies=BRIEFLY)
    else:
        code = stage.pick(tuple(FOREIGN))
        text = stage.pick(SPEAK).format(l=LANGUAGES[code].english_name)
        manner = Manner(replies=FOREIGN[code], language=code)
    stage.event(TextEvent(role=Role.SYSTEM, text=text), at_ms)
    end_ms = asked_under(stage, manner, at_ms + stage.between(400, 2_000))
    stage.event(TextEvent(role=Role.SYSTEM, text=stage.pick(NO_MORE)), end_ms)
    return end_ms + TURN_MS


def greeted(stage: Stage, at_ms: float) -> float:
    """The model speaks first, in the words that it was given."""
    words = stage.pick(GREETINGS) if stage.chance(0.6) else something(stage)
    turn = stage.event(TextEvent(role=Role.SYSTEM, text=stage.pick(GREET).format(x=words)), at_ms) + 1
    stage.quiet(at_ms, turn_start_ms(turn))
    end_ms = turn_start_ms(stage.model(words, turn).end_turn + 1)
    over_ms = end_ms + stage.between(600, 2_000)
    stage.quiet(end_ms, over_ms)
    return over_ms


def asked_under(stage: Stage, manner: Manner, at_ms: float) -> float:
    """A few courtesies and short counts, each answered in the manner that is wanted."""
    now_ms = at_ms
    for _ in range(stage.whole(1, 3)):
        is_count = stage.chance(0.4)
        last = stage.whole(*COUNTED)
        courtesy = stage.pick(tuple(manner.replies))
        end_ms = stage.user(stage.pick(UP_TO).format(b=spoken(last)) if is_count else courtesy, now_ms)
        turn = stage.answer_turn(end_ms)
        stage.quiet(now_ms, turn_start_ms(turn))
        if is_count:
            end_turn = counted(stage, last, manner.language, turn)
        else:
            end_turn = stage.model(manner.replies[courtesy], turn, language=manner.language).end_turn
        now_ms = turn_start_ms(end_turn + 1) + stage.between(400, 1_500)
    return now_ms


def counted(stage: Stage, last: int, language: str, turn: int) -> int:
    """The numbers up to one, one a second. Returns one past the turn in which a number more would have been due."""
    word = NUMBERS.get(language, spoken)
    counting = Counting(stage, range(1, last + 1), 1_000, turn, word=word, language=language)
    counting.run()
    return turn_of_ms(counting.over_ms) - 1


INSTRUCTED = Scenario(
    name="instructed",
    summary="keeps to written instructions: greets in given words, is brief, speaks another language",
    play=play,
    weight=1.5,
)
