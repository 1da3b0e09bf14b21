"""Say something every time a word, or a word of a kind, falls, over the user's speech, until told to stop."""

from collections.abc import Sequence

from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.cued import STATEMENTS, attend, occurrences, run_ends
from microturn.data.scenarios.every_seconds import any_words, something
from microturn.data.scenarios.harmless import asks_nothing
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage

WORD_REQUEST = Requests(
    train=(
        "every time i say {x} say {y}",
        "every time i say {x} you say {y}",
        "say {y} every time i say {x}",
        "please say {y} every time i say {x}",
        "whenever i say {x} say {y}",
        "whenever i say {x} please say {y}",
        "say {y} whenever i say {x}",
        "when i say {x} you say {y}",
        "when you hear {x} say {y}",
        "each time you hear {x} say {y}",
        "say {y} each time i say {x}",
        "can you say {y} whenever i say {x}",
        "if i say {x} say {y}",
        "if you hear the word {x} say {y}",
        "whenever you hear the word {x} say {y}",
        "listen for the word {x} and say {y}",
        "as soon as i say {x} say {y}",
        "i want you to say {y} every time i say {x}",
        "every time you hear {x} say {y} until i say stop",
        "say {y} when i say {x} even while i am talking",
        "interrupt me with {y} whenever i say {x}",
        "from now on say {y} when i say {x}",
    ),
    heldout=(
        "could you say {y} each time i say {x}",
        "each time i use the word {x} say {y}",
        "please listen for {x} and then say {y}",
        "answer {y} whenever you hear {x}",
        "until i stop you say {y} when i say {x}",
        "would you say {y} every time you hear {x}",
    ),
)
KIND_REQUEST = Requests(
    train=(
        "say {y} whenever you hear {c}",
        "whenever you hear {c} say {y}",
        "every time i say {c} say {y}",
        "say {y} every time i name {c}",
        "when i mention {c} say {y}",
        "each time you hear {c} say {y}",
        "please say {y} when you hear {c}",
        "can you say {y} whenever i mention {c}",
        "if i say {c} say {y}",
        "i want you to say {y} when i name {c}",
        "listen to me and say {y} at {c}",
        "say {y} as soon as you hear {c}",
    ),
    heldout=(
        "would you say {y} each time i mention {c}",
        "every time you hear {c} please say {y}",
        "could you say {y} when i name {c}",
        "as soon as i mention {c} say {y}",
    ),
)
CUE_WORDS = Phrases(
    train=(
        *("apple", "banana", "coffee", "water", "summer", "winter", "money", "music", "garden", "window", "river"),
        *("mountain", "teacher", "doctor", "paper", "pencil", "kitchen", "table", "chair", "bottle", "candle"),
        *("morning", "evening", "birthday", "holiday", "picture", "story", "question", "problem", "island", "ocean"),
        *("rocket", "robot", "magic", "pizza", "chocolate", "sugar", "pepper", "lemon", "cherry", "football"),
        *("maybe", "really", "always", "never", "perhaps", "tomorrow", "yesterday", "because", "however", "okay then"),
        *("at last", "right away", "my friend", "new york", "ice cream", "all right", "of course", "no problem"),
    ),
    heldout=(
        *("orange juice", "carpet", "thunder", "engine", "basket", "village", "butter", "sometimes", "together"),
        *("last week", "by the way", "hospital", "weather", "library", "camera"),
    ),
)
EXCLAMATIONS = Phrases(
    train=(
        *("hello", "yes", "no", "bingo", "ding", "ping", "beep", "nice", "wow", "great", "cheers", "well done"),
        *("i heard that", "got it", "here", "there it is", "thank you", "bless you", "good", "careful", "again"),
        *("high five", "right", "hooray", "money", "point", "attention", "one point", "that is it", "very good"),
    ),
    heldout=("there you go", "oh nice", "i hear you", "bravo", "good one", "ding dong"),
)
CARRIERS = Phrases(
    train=(
        "i was talking about {x} the whole day",
        "we have to think about {x} before we go",
        "there was something about {x} on the radio",
        "my sister said {x} and then she laughed",
        "he wrote {x} on the wall in big letters",
        "it is all about {x} these days is it not",
        "i never thought that {x} would be so important",
        "the word {x} is hard to spell",
        "she keeps saying {x} when she is tired",
        "and then somebody shouted {x} across the street",
        "what i like most is {x} with my family",
        "let me tell you about {x} and my old school",
        "people say {x} when they do not know better",
        "in the end it was {x} that made the difference",
        "{x} is what i wanted to talk about",
        "you know {x} is a funny thing",
        "i told him {x} but he did not listen",
        "for me {x} comes before everything else",
    ),
    heldout=(
        "somebody left a note that said {x} on my desk",
        "{x} was the first thing she said to me",
        "nobody talks about {x} any more in this house",
        "i dreamed about {x} and woke up early",
        "my uncle said {x} at least once a day",
    ),
)
KIND_CARRIERS = Phrases(
    train=(
        "yesterday we saw {m} behind the house",
        "i think it was {m} but i am not sure",
        "my friend drew {m} on a piece of paper",
        "there is {m} on the cover of the book",
        "she said {m} and he laughed",
        "the answer was {m} as far as i know",
        "then the teacher wrote {m} on the board",
        "we talked about {m} for a long time",
        "he dreamed of {m} again last night",
        "my favourite is still {m} after all these years",
        "the picture shows {m} in the middle",
        "somebody shouted {m} and ran away",
    ),
    heldout=(
        "my cousin painted {m} on the door",
        "the sign said {m} in tall letters",
        "in the story there is {m} at the beginning",
        "they were looking for {m} everywhere",
    ),
)
KINDS: dict[str, tuple[str, ...]] = {
    "a number": tuple(spoken(n) for n in (*range(2, 21), 24, 30, 35, 40, 42, 50, 60, 66, 70, 80, 88, 90, 100)),
    "a colour": (
        *("red", "blue", "green", "yellow", "orange", "purple", "pink", "brown", "black", "white", "gray"),
        *("turquoise", "golden", "silver"),
    ),
    "an animal": (
        *("dog", "cat", "horse", "cow", "pig", "sheep", "goat", "chicken", "duck", "goose", "mouse", "rabbit", "bear"),
        *("wolf", "fox", "lion", "tiger", "elephant", "monkey", "snake", "frog", "fish", "whale", "shark", "bird"),
        *("eagle", "owl", "bee", "spider", "butterfly", "camel", "zebra", "giraffe", "penguin", "turtle"),
    ),
    "a fruit": ("apple", "banana", "orange", "pear", "plum", "cherry", "grape", "lemon", "peach", "mango", "melon"),
}
"""What a word of a kind is: both parts use all of it, for what is no animal in training is none in evaluation."""
MOST_WORDS = 3
"""What is said at a cue is over before the next falls."""
LEAST_LETTERS = 5
_NUMBER_WORDS = frozenset(word for n in range(121) for word in spoken(n).split())


