"""What other scenarios ask by voice, typed: the same requests, the same stops, the same answers.

Numbers are often typed in digits. For who learns, a request that is read for certain is a lesson in what to do about
it, without the lesson in hearing.
"""

from microturn.data.scenarios import count_aloud, every_seconds, in_seconds, short_requests
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms


def play(stage: Stage, at_ms: float) -> float:
    """One request or a few short ones, without a spoken word of the user's."""
    kind = stage.pick(("count", "count", "every", "in", "short", "short"))
    with stage.typing():
        if kind == "count":
            return count_aloud.play(stage, at_ms)
        if kind == "every":
            return every_seconds.play(stage, at_ms)
        if kind == "in":
            return in_seconds.play(stage, at_ms)
        return short_ones(stage, at_ms)


def short_ones(stage: Stage, at_ms: float) -> float:
    """Sums, opposites, what comes next: each is answered at once."""
    now_ms = at_ms
    for _ in range(stage.whole(1, 3)):
        asked = short_requests.choose_request(stage)
        turn = stage.answer_turn(stage.user(asked.text, now_ms))
        stage.quiet(now_ms, turn_start_ms(turn))
        now_ms = turn_start_ms(short_requests.respond(stage, asked, turn) + 1) + stage.between(400, 1_500)
    return now_ms


TYPE_REQUESTS = Scenario(
    name="type-requests",
    summary="counts, keeps time and answers when asked in writing",
    play=play,
    weight=1.5,
)
