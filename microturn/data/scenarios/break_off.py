"""Be stopped again and again, and go on, start over or count something else: dense lessons in falling silent.

Between the stops others talk, so that it is the word that stops the model and not the sound of a voice.
"""

from microturn.data.scenarios.count_aloud import GO_ON, START_AGAIN, Counting, ask, choose_numbers, say_stop
from microturn.data.scenarios.keep_going import side_talk
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

MOST_STOPS = 4
SHORTEST_RUN_MS, LONGEST_RUN_MS = 900, 3_500
FEWEST_NUMBERS, MOST_NUMBERS = 12, 30
SIDE_TALK_CHANCE = 0.35
PACES_MS = ("1000", "1000", "600", "1600")


def play(stage: Stage, at_ms: float) -> float:
    """A count that is never let end."""
    counting, heard_ms = ask_for_many(stage, at_ms)
    over_ms = 0.0
    for num_left in reversed(range(stage.whole(2, MOST_STOPS))):
        now_ms = max(turn_start_ms(counting.next_turn), heard_ms) + stage.between(SHORTEST_RUN_MS, LONGEST_RUN_MS)
        if stage.chance(SIDE_TALK_CHANCE):
            now_ms = side_talk(stage, now_ms) + stage.between(500, 1_500)
        meant_ms, stop_ms = say_stop(stage, now_ms)
        counting.break_off(stage.stop_turn(meant_ms))
        over_ms = quiet_until_ms = stop_ms + stage.between(900, 2_500)
        if num_left:
            is_new = stage.chance(0.4)
            counting, heard_ms = ask_for_many(stage, over_ms) if is_new else resume(stage, counting, over_ms)
            quiet_until_ms = turn_start_ms(counting.next_turn)
        stage.stop(meant_ms, quiet_until_ms)
    return over_ms


def ask_for_many(stage: Stage, at_ms: float) -> tuple[Counting, float]:
    """A request for more numbers than will be said, and when it ends."""
    request, numbers = "", list[int]()
    while len(numbers) < FEWEST_NUMBERS:
        request, numbers = choose_numbers(stage, most=MOST_NUMBERS)
    return ask(stage, request, numbers, int(stage.pick(PACES_MS)), at_ms)


def resume(stage: Stage, counting: Counting, at_ms: float) -> tuple[Counting, float]:
    """The same count, taken up where it was left or, if it is over or by chance, from its start."""
    is_anew = stage.chance(0.3) or counting.is_over
    heard_ms = stage.user(stage.pick(START_AGAIN if is_anew else GO_ON), at_ms)
    counting.next_turn = stage.answer_turn(heard_ms)
    if is_anew:
        counting.next_index = 0
    return counting, heard_ms


BREAK_OFF = Scenario(
    name="break-off",
    summary="stops whenever it is told to, again and again, and goes on, starts over or counts something else",
    play=play,
    weight=1.0,
)
