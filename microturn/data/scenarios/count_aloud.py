"""Count aloud, at a pace, and be told to stop, go on, start again, skip, or change the pace."""

from collections.abc import Callable, Sequence

from microturn.data.numbers import STEPS, spoken, spoken_step
from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Said, Stage
from microturn.data.voices import SpokenWord
from microturn.turns.timing import TURN_MS, turn_of_ms, turn_start_ms

FROM_TO = Requests(
    train=(
        "count from {a} to {b}",
        "count [|up|aloud|out loud|on|forward|upwards] from {a} [to|up to|until|all the way to|through to|till] {b}",
        "[|please|just] [start|begin|keep] counting [|up|aloud|out loud] from {a} [to|up to|until|all the way to] {b}",
        "i want you to count [|aloud|out loud] from {a} [to|until] {b}",
        "[i need|i would love|i want] to hear you count from {a} [to|up to] {b}",
        "let us count [|together] from {a} [to|up to] {b}",
        "let me hear you count from {a} [to|up to] {b}",
        "[start|begin] at {a} and [count|go on|go|carry on|keep counting] [to|up to|until|till you reach] {b}",
        "[start|begin] with {a} and [count to|stop at|end at|end with|finish at|go to] {b}",
        "[count|say|give me|read|list|name|recite] [|all] the numbers from {a} [to|up to|until] {b}",
        "[count|say|give me|read|list|name|speak] [|all] the numbers between {a} and {b}",
        "[go|run|climb|step] from {a} [to|up to] {b}",
        "[would|could|can] you [start|begin] counting [at|from] {a} and stop [at|when you get to|after] {b}",
        "[would|could|can] you count [all the way|] from {a} to {b} [please|for me|now|]",
        "from {a} to {b} [please|count|count please|count for me|count out loud]",
        "{a} to {b} [please|count them|say them all]",
        "[do|try|make] [a count|the count|counting] from {a} to {b}",
        "what are the numbers from {a} to {b}",
        "[my turn is over now|it is your turn|your turn now|now you] count from {a} to {b}",
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
        "count [|up|aloud|out loud|all the way|on|right] to {b}",
        "count [until|till|up until|as far as] {b}",
        "count to {b} [please|for me|out loud|and then stop|and stop|right now|again|once more]",
        "[please|just|] [start|begin|keep] counting [up to|until|till|all the way to] {b}",
        "[start|begin] to count [to|up to] {b}",
        "[start|begin] [at|with|from] one and [count|go|go up|keep going] to {b}",
        "[i want you|go ahead and|try|you have] to count to {b}",
        "[i need|i would love|i want|let me|i would like] to hear you count to {b}",
        "let us count [|together] [to|up to] {b}",
        "[can|could|will] you count [|up|aloud] to {b}",
        "[do|try|make] a count [to|up to] {b}",
        "[say|give me|list|name|recite] [|all] the numbers [up to|until|to|till] {b}",
        "[say|give me|count] the first {b} numbers",
        "count {b} numbers [for me|please|from one|starting at one]",
        "[now|now please|okay now] count to {b}",
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
        "[please|just|now|] count [down|backwards|back|in reverse] from {a} [to|down to|until|till] {b}",
        "[can|could|would|will] you count [down|back|downwards] from {a} to {b}",
        "[start|begin] counting [down|backwards|back] [from|at] {a} [to|until|till] {b}",
        "[start|begin] [at|with|from] {a} and [go|go down|count backwards|go back] to {b}",
        "[say|give me|list] the numbers [backwards|down] from {a} to {b}",
        "[do|give me|start|i need] a countdown from {a} to {b}",
        "from {a} [down|back] to {b} please",
    ),
    heldout=("could you count backwards from {a} to {b}", "start at {a} and count down to {b}"),
)
BY_STEP = Phrases(
    train=(
        "by {s}",
        "in {s}",
        "in steps of {n}",
        "in jumps of {n}",
        "[just|only|counting|going|always|] [by|in] {s}",
        "[by|in|taking] [steps|jumps|leaps] of {n}",
        "and [add|go up|go by] {n} [each|every] time",
        "adding {n} each time",
        "{n} at a time",
    ),
    heldout=("by {s} please", "with steps of {n}"),
)
PACES: dict[int, Phrases] = {
    1000: Phrases(train=("",), heldout=("",)),
    1600: Phrases(
        train=(
            "slowly",
            "[nice and|very|really|a bit|quite|rather|as] slowly",
            "at a [slow|calm|gentle|relaxed] pace",
            "and take your time",
            "slow and [clear|steady]",
        ),
        heldout=("slowly please",),
    ),
    600: Phrases(
        train=(
            "quickly",
            "fast",
            "[very|really|quite|rather] [quickly|fast]",
            "as [fast|quickly] as you can",
            "at a [fast|quick|high|brisk] pace",
            "and be quick",
        ),
        heldout=("quickly please",),
    ),
    2000: Phrases(
        train=(
            "[one|a|say one|just one|a new] number every two seconds",
            "with two seconds [for each number|in between|between them]",
            "[taking|at] two seconds [a number|each|per number]",
        ),
        heldout=("with one every two seconds",),
    ),
    3000: Phrases(
        train=(
            "[one|a|say one|just one|a new] number every three seconds",
            "with three seconds [for each number|in between|between them]",
            "[taking|at] three seconds [a number|each|per number]",
        ),
        heldout=("with one every three seconds",),
    ),
}
STOP = Requests(
    train=(
        "stop",
        "stop",
        "stop",
        "stop",
        "stop [please|now|it|there|counting|that|talking|for now|here|at once|for a moment]",
        "[okay|please|and|you can|would you|hey|just|no|so|right|wait] stop",
        "stop stop",
        "[that is|that was] [enough|plenty|fine|all]",
        "enough",
        "[hold on|wait|pause|halt|quiet|be quiet|silence]",
        "[hold on|wait|pause] [please|now|there|a moment|a second]",
        "[you can|you may|please] be quiet [now|]",
        "no more",
        "[stop|end|leave] it there",
    ),
    heldout=("stop", "stop", "alright stop", "stop right there", "now stop"),
)
STOPPERS = ("stop", "enough", "plenty", "wait", "hold on", "pause", "halt", "quiet", "silence")
"""After these nothing can be meant but that: who is told to "stop counting please" stops at the "stop"."""
GO_ON = Requests(
    train=(
        "go on",
        "go on",
        "continue",
        "go on [please|now|counting|from there]",
        "[please|okay|and|yes|just|you may|you can] [go on|continue|carry on|keep going]",
        "keep [going|counting]",
        "[carry on|resume|proceed]",
        "[continue|resume] [counting|please|from there|now]",
        "take it up again",
        "go ahead",
    ),
    heldout=("go on", "now go on", "alright continue", "you can go on"),
)
START_AGAIN = Requests(
    train=(
        "start again",
        "start over",
        "start [over|again|afresh|anew] [please|now|from the start|from the beginning|]",
        "[start|begin|go] [from|at] the [beginning|start|top]",
        "[once|] again from the [start|beginning|top]",
        "begin again",
        "[please|okay|can you|let us] [start|begin] [over|again|anew]",
        "[go|take it] back to the [start|beginning]",
        "from the [start|beginning|top] [again|please]",
        "do it again from the [start|top]",
        "reset and start over",
    ),
    heldout=("start again", "now start over", "start it again"),
)
SKIP_TO = Requests(
    train=(
        "skip to {n}",
        "[jump|skip|go|move|leap] [to|on to|ahead to|straight to|up to|right to] {n}",
        "[please|just|okay|and|can you] [skip|jump|go|move] to {n}",
        "[continue|go on|carry on|count on|keep going] [from|at|with] {n}",
        "make it {n} [now|and go on]",
        "[leave some out and|] go to {n}",
    ),
    heldout=("skip to {n}", "now jump to {n}", "skip forward to {n}"),
)
SLOWER = Requests(
    train=(
        "slower",
        "slower [please|now]",
        "a [bit|lot] slower",
        "slow [down|it down|down please|down a bit|down a little]",
        "[please|can you|could you|you should] [slow down|go slower|count slower|count more slowly]",
        "[count|go|say them] [slower|more slowly]",
        "[not so|less] [fast|quickly]",
        "that is too fast",
        "take your time",
    ),
    heldout=("slower", "a little slower", "now slow down"),
)
FASTER = Requests(
    train=(
        "faster",
        "faster [please|now]",
        "a [bit|lot] faster",
        "speed [up|it up|up please|up a bit|up a little]",
        "[please|can you|could you|you should] [speed up|go faster|count faster|count more quickly]",
        "[count|go|say them] [faster|more quickly]",
        "[not so|less] slowly",
        "that is too slow",
        "hurry up",
        "[be quicker|quicker] [please|]",
    ),
    heldout=("faster", "a little faster", "now speed up"),
)
CHANGES = ("none", "stop", "go on", "start again", "skip", "slower", "faster")
CHANGE_WEIGHTS = (0.34, 0.28, 0.1, 0.08, 0.08, 0.07, 0.05)
LONGEST_RUN_MS = 14_000
LONG_CHANCE, MOST_IN_LONG, LONG_RUN_MS = 0.3, 22, 22_500
"""In training some counts are longer than any that is evaluated: to twenty, one a second."""
CLOSE_TURNS = 2
"""A number that ended no longer before the model fell silent would have been cut by one that is quicker."""
LONGEST_SKIP_MS = 2_500
"""Saying where to skip to takes no longer."""
FEWEST_TO_SKIP, NUM_AFTER_SKIP = 20, 8
"""Numbers asked for where some are to be skipped, and those that are left then."""


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
        self.other_index: int | None = None
        """Where one may as well take the count up again."""

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
        self.other_index = None
        if self.last is not None and self.last.end_turn > turn:
            self.next_index, self.other_index = self.next_index - 1, self.next_index
        elif self.last is not None and self.last.end_turn > turn - CLOSE_TURNS:
            self.other_index = self.next_index - 1
        self.stage.cut(turn)

    def go_on(self, turn: int) -> None:
        """Take up counting again; as well with the next number if one was cut, or with one that was all but cut."""
        if self.other_index is not None:
            self.stage.or_else(self._planned(self.other_index, turn))
        self.go_to(self.next_index, turn)

    def go_to(self, index: int, turn: int) -> None:
        """Count on from one of the numbers."""
        self.next_index, self.next_turn = index, turn
        self.run()

    def _planned(self, index: int, turn: int) -> list[tuple[str, int]]:
        """The numbers from one on, each with the turn in which it would begin."""
        planned: list[tuple[str, int]] = []
        for number in self.numbers[index:]:
            word = self.word(number)
            planned.append((word, turn))
            turn += max(self.pace_turns, self.stage.turns_for(word, language=self.language))
        return planned

    def set_pace(self, pace_turns: int, turn: int) -> None:
        """Change the pace from the next number on."""
        if self.last is not None:
            self.next_turn = max(self.last.first_turn + pace_turns, self.last.end_turn, turn)
        self.pace_turns = pace_turns

    @property
    def is_over(self) -> bool:
        """Whether every number has been said."""
        return self.next_index >= len(self.numbers)

    @property
    def end_ms(self) -> float:
        """Media time at which the last sound has been played."""
        return turn_start_ms(self.last.end_turn + 1) if self.last else 0.0

    @property
    def over_ms(self) -> float:
        """Media time by which one number more would have been due: until then silence is no sign of the end."""
        return max(self.end_ms, turn_start_ms(self.next_turn + 1))


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


