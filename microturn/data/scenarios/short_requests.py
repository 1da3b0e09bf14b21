"""Small things to ask for whose answer is known: what scenarios of turn-taking, correction and memory ask in passing.

A request falls into an opening and a rest, between which a speaker may pause: no listener can take the opening for the
whole. Each has another value that a speaker may say first and take back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from microturn.data.numbers import spoken
from microturn.data.phrases import Requests, hold_out
from microturn.data.scenarios.count_aloud import Counting
from microturn.data.scenarios.every_seconds import something
from microturn.data.stage import Stage
from microturn.turns.timing import turn_of_ms

OPPOSITES = {
    "hot": "cold", "big": "small", "up": "down", "left": "right", "fast": "slow", "day": "night", "open": "closed",
    "old": "new", "high": "low", "full": "empty", "wet": "dry", "early": "late", "loud": "quiet", "hard": "soft",
    "heavy": "light", "black": "white", "good": "bad", "long": "short", "rich": "poor", "yes": "no", "in": "out",
    "summer": "winter", "before": "after", "front": "back", "strong": "weak", "thick": "thin",
}  # fmt: skip
OF_SEVERAL_OPPOSITES = frozenset(("old", "hard", "light", "short", "right"))
"""Nobody is asked for the opposite of these: new or young, soft or easy."""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
COURTESIES = {
    "hello": "hello",
    "hello there": "hello",
    "hi": "hi",
    "good morning": "good morning",
    "good evening": "good evening",
    "how are you": "i am fine thank you",
    "thank you": "you are welcome",
    "thank you very much": "you are welcome",
    "are you there": "yes i am here",
    "can you hear me": "yes i can hear you",
    "goodbye": "goodbye",
    "good night": "good night",
    "what can you do": "i can count and keep time",
}
"""What is said to everybody in the same words, in both parts."""

COUNT = Requests(
    train=(
        "count from {a}",
        "please count from {a}",
        "can you count from {a}",
        "count up from {a}",
        "i want you to count from {a}",
        "could you count from {a}",
        "now count from {a}",
        "count out loud from {a}",
        "let us count from {a}",
        "just count from {a}",
        "okay count from {a}",
        "start at {a} and count",
        "start from {a} and go on",
        "i need you to count from {a}",
    ),
    heldout=(
        "would you count from {a}",
        "start counting from {a}",
        "please start to count from {a}",
        "go ahead and count from {a}",
        "i am asking you to count from {a}",
    ),
)
hold_out(f"{phrase} to {{b}}" for phrase in COUNT.heldout)
SUM = Requests(
    train=(
        "what is {a}",
        "how much is {a}",
        "can you tell me what is {a}",
        "tell me what is {a}",
        "so what is {a}",
        "please tell me what is {a}",
        "quick what is {a}",
        "and what is {a}",
        "how many is {a}",
        "what do you get for {a}",
        "i need to know what is {a}",
    ),
    heldout=(
        "do you know what is {a}",
        "please tell me how much is {a}",
        "can you work out {a}",
        "what is the result of {a}",
    ),
)
NEXT_NUMBER = Requests(
    train=(
        "what number comes",
        "which number comes",
        "what comes",
        "tell me what number comes",
        "say the number that comes",
        "which number is right",
        "what is the number right",
        "can you say which number comes",
        "name the number that comes",
        "give me the number that comes",
    ),
    heldout=(
        "do you know which number comes",
        "please tell me the number that comes",
        "can you tell me what number comes",
        "i forgot which number comes",
    ),
)
OPPOSITE = Requests(
    train=(
        "what is the opposite of",
        "tell me the opposite of",
        "say the opposite of",
        "what do you call the opposite of",
        "give me the opposite of",
        "name the opposite of",
        "can you tell me the opposite of",
        "what would be the opposite of",
        "i need the opposite of",
        "quickly the opposite of",
        "what means the opposite of",
    ),
    heldout=(
        "do you know the opposite of",
        "please say the opposite of",
        "find me the opposite of",
        "i am looking for the opposite of",
    ),
)
REPEAT = Requests(
    train=(
        "please say after me",
        "repeat the following words",
        "say these words",
        "i want you to repeat",
        "can you say",
        "could you say",
        "now say",
        "repeat what i say",
        "say the words",
        "just say",
        "repeat this for me",
        "say it back to me",
        "tell me the words",
    ),
    heldout=(
        "would you repeat the words",
        "please say the following words",
        "kindly say",
        "please say back to me",
    ),
)
hold_out(f"{phrase} {{x}}" for phrase in REPEAT.heldout)
IN_ORDER = Requests(
    train=(
        "which {k} comes",
        "what {k} comes",
        "tell me which {k} comes",
        "say which {k} comes",
        "name the {k} that comes",
        "which is the {k} that comes",
        "can you say which {k} comes",
        "give me the {k} that comes",
        "i forgot which {k} comes",
    ),
    heldout=(
        "do you know which {k} comes",
        "please tell me what {k} comes",
        "what is the {k} that comes",
        "could you say what {k} comes",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request and its answer."""

    opening: str
    rest: str = ""
    """Empty for what is said in one breath."""
    answer: str
    false_rest: str = ""
    """The rest with another value; empty if there is none to take back."""
    numbers: tuple[int, ...] = ()
    """Numbers to be counted, one a second, in place of the answer."""

    @property
    def text(self) -> str:
        """The whole request."""
        return f"{self.opening} {self.rest}".strip()


