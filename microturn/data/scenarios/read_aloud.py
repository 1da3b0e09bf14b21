"""Read aloud what is typed, and what the background model reports, in open vocabulary, whoever talks meanwhile."""

from microturn.data.phrases import Requests
from microturn.data.scenarios.count_aloud import say_stop
from microturn.data.scenarios.jumble import jumble
from microturn.data.scenarios.keep_going import side_talk
from microturn.data.scenarios.repeat_after_me import choose_words
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.background import Report, ReportKind
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.timing import turn_start_ms

TYPED = Requests(
    train=(
        "read {x}",
        "read [aloud|this|this aloud|this out|out|the following|it to me|to me|the words|] {x}",
        "[please|just|can you|could you] [read|read out|say|read this] {x}",
        "say [this|the following|the words|aloud|out loud|] {x}",
        "[speak|recite|announce|pronounce] {x}",
        "[i want|i would like] [you to read|to hear] {x}",
        "let me hear {x}",
    ),
    heldout=("please read aloud {x}", "now read {x}", "can you say {x}", "read out loud {x}"),
)
MOST_TEXTS = 3
PASSAGE_WORDS = (12, 36)


def play(stage: Stage, at_ms: float) -> float:
    """Texts arrive one after the other; the last may be broken off."""
    end_ms = at_ms
    for _ in range(stage.whole(1, MOST_TEXTS)):
        words = open_words(stage)
        turn = stage.event(text_event(stage, words), end_ms) + 1
        stage.quiet(end_ms, turn_start_ms(turn))
        said = stage.model(words, turn)
        over_ms = turn_start_ms(said.end_turn + 1)
        if stage.chance(0.4):
            over_ms = max(over_ms, side_talk(stage, turn_start_ms(turn) + stage.between(0, 1000)))
        elif stage.chance(0.15) and len(said.words) > 3:
            return interrupted(stage, turn_start_ms(turn) + stage.between(500, 1500))
        end_ms = over_ms + stage.between(200, 1200)
    return end_ms


def interrupted(stage: Stage, at_ms: float) -> float:
    """The user has heard enough."""
    meant_ms, end = say_stop(stage, at_ms)
    stage.cut(stage.stop_turn(meant_ms))
    over_ms = end + stage.between(1000, 2500)
    stage.stop(meant_ms, over_ms)
    return over_ms


def open_words(stage: Stage) -> str:
    """A sentence, where there are sentences, or in training words in no order or a passage; else a few words."""
    if stage.cast.part == "train" and stage.chance(0.3):
        return passage(stage)
    if stage.cast.part == "train" and stage.chance(0.35):
        return jumble(stage, stage.whole(1, 10))
    if stage.cast.sentences and stage.chance(0.5):
        return stage.pick(stage.cast.sentences)
    return choose_words(stage)


def passage(stage: Stage) -> str:
    """Sentences and words in no order, one after the other: dense lessons in speaking."""
    words: list[str] = []
    wanted = stage.whole(*PASSAGE_WORDS)
    while len(words) < wanted:
        is_jumble = not stage.cast.sentences or stage.chance(0.4)
        words += (jumble(stage, stage.whole(3, 8)) if is_jumble else stage.pick(stage.cast.sentences)).split()
    return " ".join(words[:wanted])


def text_event(stage: Stage, words: str) -> TextEvent:
    """Typed by the user, given by the application to be said, or reported by the background model."""
    if stage.chance(0.5):
        return TextEvent(role=Role.USER, text=stage.pick(TYPED).format(x=words))
    if stage.chance(0.3):
        return TextEvent(role=Role.TOOL, text=f"say: {words}")
    kind = ReportKind.SAY if stage.chance(0.5) else ReportKind.DONE
    return Report(kind=kind, job=stage.whole(1, 5), text=words).to_event()


READ_ALOUD = Scenario(
    name="read-aloud",
    summary="reads aloud what is typed and what the background model reports, while others talk; stops when told to",
    play=play,
    weight=2.0,
)
