"""Live translation: the user speaks English, and the model says it in another language while the user goes on.

A chunk is translated as soon as it has been heard; where the translation is longer than the source, the next chunk
waits for it.
"""

from microturn.data.languages import LANGUAGES, Chunk, Language, choose_sentence
from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.every_seconds import ACKNOWLEDGEMENT
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

REQUEST = Requests(
    train=(
        "translate into {l}",
        "please translate into {l}",
        "translate what i say into {l}",
        "translate everything i say into {l}",
        "say everything i say in {l}",
        "say what i say in {l}",
        "interpret for me into {l}",
        "please interpret into {l} while i speak",
        "can you translate me into {l}",
        "from now on translate into {l}",
        "be my interpreter in {l}",
        "put everything that i say into {l}",
        "i need a translation into {l}",
        "repeat what i say in {l}",
        "translate along in {l} as i speak",
    ),
    heldout=(
        "could you translate what i say into {l}",
        "please say everything in {l} while i speak",
        "would you interpret me into {l}",
        "now translate all i say into {l}",
    ),
)
END = Phrases(
    train=(
        "stop translating",
        "thank you stop translating",
        "you can stop translating",
        "stop the translation",
        "that is enough translation",
    ),
    heldout=("please stop translating now", "no more translation please"),
)
CHUNK_WITHIN_MS = 6_000
"""A chunk whose translation begins later was left out."""
MOST_SENTENCES = 4


def play(stage: Stage, at_ms: float) -> float:
    """Ask, speak, be translated; perhaps say stop, and speak on. Stop at the least where the session goes on."""
    language = LANGUAGES[stage.pick(tuple(LANGUAGES))]
    end_ms = stage.user(stage.pick(REQUEST).format(l=language.english_name), at_ms)
    turn = stage.answer_turn(end_ms)
    stage.quiet(at_ms, turn_start_ms(turn))
    free_turn = stage.model(ACKNOWLEDGEMENT, turn, is_expected=False).end_turn
    now_ms = turn_start_ms(free_turn + 1) + stage.between(200, 1_200)
    for _ in range(stage.whole(2, MOST_SENTENCES)):
        now_ms, free_turn = translated(stage, choose_sentence(stage, language), language, now_ms, free_turn)
        now_ms += stage.between(400, 1_600)
    over_ms = max(now_ms, turn_start_ms(free_turn + 1) + stage.between(300, 1_000))
    if not stage.chance(0.6):
        return no_longer(stage, language, over_ms)
    return told_to_stop(stage, over_ms) if stage.goes_on else over_ms


def translated(
    stage: Stage, sentence: list[Chunk], language: Language, at_ms: float, free_turn: int
) -> tuple[float, int]:
    """A sentence and its translation. Returns when the user has ended, and the model's next free turn."""
    num_before = len(stage.heard)
    end_ms = stage.user(" ".join(chunk.source for chunk in sentence), at_ms)
    for chunk in sentence:
        num_before += len(chunk.source.split())
        chunk_ms = stage.heard[num_before - 1].end_ms
        stage.moment(chunk.target, chunk_ms, chunk_ms + CHUNK_WITHIN_MS)
        turn = max(stage.answer_turn(chunk_ms), free_turn)
        free_turn = stage.model(chunk.target, turn, language=language.code).end_turn
    return end_ms, free_turn


def no_longer(stage: Stage, language: Language, at_ms: float) -> float:
    """The user has the translation stopped, and is not translated any more."""
    free_ms = told_to_stop(stage, at_ms)
    sentence = " ".join(chunk.source for chunk in choose_sentence(stage, language))
    end_ms = stage.user(sentence, free_ms + stage.between(200, 1_200))
    stage.quiet(free_ms, end_ms + 1_000)
    return end_ms + 1_000


def told_to_stop(stage: Stage, at_ms: float) -> float:
    """The user has the translation stopped. Returns when the model has said that it heard."""
    stop_ms = stage.user(stage.pick(END), at_ms)
    turn = stage.answer_turn(stop_ms)
    stage.quiet(at_ms, turn_start_ms(turn))
    return turn_start_ms(stage.model(ACKNOWLEDGEMENT, turn, is_expected=False).end_turn + 1)


INTERPRET = Scenario(
    name="interpret",
    summary="translates what the user says, chunk by chunk, while the user goes on speaking",
    play=play,
    weight=2.5,
)
