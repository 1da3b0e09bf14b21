"""Speak up when the user makes a mistake, over the user's speech: sums, counting, verbs, foreign words.

Every mistake is one that a table or arithmetic decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.cued import STATEMENTS, Replies, attend, occurrences
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage

SUMS_SAY = Requests(
    train=(
        "whenever i say a wrong sum say {y}",
        "say {y} whenever i say a wrong sum",
        "say {y} when my sum is wrong",
        "if i add wrong say {y}",
        "listen to my sums and say {y} when one is wrong",
        "i will do some sums say {y} if i make a mistake",
        "check my sums and say {y} at every mistake",
        "every time i get a sum wrong say {y}",
        "i am going to add numbers say {y} if the result is wrong",
        "tell me {y} when i add up wrong",
        "just say {y} when a sum does not fit",
        "whenever my sum is off say {y}",
        "say {y} as soon as i add something wrong",
        "i want to hear {y} at every wrong sum",
    ),
    heldout=(
        "please say {y} each time a sum is wrong",
        "when i make a mistake in a sum say {y}",
        "i am practising sums say {y} when i am wrong",
        "let me do some sums and say {y} at each wrong one",
    ),
)
SUMS_CORRECT = Requests(
    train=(
        "correct my sums",
        "whenever i say a wrong sum tell me the right result",
        "listen to my sums and correct me",
        "if i add wrong say the right number",
        "please correct me when my sum is wrong",
        "give me the right number when a sum is wrong",
        "i am practising sums please correct me",
        "when i add wrong tell me the right number",
        "listen and correct my sums",
        "tell me what it should be when a sum is wrong",
        "help me with my sums and correct each mistake",
    ),
    heldout=(
        "correct me each time i add wrong",
        "when a sum is wrong say the right result",
        "let me add some numbers and correct me when i am wrong",
    ),
)
SUM = Phrases(
    train=("{a} plus {b} is {c}", "{a} and {b} is {c}", "{a} plus {b} makes {c}", "{a} and {b} makes {c}"),
    heldout=("{a} plus {b} equals {c}", "{a} and {b} are {c}"),
)
COUNTING = Requests(
    train=(
        "i will count and you say the number that i leave out",
        "listen to me count and tell me each number that i forget",
        "when i skip a number say it",
        "i am going to count tell me which number i miss",
        "if i leave out a number while i count say that number",
        "i sometimes forget a number when i count so tell me which",
        "say the missing number when i count",
        "help me count and say what i leave out",
        "while i count say each number that i skip",
        "listen to my numbers and say the one that is missing",
    ),
    heldout=(
        "say every number that i skip while i count",
        "i will count say the number when i miss one",
        "when i count and forget a number say it",
    ),
)
VERBS_REQUEST = Requests(
    train=(
        "correct my verbs",
        "whenever i use a wrong verb say the right one",
        "when i get a verb wrong tell me the right word",
        "correct me if i say a verb wrong",
        "every time i say a wrong verb give me the right form",
        "i am learning english correct my verbs please",
        "say the right word when i use a wrong verb",
        "please fix my verbs while i talk",
        "i often get verbs wrong so say the right word",
        "tell me the right form when i say a verb wrong",
        "help me with my english and correct my verbs",
        "interrupt me with the right word when a verb is wrong",
    ),
    heldout=(
        "please correct every wrong verb that i say",
        "each time i use a wrong verb tell me the right one",
        "correct my english verbs while i speak",
        "whenever a verb of mine is wrong give me the right word",
    ),
)
VERBS = {
    "goed": "went", "eated": "ate", "runned": "ran", "buyed": "bought", "catched": "caught", "teached": "taught",
    "thinked": "thought", "bringed": "brought", "drinked": "drank", "sleeped": "slept",
    "speaked": "spoke", "writed": "wrote", "drived": "drove", "falled": "fell", "finded": "found", "flied": "flew",
    "forgetted": "forgot", "gived": "gave", "keeped": "kept", "knowed": "knew", "leaved": "left", "losed": "lost",
    "maked": "made", "meeted": "met", "sayed": "said", "selled": "sold", "sitted": "sat",
    "swimmed": "swam", "taked": "took", "telled": "told", "weared": "wore", "winned": "won",
}  # fmt: skip
"""Forms that are no words, and what is meant. Both parts use all: there is no other list of them."""
VERB_TALK = Phrases(
    train=(
        "last week i {v} with my brother for hours",
        "then she {v} before the others came",
        "yesterday they {v} and everybody was surprised",
        "in the morning he {v} as he always did",
        "i think we {v} much too late",
        "my neighbour {v} again and nobody knew why",
        "on monday i {v} and then i came home",
    ),
    heldout=(
        "two days ago we {v} in the old town",
        "after lunch my aunt {v} without a word",
        "he said that they {v} there",
    ),
)
FOREIGN_REQUEST = Requests(
    train=(
        "every time i say a spanish word say it in english",
        "when i use a spanish word give me the english one",
        "if i mix in a spanish word tell me the english word",
        "whenever i switch to spanish say the word in english",
        "translate every spanish word that i use",
        "say the english word when i say a spanish one",
        "i mix my languages so give me the english word for every spanish one",
        "when you hear a spanish word from me say it in english",
        "say it in english each time i fall into spanish",
        "help me out with the english word when i use a spanish one",
        "interrupt me with the english word for each spanish one",
    ),
    heldout=(
        "each time i use a spanish word say the english one",
        "whenever i say something in spanish give me the english word",
        "please put my spanish words into english",
        "every spanish word that i say you put into english",
    ),
)
FOREIGN = {
    "gato": "cat", "perro": "dog", "casa": "house", "libro": "book", "agua": "water", "leche": "milk",
    "amigo": "friend", "mesa": "table", "puerta": "door", "ventana": "window", "escuela": "school", "coche": "car",
    "manzana": "apple", "queso": "cheese", "playa": "beach", "ciudad": "city", "caballo": "horse", "zapato": "shoe",
    "sombrero": "hat", "iglesia": "church", "dinero": "money", "cocina": "kitchen",
}  # fmt: skip
FOREIGN_TALK = Phrases(
    train=(
        "i was looking for the {v} the whole morning",
        "there is a {v} next to our place",
        "we talked about your {v} last night",
        "she has a new {v} since the summer",
        "my mother said the {v} was too old",
        "do not forget the {v} when you come back",
        "the {v} over there is really beautiful",
    ),
    heldout=("his {v} was nowhere to be found", "i like this {v} better than the other", "they sold the {v} last year"),
)
WRONG = Phrases(
    train=("wrong", "wrong", "no", "mistake", "not right", "no no", "oops", "beep"), heldout=("wrong", "that is wrong")
)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What the user asks for, says, and is told."""

    request: str
    replies: Replies
    talk: list[str]
    """The last is said after the stop."""


