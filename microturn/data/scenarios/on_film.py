"""Real clips of people in place of rendered scenes: count, start and stop, tell when. Without clips, rendered ones."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios import count_repetitions, start_stop, tell_when
from microturn.data.scenarios.count_repetitions import count_aloud, request
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import SPAN_MS, answer, ask, close_eyes_perhaps, open_eyes
from microturn.data.scenarios.start_stop import PEOPLE, REQUEST, WORDS, mark
from microturn.data.scenarios.tell_when import TELL_ME
from microturn.data.stage import Stage
from microturn.data.visual import Film
from microturn.data.visual.camera import make_camera
from microturn.data.visual.films import FilmView
from microturn.turns.timing import turn_start_ms

ARMS_UP = Phrases(
    train=(
        "the person raises both arms",
        "both arms are up",
        "somebody puts both hands up",
        "i raise both arms",
        "i put my hands up",
        "the arms go up",
    ),
    heldout=("i raise both hands", "the person puts both arms up", "both hands go up"),
)
ARMS_UP_REPLY = "both arms are up"
UP, DOWN = ("body take_off",), ("body photo", "body left", "body right", "body closer", "body land")
SIGN = "signing"


def count(stage: Stage, at_ms: float) -> float:
    """One sign, several times in a row."""
    films = stage.cast.films.of("repeats")
    if not films:
        return count_repetitions.play(stage, at_ms)
    film, speed = _any(stage, films), stage.between(0.85, 1.15)
    view = _waiting(stage, film, at_ms)
    begin_ms = request(stage, stage.pick(count_repetitions.ANYTHING), at_ms)
    view.show(film, begin_ms, speed=speed)
    ends_ms = [begin_ms + end / speed for end in film.ends_ms]
    return count_aloud(stage, [begin_ms, *ends_ms[:-1]], ends_ms)


def start_and_stop(stage: Stage, at_ms: float) -> float:
    """One sign, several times in a row, after a while of stillness."""
    films = stage.cast.films.of("repeats")
    if not films:
        return start_stop.play(stage, at_ms)
    film, speed = _any(stage, films), stage.between(0.85, 1.15)
    view = _waiting(stage, film, at_ms)
    first, last = stage.pick(WORDS).split()
    doing = SIGN if stage.chance(0.3) else "moving"
    said = ask(stage, stage.pick(REQUEST).format(a=first, b=last, who=stage.pick(PEOPLE), it="it", doing=doing), at_ms)
    begin_ms = turn_start_ms(said.end_turn) + stage.between(900, 4_000)
    view.show(film, begin_ms, speed=speed)
    return mark(stage, said, begin_ms, begin_ms + film.ends_ms[-1] / speed, first, last)


def arms_up(stage: Stage, at_ms: float) -> float:
    """Somebody stands in one pose after another, then with both arms up."""
    before, after = stage.cast.films.of("still", *DOWN), stage.cast.films.of("still", *UP)
    if not (before and after):
        return tell_when.play(stage, at_ms)
    view = _waiting(stage, _any(stage, before), at_ms)
    said = ask(stage, stage.pick(TELL_ME).format(c=stage.pick(ARMS_UP)), at_ms)
    now_ms = turn_start_ms(said.end_turn) + stage.between(900, 3_000)
    for _ in range(stage.whole(0, 3)):
        view.show(_any(stage, before), now_ms)
        now_ms += stage.between(1_200, 3_000)
    view.show(_any(stage, after), now_ms)
    stage.quiet(turn_start_ms(said.end_turn), now_ms)
    said = answer(stage, ARMS_UP_REPLY, now_ms, not_before=said.end_turn)
    over_ms = max(now_ms + SPAN_MS, turn_start_ms(said.end_turn + 1))
    close_eyes_perhaps(stage, over_ms)
    return over_ms


def _waiting(stage: Stage, film: Film, at_ms: float) -> FilmView:
    """A view of a clip's first picture."""
    view = FilmView(stage.rng, make_camera(stage.rng))
    view.show(film, 0.0, is_frozen=True)
    open_eyes(stage, view, at_ms)
    return view


def _any(stage: Stage, films: list[Film]) -> Film:
    return films[stage.whole(0, len(films) - 1)]


COUNT_FILMED = Scenario(
    name="count-filmed",
    summary="counts the repetitions of a movement of real people",
    play=count,
    weight=0.6,
    needs_sight=True,
)
START_STOP_FILMED = Scenario(
    name="start-stop-filmed",
    summary="says 'start' and 'stop' when real people start and stop moving",
    play=start_and_stop,
    weight=0.4,
    needs_sight=True,
)
TELL_WHEN_FILMED = Scenario(
    name="tell-when-filmed",
    summary="watches real people, and says so when both arms go up",
    play=arms_up,
    weight=0.4,
    needs_sight=True,
)
