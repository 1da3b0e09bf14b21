"""Count aloud, at a pace, and be told to stop, go on, start again, skip, or change the pace."""

from collections.abc import Callable, Sequence

from microturn.data.numbers import STEPS, spoken, spoken_step
from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Said, Stage
from microturn.turns.timing import TURN_MS, turn_start_ms

FROM_TO = Requests(
    train=(
        "count from {a} to {b}",
        "please count from {a} to {b}",
        "can you count from {a} to {b}",
        "could you count from {a} up to {b}",
        "count up from {a} to {b}",
        "count out loud from {a} to {b}",
        "i want you to count from {a} to {b}",
        "now count from {a} to {b}",
        "let us count from {a} to {b}",
        "start at {a} and count to {b}",
        "count the numbers from {a} to {b}",
        "say the numbers from {a} to {b}",
        "go from {a} to {b}",
        "begin at {a} and count up to {b}",
        "would you count from {a} to {b} please",
        "give me the numbers from {a} to {b}",
    ),
    heldout=(
        "would you please count from {a} to {b}",
        "start counting from {a} and go to {b}",
        "hey can you count aloud from {a} to {b}",
        "i would like you to count from {a} up to {b}",
        "tell me the numbers from {a} to {b}",
        "count for me from {a} to {b}",
    ),
)
UP_TO = Requests(
    train=(
        "count to {b}",
        "please count to {b}",
        "can you count to {b}",
        "could you count up to {b}",
        "count up to {b}",
        "count aloud to {b}",
        "count to {b} please",
        "now count to {b}",
        "i want you to count to {b}",
        "go ahead and count to {b}",
        "count out loud to {b}",
        "just count to {b}",
    ),
    heldout=(
        "would you count to {b}",
        "hey count up to {b}",
        "start counting to {b}",
        "count for me to {b}",
        "can you please count up to {b}",
    ),
)
DOWN = Requests(
    train=(
        "count down from {a} to {b}",
        "please count down from {a} to {b}",
        "count backwards from {a} to {b}",
        "can you count down from {a} to {b}",
        "count back from {a} to {b}",
        "now count down from {a} to {b}",
    ),
    heldout=("could you count backwards from {a} to {b}", "start at {a} and count down to {b}"),
)
BY_STEP = Phrases(
    train=("by {s}", "in {s}", "in steps of {n}", "in jumps of {n}"), heldout=("by {s} please", "with steps of {n}")
)
PACES: dict[int, Phrases] = {
    1000: Phrases(train=("",), heldout=("",)),
    1600: Phrases(train=("slowly", "nice and slowly", "very slowly", "at a slow pace"), heldout=("slowly please",)),
    600: Phrases(train=("quickly", "fast", "as fast as you can", "at a fast pace"), heldout=("quickly please",)),
    2000: Phrases(
        train=("one number every two seconds", "with two seconds for each number", "a number every two seconds"),
        heldout=("one every two seconds",),
    ),
    3000: Phrases(
        train=("one number every three seconds", "with three seconds for each number", "a number every three seconds"),
        heldout=("one every three seconds",),
    ),
}
STOP = Requests(
    train=(
        "stop",
        "stop",
        "stop",
        "stop please",
        "stop now",
        "okay stop",
        "please stop",
        "stop counting",
        "stop it",
        "that is enough",
        "enough",
        "hold on",
        "wait",
        "pause",
        "stop there",
    ),
    heldout=("stop", "stop", "alright stop", "stop right there", "now stop"),
)
GO_ON = Requests(
    train=(
        "go on",
        "go on",
        "continue",
        "please go on",
        "keep going",
        "carry on",
        "please continue",
        "okay go on",
        "resume",
        "go on please",
        "continue counting",
    ),
    heldout=("go on", "now go on", "alright continue", "you can go on"),
)
START_AGAIN = Requests(
    train=(
        "start again",
        "start over",
        "start from the beginning",
        "again from the start",
        "begin again",
        "please start again",
        "start over please",
    ),
    heldout=("start again", "now start over", "start it again"),
)
SKIP_TO = Requests(
    train=("skip to {n}", "jump to {n}", "go to {n}", "skip ahead to {n}", "please skip to {n}", "continue from {n}"),
    heldout=("skip to {n}", "now jump to {n}", "skip forward to {n}"),
)
SLOWER = Requests(
    train=("slower", "slower please", "a bit slower", "slow down", "please slow down", "count slower"),
    heldout=("slower", "a little slower", "now slow down"),
)
FASTER = Requests(
    train=("faster", "faster please", "a bit faster", "speed up", "please speed up", "count faster"),
    heldout=("faster", "a little faster", "now speed up"),
)
CHANGES = ("none", "stop", "go on", "start again", "skip", "slower", "faster")
CHANGE_WEIGHTS = (0.34, 0.28, 0.1, 0.08, 0.08, 0.07, 0.05)
LONGEST_RUN_MS = 14_000