def play(stage: Stage, at_ms: float) -> float:
    """A lesson in one of four subjects."""
    lesson = LESSONS[stage.pick(tuple(LESSONS))](stage)
    return attend(stage, lesson.request, lesson.replies, lesson.talk, at_ms)


def _sums(stage: Stage) -> Lesson:
    says = stage.pick(WRONG) if stage.chance(0.6) else ""
    right: dict[str, int] = {}
    talk: list[str] = []
    for is_wrong in (*stage.rng.permutation([True, False, stage.chance(0.5)]), True):
        a, b = stage.whole(1, 12), stage.whole(1, 12)
        result = a + b + (stage.whole(1, 4) if is_wrong else 0)
        talk.append(stage.pick(SUM).format(a=spoken(a), b=spoken(b), c=spoken(result)))
        right[talk[-1]] = a + b

    def replies(words: Sequence[str]) -> list[tuple[int, str]]:
        text = " ".join(words)
        total = spoken(right[text])
        return [] if text.endswith(f" {total}") else [(len(words) - 1, says or total)]

    request = stage.pick(SUMS_SAY).format(y=says) if says else stage.pick(SUMS_CORRECT)
    return Lesson(request=request, replies=replies, talk=talk)


def _counting(stage: Stage) -> Lesson:
    left_out: dict[str, list[tuple[int, str]]] = {}
    talk: list[str] = []
    for _ in range(stage.whole(2, 3)):
        first, length = stage.whole(1, 12), stage.whole(5, 8)
        skipped = first + stage.whole(2, length - 2)
        numbers = [n for n in range(first, first + length) if n != skipped]
        words = [word for n in numbers for word in spoken(n).split()]
        before = [word for n in numbers if n <= skipped + 1 for word in spoken(n).split()]
        talk.append(" ".join(words))
        left_out[talk[-1]] = [(len(before) - 1, spoken(skipped))]
    return Lesson(request=stage.pick(COUNTING), replies=lambda words: left_out[" ".join(words)], talk=talk)


def _verbs(stage: Stage) -> Lesson:
    return _from_table(stage, VERBS_REQUEST, VERBS, VERB_TALK, lambda: stage.pick(tuple(VERBS.values())))


def _foreign(stage: Stage) -> Lesson:
    return _from_table(stage, FOREIGN_REQUEST, FOREIGN, FOREIGN_TALK, lambda: stage.pick(tuple(FOREIGN.values())))


def _from_table(
    stage: Stage, request: Phrases, table: dict[str, str], carriers: Phrases, harmless: Callable[[], str]
) -> Lesson:
    """Talk with words of a table, whose other column is what the user wants to be told."""
    talk = [
        stage.pick(carriers).format(v=stage.pick(tuple(table))),
        stage.pick(carriers).format(v=harmless()),
        *([stage.pick(STATEMENTS)] if stage.chance(0.5) else []),
    ]
    stage.rng.shuffle(talk)
    talk += [stage.pick(carriers).format(v=stage.pick(tuple(table))) for _ in range(2)]

    def replies(words: Sequence[str]) -> list[tuple[int, str]]:
        found = [
            (place, table[word]) for word in sorted(set(words) & set(table)) for place in occurrences(words, [word])
        ]
        return sorted(found)

    return Lesson(request=stage.pick(request), replies=replies, talk=talk)


LESSONS: dict[str, Callable[[Stage], Lesson]] = {
    "sums": _sums,
    "counting": _counting,
    "verbs": _verbs,
    "foreign words": _foreign,
}

CORRECT_ME = Scenario(
    name="correct-me",
    summary="speaks up at the user's mistakes: wrong sums, numbers left out, wrong verbs, foreign words",
    play=play,
    weight=1.5,
)
