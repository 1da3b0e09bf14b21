"""Write down again what is typed, without a word: the cheapest lessons in taking over what was read or heard.

A model learns to copy all at once and after much practice (Olsson et al. 2022), and speech gives it little: a word in
fifty positions. Here half of what is written is a copy.
"""

from microturn.data.phrases import Requests
from microturn.data.scenarios.jumble import jumble
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.timing import TURN_MS, turn_start_ms

TYPED = Requests(
    train=(
        "write {x}",
        "please write {x}",
        "write down {x}",
        "write this {x}",
        "write the words {x}",
        "type {x}",
        "type this {x}",
        "copy {x}",
        "copy this {x}",
        "can you write {x}",
        "show me the words {x}",
        "put down {x}",
    ),
    heldout=("please type {x}", "write this down {x}", "copy the words {x}", "could you write {x}"),
)
MOST_TEXTS = 7
MOST_WORDS = 10


def play(stage: Stage, at_ms: float) -> float:
    """Texts arrive one after the other, each as soon as the one before is written."""
    begin_ms = end_ms = at_ms
    for _ in range(stage.whole(3, MOST_TEXTS)):
        words = jumble(stage, stage.whole(1, MOST_WORDS))
        role = Role.USER if stage.chance(0.8) else Role.SYSTEM
        turn = stage.event(TextEvent(role=role, text=stage.pick(TYPED).format(x=words)), end_ms) + 1
        end_ms = turn_start_ms(stage.write(words, turn)) + stage.whole(1, 3) * TURN_MS
    stage.quiet(begin_ms, end_ms)
    return end_ms


COPY_TYPED = Scenario(
    name="copy-typed",
    summary="writes what is typed, word for word, and says nothing",
    play=play,
    weight=0.8,
)
