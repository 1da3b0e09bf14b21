"""Count a little, several times over, asked by voice or in writing: dense lessons in where a count begins and ends.

A count of twelve is eleven lessons in going on and one in ending. Here one number in four ends a count. What is counted
in writing takes a twentieth of the positions, so that a model sees enough ends to find out what makes them: the number
that was asked for, and not how long it has been counting.
"""

from microturn.data.numbers import STEPS, spoken, spoken_step
from microturn.data.phrases import Requests
from microturn.data.scenarios.count_aloud import ask, choose_numbers
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import TURN_MS, turn_start_ms

MOST_COUNTS = 4
MOST_NUMBERS = 6
LONGEST_COUNT = 8
SHORT_PACES_MS = ("1000", "1000", "1000", "600")
MOST_LISTS = 8
MOST_LISTED = 12
WRITE = Requests(
    train=(
        "write [|down|out] [the|all the] numbers from {a} [to|up to|until] {b}",
        "[please|can you|could you] write [|down] the numbers from {a} to {b}",
        "[list|type|show me] the numbers from {a} [to|up to|until] {b} [in writing|on the screen]",
        "[count|go] from {a} to {b} in writing",
        "[do not say|without saying] them [just|] write the numbers from {a} to {b}",
    ),
    heldout=("put the numbers from {a} to {b} in writing", "write for me the numbers from {a} to {b}"),
)
WRITE_BY_STEP = ("by {s}", "in {s}", "in steps of {n}")
"""Of ``BY_STEP`` those that are as right downwards."""


def play(stage: Stage, at_ms: float) -> float:
    """A few counts, one after the other."""
    manner = stage.pick(("by voice", "by voice", "typed", "typed", "in writing"))
    if manner == "by voice":
        return counts(stage, at_ms)
    with stage.typing():
        return counts(stage, at_ms) if manner == "typed" else lists(stage, at_ms)


def lists(stage: Stage, at_ms: float) -> float:
    """Numbers written and not said, as fast as they can be: each time in another turn than asked."""
    now_ms = at_ms
    for _ in range(stage.whole(3, MOST_LISTS)):
        request, numbers = choose_list(stage)
        turn = stage.answer_turn(stage.user(request, now_ms))
        words = " ".join(spoken(number) for number in numbers)
        now_ms = turn_start_ms(stage.write(words, turn)) + stage.whole(1, 3) * TURN_MS
    stage.quiet(at_ms, now_ms)
    return now_ms


def choose_list(stage: Stage) -> tuple[str, list[int]]:
    """A request for numbers in writing, up or down, at times by steps, and the numbers."""
    length, step = stage.whole(2, MOST_LISTED), 1
    request = stage.pick(WRITE)
    if stage.chance(0.25):
        step = STEPS[stage.whole(0, len(STEPS) - 1)]
        length = min(length, 8)
        request = f"{request} {stage.pick(WRITE_BY_STEP)}"
    first = stage.whole(0, 20) if stage.chance(0.5) else stage.whole(0, 100 - length)
    numbers = list(range(first, first + step * length, step))
    if stage.chance(0.3):
        numbers.reverse()
    a, b = spoken(numbers[0]), spoken(numbers[-1])
    return request.format(a=a, b=b, s=spoken_step(step) if step > 1 else "", n=spoken(step)), numbers


def counts(stage: Stage, at_ms: float) -> float:
    """Ask, count to the end, ask again."""
    now_ms = at_ms
    for _ in range(stage.whole(2, MOST_COUNTS)):
        pace_ms = int(stage.pick(SHORT_PACES_MS))
        request, numbers = choose_numbers(stage, most=MOST_NUMBERS)
        while len(numbers) > LONGEST_COUNT:
            request, numbers = choose_numbers(stage, most=MOST_NUMBERS)
        counting, _ = ask(stage, request, numbers, pace_ms, now_ms)
        counting.run()
        now_ms = counting.over_ms + stage.between(300, 1_800)
    return now_ms


COUNT_BRIEFLY = Scenario(
    name="count-briefly",
    summary="counts a few numbers at a time, several times over, asked by voice or in writing, aloud or in writing",
    play=play,
    weight=1.0,
)
