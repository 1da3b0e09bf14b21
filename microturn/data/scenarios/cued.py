"""What scenarios of spoken cues share: a request, talk in which cues fall, an answer to each at once, and a stop.

An answer begins as soon as its cue has been heard, also while the user goes on speaking. What is a cue is a function of
the words alone, so that a cue which falls by chance is answered like any other.
"""

from collections.abc import Callable, Iterable, Sequence

from microturn.data.phrases import Phrases
from microturn.data.scenarios.every_seconds import ACKNOWLEDGEMENT
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

Replies = Callable[[Sequence[str]], list[tuple[int, str]]]
"""The words of an utterance to the places of the words that complete a cue, each with what is then to be said."""

ANSWER_WITHIN_MS = 2_000
"""A cue whose answer begins later than this was missed."""

STOP = Phrases(
    train=(
        "stop",
        "stop",
        "stop please",
        "okay stop",
        "please stop",
        "you can stop",
        "stop doing that",
        "stop that please",
        "that is enough",
        "that is enough thank you",
        "enough of that",
        "okay that will do",
        "no more of that",
        "let us stop here",
    ),
    heldout=("stop", "alright stop", "that will be enough", "you may stop", "please stop doing that"),
)

STATEMENTS = Phrases(
    train=(
        "i went to the market this morning",
        "the weather was nice yesterday",
        "we had dinner at my mother's house",
        "my friend came over to help me",
        "there was nobody in the office today",
        "i have to call the doctor about my arm",
        "the train was late and full of people",
        "we want to paint the kitchen next week",
        "i could not find my keys anywhere",
        "the children are playing in the garden",
        "she told me about her new job",
        "he fixed the door with an old hammer",
        "it took us a long time to get home",
        "i think we should leave a little later",
        "the music in there was much too loud",
        "my brother is moving to another city",
        "they closed the road behind the school",
        "i read a good book about the sea",
        "you would not believe what happened then",
        "the shop on the corner is open late",
        "we walked along the river for a while",
        "i need to buy some bread and milk",
        "her sister works at the big hospital",
        "the meeting was moved to the afternoon",
        "i am going to bake something for the party",
        "the lights went out in the whole street",
        "he always forgets his umbrella at work",
        "we are thinking about a trip to the mountains",
        "my phone stopped working last night",
        "the soup needs a bit more salt",
    ),
    heldout=(
        "i spent the evening at my neighbour's place",
        "the bus never came so we took a taxi",
        "my father is building a table in the garage",
        "there is a new restaurant across the street",
        "they want to see the museum before it closes",
        "i wrote a long letter to my teacher",
        "the window in the bathroom does not close",
        "we found an old map in the attic",
    ),
)
"""Talk that asks for nothing and holds no number, colour or animal."""


def attend(stage: Stage, request: str, replies: Replies, talk: Iterable[str], at_ms: float) -> float:
    """The user asks, talks, and has every cue answered; then perhaps says stop, and no cue is answered any more.

    Where the session goes on the user always says stop: cues fall in what comes after, and nothing answers them.
    """
    end_ms = stage.user(request, at_ms)
    first_turn = stage.answer_turn(end_ms)
    stage.quiet(at_ms, turn_start_ms(first_turn))
    free_turn = stage.model(ACKNOWLEDGEMENT, first_turn, is_expected=False).end_turn
    now_ms = turn_start_ms(free_turn + 1) + stage.between(200, 1_500)
    *sentences, last = talk
    for sentence in sentences:
        end_ms, free_turn = _heard(stage, sentence, replies, now_ms, free_turn)
        now_ms = end_ms + stage.between(250, 1_600)
    over_ms = max(end_ms, turn_start_ms(free_turn + 1))
    is_brief = stage.chance(0.4)
    if is_brief and not stage.goes_on:
        return over_ms + 300
    stop_ms = stage.user(stage.pick(STOP), over_ms + stage.between(900, 1_800))
    if is_brief:
        stage.stop(stop_ms, stop_ms + 600)
        return stop_ms + 600
    end_ms = stage.user(last, stop_ms + stage.between(700, 1_800))
    stage.stop(stop_ms, end_ms + 1_000)
    return end_ms + 1_000


def _heard(stage: Stage, sentence: str, replies: Replies, at_ms: float, free_turn: int) -> tuple[float, int]:
    """The user says a sentence, and the model answers its cues. Returns its end, and the model's next free turn."""
    num_before = len(stage.heard)
    end_ms = stage.user(sentence, at_ms)
    words = stage.heard[num_before:]
    for place, reply in replies([word.text for word in words]):
        cue_ms = words[place].end_ms
        stage.moment(reply, cue_ms, cue_ms + ANSWER_WITHIN_MS)
        free_turn = stage.model(reply, max(stage.answer_turn(cue_ms), free_turn)).end_turn
    return end_ms, free_turn


def occurrences(words: Sequence[str], cue: Sequence[str]) -> list[int]:
    """The places of the last word of each occurrence of a cue of one or more words."""
    size = len(cue)
    return [at + size - 1 for at in range(len(words) - size + 1) if list(words[at : at + size]) == list(cue)]


def run_ends(words: Sequence[str], members: frozenset[str]) -> list[int]:
    """The places of the last word of each run of members: "twenty one" is one number."""
    return [
        at
        for at, word in enumerate(words)
        if word in members and (at + 1 == len(words) or words[at + 1] not in members)
    ]