def play(stage: Stage, at_ms: float) -> float:
    """A word, or a kind of word, to listen for, and talk with and without it."""
    return _kind_cue(stage, at_ms) if stage.chance(0.4) else _word_cue(stage, at_ms)


def _word_cue(stage: Stage, at_ms: float) -> float:
    cue = choose_cue(stage)
    said = choose_exclamation(stage, avoid=cue)
    talk = [_with_cue(stage, cue), *_some_talk(stage)]
    stage.rng.shuffle(talk)
    talk += [_with_cue(stage, cue), _with_cue(stage, cue)]

    def replies(words: Sequence[str]) -> list[tuple[int, str]]:
        return [(place, said) for place in occurrences(words, cue.split())]

    return attend(stage, stage.pick(WORD_REQUEST).format(x=cue, y=said), replies, talk, at_ms)


def choose_cue(stage: Stage) -> str:
    """A word to listen for, which asks for nothing when it falls by itself; in training now and then any such word that
    is not too short to be common."""
    if stage.cast.part == "train" and stage.cast.sentences and stage.chance(0.3):
        word = any_words(stage, 1)
        if len(word) >= LEAST_LETTERS and asks_nothing(word):
            return word
    return stage.pick(CUE_WORDS)


def _with_cue(stage: Stage, cue: str) -> str:
    """The cue alone, or in the midst of something."""
    return cue if stage.chance(0.2) else stage.pick(CARRIERS).format(x=cue)


def _some_talk(stage: Stage) -> list[str]:
    """One or two sentences that ask for nothing, in which the cue falls at most by chance."""
    banks = (STATEMENTS,) if not stage.cast.sentences else (STATEMENTS, stage.cast.sentences)
    talk = [stage.pick(banks[stage.whole(0, len(banks) - 1)]) for _ in range(stage.whole(1, 2))]
    return [said if asks_nothing(said) else stage.pick(STATEMENTS) for said in talk]


def _kind_cue(stage: Stage, at_ms: float) -> float:
    kind = stage.pick(tuple(KINDS))
    others = [name for name in KINDS if name != kind and set(KINDS[name]).isdisjoint(KINDS[kind])]
    members = _NUMBER_WORDS if kind == "a number" else frozenset(KINDS[kind])
    said = choose_exclamation(stage, avoid=" ".join(members))
    talk = [_with_member(stage, kind), stage.pick(STATEMENTS), _with_member(stage, stage.pick(others))]
    stage.rng.shuffle(talk)
    talk = [*talk, _with_member(stage, kind), _with_member(stage, kind)]

    def replies(words: Sequence[str]) -> list[tuple[int, str]]:
        return [(place, said) for place in run_ends(words, members)]

    return attend(stage, stage.pick(KIND_REQUEST).format(c=kind, y=said), replies, talk, at_ms)


def _with_member(stage: Stage, kind: str) -> str:
    member = stage.pick(KINDS[kind])
    article = "an" if member[0] in "aeiou" else "a"
    is_counted = kind in ("an animal", "a fruit") and not stage.chance(0.2)
    return stage.pick(KIND_CARRIERS).format(m=f"{article} {member}" if is_counted else member)


def choose_exclamation(stage: Stage, *, avoid: str) -> str:
    """What is to be said at a cue: nothing that holds a word of the cue itself."""
    while True:
        said = stage.pick(EXCLAMATIONS) if stage.chance(0.6) else something(stage)
        words = said.split()
        if len(words) <= MOST_WORDS and set(words).isdisjoint(avoid.split()):
            return said


SPOKEN_CUE = Scenario(
    name="spoken-cue",
    summary="says something whenever a word or a kind of word falls, over the user's speech, until told to stop",
    play=play,
    weight=2.0,
)
