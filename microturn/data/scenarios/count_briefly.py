"""Count a little, several times over, asked by voice or in writing: dense lessons in where a count begins and ends.

A count of twelve is eleven lessons in going on and one in ending. Here one number in four ends a count.
"""

from microturn.data.scenarios.count_aloud import ask, choose_numbers
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage

MOST_COUNTS = 4
MOST_NUMBERS = 6
LONGEST_COUNT = 8
SHORT_PACES_MS = ("1000", "1000", "1000", "600")


def play(stage: Stage, at_ms: float) -> float:
    """A few counts, one after the other."""
    if stage.chance(0.5):
        return counts(stage, at_ms)
    with stage.typing():
        return counts(stage, at_ms)


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
    summary="counts a few numbers at a time, several times over, asked by voice or in writing",
    play=play,
    weight=1.0,
)