def ask(stage: Stage, request: str, numbers: Sequence[int], pace_ms: int, at_ms: float) -> tuple[Counting, float]:
    """Ask for numbers at a pace: the count, which has not begun, and when the request ends."""
    end_ms = stage.user(f"{request} {stage.pick(PACES[pace_ms])}".strip(), at_ms)
    turn = stage.answer_turn(end_ms)
    stage.quiet(at_ms, turn_start_ms(turn))
    return Counting(stage, numbers, pace_ms, turn), end_ms


def play(stage: Stage, at_ms: float) -> float:
    """Ask, count, and perhaps change course."""
    change = CHANGES[int(stage.rng.choice(len(CHANGES), p=CHANGE_WEIGHTS))]
    pace_ms = int(stage.pick(("1000", "1000", "1000", "1000", "1600", "600", "2000", "3000")))
    is_long = stage.cast.part == "train" and stage.chance(LONG_CHANCE)
    most, longest_ms = (MOST_IN_LONG, LONG_RUN_MS) if is_long else (12, LONGEST_RUN_MS)
    request, numbers = choose_numbers(stage, most=most)
    while change == "skip" and len(numbers) < FEWEST_TO_SKIP:
        request, numbers = choose_numbers(stage, most=30)
    if change not in ("stop", "skip"):  # so that it ends within an episode
        while len(numbers) * pace_ms > longest_ms:
            request, numbers = choose_numbers(stage, most=max(3, longest_ms // pace_ms))
    counting, _ = ask(stage, request, numbers, pace_ms, at_ms)
    first_turn = counting.next_turn
    if change == "none":
        counting.run()
        return counting.over_ms
    latest_ms = 4000 if change == "skip" else min(7000, len(numbers) * pace_ms * 0.8)
    change_ms = turn_start_ms(first_turn) + stage.between(900, latest_ms)
    return change_course(stage, counting, change, change_ms)


def say_stop(stage: Stage, at_ms: float) -> tuple[float, float]:
    """The user tells the model to stop. Returns when that is plain, and when the user has said it all (ms)."""
    num_before = len(stage.heard)
    end_ms = stage.user(stage.pick(STOP), at_ms)
    return stop_meant_ms(stage.heard[num_before:], end_ms), end_ms


def stop_meant_ms(words: Sequence[SpokenWord], end_ms: float, stoppers: Sequence[str] = STOPPERS) -> float:
    """When words first say that the model is to stop; ``end_ms`` if none of them does so by itself."""
    for place, word in enumerate(words):
        before = words[place - 1].text if place else ""
        if word.text in stoppers or f"{before} {word.text}" in stoppers:
            return word.end_ms
    return end_ms


def change_course(stage: Stage, counting: Counting, change: str, change_ms: float) -> float:
    """The user speaks up while the model counts. Returns when all is over."""
    if change in ("stop", "go on", "start again"):
        meant, end = say_stop(stage, change_ms)
        turn = stage.stop_turn(meant)
        counting.break_off(turn)
        if change == "stop":
            over_ms = end + stage.between(1500, 3500)
            stage.stop(meant, over_ms)
            return over_ms
        if counting.is_over:  # there is nothing to go on with
            change = "start again"
        again_end = stage.user(stage.pick(GO_ON if change == "go on" else START_AGAIN), end + stage.between(900, 2500))
        again_turn = stage.answer_turn(again_end)
        stage.stop(meant, turn_start_ms(again_turn))
        if change == "start again":
            counting.go_to(0, again_turn)
        else:
            counting.go_on(again_turn)
        return max(counting.over_ms, again_end)
    if change == "skip":
        counting.run(until_turn=turn_of_ms(change_ms))
        target = skip_index(stage, counting)
        end = stage.user(stage.pick(SKIP_TO).format(n=spoken(counting.numbers[target])), change_ms)
        turn = stage.answer_turn(end)
        counting.run(until_turn=turn)
        counting.numbers = counting.numbers[target : target + NUM_AFTER_SKIP]
        counting.go_to(0, max(turn, counting.last.end_turn if counting.last else turn))
        meant, final = say_stop(stage, max(turn_start_ms(turn) + 2500, change_ms + 4000))
        counting.break_off(stage.stop_turn(meant))
        stage.stop(meant, final + 1500)
        return final + 1500
    end = stage.user(stage.pick(SLOWER if change == "slower" else FASTER), change_ms)
    turn = stage.answer_turn(end)
    counting.run(until_turn=turn)
    factor = 1.6 if change == "slower" else 0.6
    counting.set_pace(max(2, round(counting.pace_turns * factor)), turn)
    counting.run()
    return max(counting.over_ms, end)


def skip_index(stage: Stage, counting: Counting) -> int:
    """The place of a number that lies ahead even when it has been named, and is not the last by far."""
    passed = -(-LONGEST_SKIP_MS // (counting.pace_turns * TURN_MS))
    earliest, latest = counting.next_index + passed, len(counting.numbers) - NUM_AFTER_SKIP
    return stage.whole(min(earliest, latest), latest)


COUNT_ALOUD = Scenario(
    name="count-aloud",
    summary="counts from, to, by steps, at a pace; stops, goes on, starts again, skips, slows down, speeds up",
    play=play,
    weight=3.0,
)
