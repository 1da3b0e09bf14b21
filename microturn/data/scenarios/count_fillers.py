"""Count the user's "um"s, or another word, aloud while the user talks, until told to stop."""

from collections.abc import Sequence

from microturn.data.numbers import spoken
from microturn.data.phrases import Requests
from microturn.data.scenarios.cued import STATEMENTS, attend, occurrences
from microturn.data.scenarios.harmless import asks_nothing
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage

REQUEST = Requests(
    train=(
        "count how often i say {x}",
        "count how many times i say {x}",
        "count every {x} that i say",
        "count my {x} while i talk",
        "please count how often i say {x}",
        "can you count how often i say {x}",
        "every time i say {x} count one more",
        "count out loud whenever i say {x}",
        "i say {x} too much count it for me",
        "listen to me and count every {x}",
        "count along when i say {x}",
        "tell me each time how often i have said {x}",
        "keep a count of every {x} out loud",
        "count the number of times that i say {x}",
        "count the times that i say {x}",
        "number every {x} that you hear",
        "help me to stop saying {x} and count each one",
        "say a number each time i say {x}",
        "one two three for every {x} that i say please",
        "i want to know how often i say {x} so count aloud",
        "as i talk count each {x}",
    ),
    heldout=(
        "could you count every time i say {x}",
        "please keep count of how often i say {x}",
        "whenever i say {x} count on",
        "i want you to count each {x} aloud",
        "count out each {x} while i am talking",
        "please number each {x} aloud",
    ),
)
FILLERS = ("um", "um", "uh", "like", "you know", "actually", "basically", "so", "well", "i mean", "sort of", "right")
"""Both parts count all of them: there is no other way to say "um"."""
LEAST_WORDS_BETWEEN = 4
"""Fillers stand so far apart that a number can be said before the next."""
MANY_TRIES = 20


def play(stage: Stage, at_ms: float) -> float:
    """Ask, and stumble through a few sentences."""
    filler = stage.pick(FILLERS)
    number = 0

    def replies(words: Sequence[str]) -> list[tuple[int, str]]:
        nonlocal number
        found: list[tuple[int, str]] = []
        for place in occurrences(words, filler.split()):
            number += 1
            found.append((place, spoken(number)))
        return found

    talk = [stumbling(stage, filler, stage.whole(0 if k else 1, 2)) for k in range(stage.whole(2, 4))]
    talk.append(stumbling(stage, filler, 1))
    return attend(stage, stage.pick(REQUEST).format(x=filler), replies, talk, at_ms)


def stumbling(stage: Stage, filler: str, count: int) -> str:
    """A sentence with so many fillers in it, or as many as find room."""
    words = plain_sentence(stage, filler).split()
    places = [stage.whole(0, LEAST_WORDS_BETWEEN)]
    while len(places) < count and places[-1] + LEAST_WORDS_BETWEEN <= len(words):
        places.append(places[-1] + LEAST_WORDS_BETWEEN)
    for place in reversed(places[:count]):
        words.insert(min(place, len(words)), filler)
    return " ".join(words)


def plain_sentence(stage: Stage, filler: str) -> str:
    """A sentence without the filler, which asks for nothing."""
    for _ in range(MANY_TRIES):
        is_open = bool(stage.cast.sentences) and stage.chance(0.3)
        sentence = stage.pick(stage.cast.sentences if is_open else STATEMENTS)
        if not occurrences(sentence.split(), filler.split()) and asks_nothing(sentence):
            return sentence
    return "we will see"


COUNT_FILLERS = Scenario(
    name="count-fillers",
    summary="counts the user's ums, or another word, aloud while the user talks",
    play=play,
    weight=1.0,
)