class Counting:
    """Numbers said one after the other, at a pace that may change."""

    def __init__(
        self,
        stage: Stage,
        numbers: Sequence[int],
        pace_ms: int,
        first_turn: int,
        *,
        word: Callable[[int], str] = spoken,
        language: str = "en",
    ) -> None:
        """``word`` names a number in ``language``."""
        self.stage = stage
        self.word, self.language = word, language
        self.numbers = list(numbers)
        self.pace_turns = pace_ms // TURN_MS
        self.next_index = 0
        self.next_turn = first_turn
        self.last: Said | None = None

    def run(self, until_turn: int | None = None) -> None:
        """Say numbers that begin before a turn, or all that are left."""
        while self.next_index < len(self.numbers) and (until_turn is None or self.next_turn < until_turn):
            word = self.word(self.numbers[self.next_index])
            self.last = self.stage.model(word, self.next_turn, language=self.language)
            self.next_turn = max(self.next_turn + self.pace_turns, self.last.end_turn)
            self.next_index += 1

    def break_off(self, turn: int) -> None:
        """Fall silent; a number that was not finished will be said again."""
        self.run(until_turn=turn)
        if self.last is not None and self.last.end_turn > turn:
            self.next_index -= 1
        self.stage.cut(turn)

    def go_on(self, turn: int) -> None:
        """Take up counting again."""
        self.next_turn = turn
        self.run()

    def set_pace(self, pace_turns: int, turn: int) -> None:
        """Change the pace from the next number on."""
        if self.last is not None:
            self.next_turn = max(self.last.first_turn + pace_turns, self.last.end_turn, turn)
        self.pace_turns = pace_turns

    @property
    def end_ms(self) -> float:
        """Media time at which the last sound has been played."""
        return turn_start_ms(self.last.end_turn + 1) if self.last else 0.0


def choose_numbers(stage: Stage, most: int) -> tuple[str, list[int]]:
    """A request without its pace, and the numbers it asks for."""
    kind = stage.pick(("to", "to", "from", "from", "from", "step", "step", "down"))
    length = stage.whole(3, most)
    if kind == "to":
        end = stage.pick(("3", "4", "5", "6", "7", "8", "9", "10", "10", "12", "15", "20", "30", "50", "100"))
        return stage.pick(UP_TO).format(b=spoken(int(end))), list(range(1, int(end) + 1))
    if kind == "from":
        start = stage.whole(0, 20) if stage.chance(0.6) else stage.whole(20, 100 - length)
        numbers = list(range(start, start + length))
        return stage.pick(FROM_TO).format(a=spoken(start), b=spoken(numbers[-1])), numbers
    if kind == "down":
        start = length - 1 + stage.whole(0, 20)
        numbers = list(range(start, start - length, -1))
        return stage.pick(DOWN).format(a=spoken(start), b=spoken(numbers[-1])), numbers
    step = STEPS[stage.whole(0, len(STEPS) - 1)]
    start = step if stage.chance(0.5) else stage.whole(0, 20)
    numbers = list(range(start, min(start + step * length, 121), step))
    phrase = f"{stage.pick(FROM_TO)} {stage.pick(BY_STEP)}"
    return phrase.format(a=spoken(start), b=spoken(numbers[-1]), s=spoken_step(step), n=spoken(step)), numbers


def play(stage: Stage, at_ms: float) -> float:
    """Ask, count, and perhaps change course."""
    change = CHANGES[int(stage.rng.choice(len(CHANGES), p=CHANGE_WEIGHTS))]
    pace_ms = int(stage.pick(("1000", "1000", "1000", "1000", "1600", "600", "2000", "3000")))
    request, numbers = choose_numbers(stage, most=12)
    if change not in ("stop", "skip"):  # so that it ends within an episode
        while len(numbers) * pace_ms > LONGEST_RUN_MS:
            request, numbers = choose_numbers(stage, most=max(3, LONGEST_RUN_MS // pace_ms))
    end = stage.user(f"{request} {stage.pick(PACES[pace_ms])}".strip(), at_ms)
    first_turn = stage.answer_turn(end)
    stage.quiet(at_ms, turn_start_ms(first_turn))
    counting = Counting(stage, numbers, pace_ms, first_turn)
    if change == "none":
        counting.run()
        return counting.end_ms
    change_ms = turn_start_ms(first_turn) + stage.between(900, min(7000, len(numbers) * pace_ms * 0.8))
    return change_course(stage, counting, change, change_ms)


def change_course(stage: Stage, counting: Counting, change: str, change_ms: float) -> float:
    """The user speaks up while the model counts. Returns when all is over."""
    if change in ("stop", "go on", "start again"):
        end = stage.user(stage.pick(STOP), change_ms)
        turn = stage.stop_turn(end)
        counting.break_off(turn)
        if change == "stop":
            over_ms = end + stage.between(1500, 3500)
            stage.stop(end, over_ms)
            return over_ms
        again_end = stage.user(stage.pick(GO_ON if change == "go on" else START_AGAIN), end + stage.between(900, 2500))
        again_turn = stage.answer_turn(again_end)
        stage.stop(end, turn_start_ms(again_turn))
        if change == "start again":
            counting.next_index = 0
        counting.go_on(again_turn)
        return max(counting.end_ms, again_end)
    if change == "skip":
        target = stage.whole(counting.numbers[0], 100)
        end = stage.user(stage.pick(SKIP_TO).format(n=spoken(target)), change_ms)
        turn = stage.answer_turn(end)
        counting.run(until_turn=turn)
        step = counting.numbers[1] - counting.numbers[0]
        counting.numbers = [target + step * i for i in range(8) if 0 <= target + step * i <= 120]
        counting.next_index = 0
        counting.go_on(max(turn, counting.last.end_turn if counting.last else turn))
        final = stage.user(stage.pick(STOP), max(turn_start_ms(turn) + 2500, change_ms + 4000))
        counting.run(until_turn=stage.stop_turn(final))
        stage.cut(stage.stop_turn(final))
        stage.stop(final, final + 1500)
        return final + 1500
    end = stage.user(stage.pick(SLOWER if change == "slower" else FASTER), change_ms)
    turn = stage.answer_turn(end)
    counting.run(until_turn=turn)
    factor = 1.6 if change == "slower" else 0.6
    counting.set_pace(max(2, round(counting.pace_turns * factor)), turn)
    counting.run()
    return max(counting.end_ms, end)


COUNT_ALOUD = Scenario(
    name="count-aloud",
    summary="counts from, to, by steps, at a pace; stops, goes on, starts again, skips, slows down, speeds up",
    play=play,
    weight=3.0,
)