def choose_request(stage: Stage, *, is_divided: bool = False, can_be_false: bool = False) -> Asked:
    """Something to ask for: ``is_divided``, so that one may pause in it; ``can_be_false``, with another value."""
    while True:
        asked = FORMS[stage.pick(tuple(FORMS))](stage)
        if (asked.rest or not is_divided) and (asked.false_rest or not can_be_false):
            return asked


def respond(stage: Stage, asked: Asked, turn: int) -> int:
    """The model answers from a turn on. Returns one past the last turn in which it is busy, or might seem to be."""
    if not asked.numbers:
        return stage.model(asked.answer, turn).end_turn
    counting = Counting(stage, asked.numbers, 1000, turn)
    counting.run()
    return turn_of_ms(counting.over_ms) - 1


def _count(stage: Stage) -> Asked:
    first, length = stage.whole(0, 40), stage.whole(3, 5)
    other = first + length + stage.whole(1, 9)
    return Asked(
        opening=f"{stage.pick(COUNT).format(a=spoken(first))} to",
        rest=spoken(first + length - 1),
        false_rest=spoken(other),
        answer="",
        numbers=tuple(range(first, first + length)),
    )


def _sum(stage: Stage) -> Asked:
    a, b, other = stage.whole(1, 12), stage.whole(1, 9), stage.whole(10, 12)
    return Asked(
        opening=stage.pick(SUM).format(a=spoken(a)),
        rest=f"plus {spoken(b)}",
        false_rest=f"plus {spoken(other)}",
        answer=spoken(a + b),
    )


def _next_number(stage: Stage) -> Asked:
    number, side = stage.whole(2, 60), stage.pick(("after", "before"))
    return Asked(
        opening=stage.pick(NEXT_NUMBER),
        rest=f"{side} {spoken(number)}",
        false_rest=f"{side} {spoken(number + stage.whole(1, 30))}",
        answer=spoken(number + (1 if side == "after" else -1)),
    )


def _opposite(stage: Stage) -> Asked:
    words = {**OPPOSITES, **{b: a for a, b in OPPOSITES.items()}}
    word, other = stage.rng.choice([word for word in words if word not in OF_SEVERAL_OPPOSITES], 2, replace=False)
    return Asked(opening=stage.pick(OPPOSITE), rest=str(word), false_rest=str(other), answer=words[str(word)])


def _in_order(stage: Stage) -> Asked:
    kind, members = ("day", DAYS) if stage.chance(0.6) else ("month", MONTHS)
    at, other = (int(k) for k in stage.rng.choice(len(members), 2, replace=False))
    side = stage.pick(("after", "before"))
    return Asked(
        opening=stage.pick(IN_ORDER).format(k=kind),
        rest=f"{side} {members[at]}",
        false_rest=f"{side} {members[other]}",
        answer=members[(at + (1 if side == "after" else -1)) % len(members)],
    )


def _repeat(stage: Stage) -> Asked:
    words = something(stage)
    return Asked(opening=stage.pick(REPEAT), rest=words, answer=words)


def _courtesy(stage: Stage) -> Asked:
    said = stage.pick(tuple(COURTESIES))
    return Asked(opening=said, answer=COURTESIES[said])


FORMS: dict[str, Callable[[Stage], Asked]] = {
    "count": _count,
    "sum": _sum,
    "next number": _next_number,
    "opposite": _opposite,
    "in order": _in_order,
    "repeat": _repeat,
    "courtesy": _courtesy,
}
