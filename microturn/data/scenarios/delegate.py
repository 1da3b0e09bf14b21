"""Hand a question to the background model, go on listening and talking, and tell the result when nobody speaks.

The request is the user's question in the user's words. The result is read aloud in the turn after it came, or once the
user, or the model itself, has finished. What is cancelled is not told; what is corrected is passed on as an amendment.
"""

from dataclasses import dataclass

from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.repeat_after_me import REQUEST, choose_words
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.background import Act, ActKind, Report, ReportKind
from microturn.turns.timing import turn_of_ms, turn_start_ms

ASKED = Requests(
    train=(
        "{q}",
        "{q}",
        "can you find out {q}",
        "please find out {q}",
        "could you look up {q}",
        "look up {q}",
        "i would like to know {q}",
        "do you know {q}",
        "can you check {q}",
        "tell me {q}",
    ),
    heldout=("would you find out {q}", "can you look up {q}", "i want to know {q}", "please check {q}"),
)
QUESTIONS = Phrases(
    train=(
        "what is the weather in {place}",
        "how far is it to {place}",
        "when does the train to {place} leave",
        "how many people live in {place}",
        "what time is it in {place}",
        "what is {a} times {b}",
        "what is {a} plus {b}",
        "how do you say {thing} in french",
        "who wrote the book about the {thing}",
        "what does the {thing} cost",
        "where can i buy the {thing}",
        "how old is the oldest {thing}",
        "what is on my list for today",
        "when is my next meeting",
        "what is in the news",
    ),
    heldout=(
        "is it raining in {place}",
        "how do i get to {place}",
        "what is {a} minus {b}",
        "how heavy is the {thing}",
        "what did i write down about the {thing}",
    ),
)
PLACES = Phrases(
    train=(
        *("london", "paris", "rome", "berlin", "madrid", "new york", "boston", "chicago", "tokyo", "sydney", "dublin"),
        *("vienna", "moscow", "cairo", "lisbon", "athens", "texas", "india", "brazil", "the city", "the airport"),
    ),
    heldout=("oslo", "geneva", "toronto", "mexico", "the station"),
)
THINGS = Phrases(
    train=(
        *("house", "tree", "horse", "car", "bicycle", "table", "clock", "garden", "river", "bird", "camera", "piano"),
        *("kitchen", "ladder", "mountain", "ship", "violin", "window", "apple", "computer", "bridge", "coat"),
    ),
    heldout=("castle", "rabbit", "engine", "hat", "boat"),
)
FILLERS = Phrases(
    train=("one moment", "let me see", "i will find out", "let me check", "i am looking", "just a moment", "okay"),
    heldout=("one moment", "let me see", "i will find out"),
)
NEVER_MIND = Phrases(
    train=("never mind", "forget it", "cancel that", "i do not need it any more", "leave it", "never mind that"),
    heldout=("oh never mind", "you can forget it", "please cancel that"),
)
NO_I_MEANT = Phrases(
    train=("no i meant {x}", "i meant {x}", "sorry i meant {x}", "no {x}", "not that i meant {x}"),
    heldout=("oh sorry i meant {x}", "no no i meant {x}"),
)
LEAST_ADDEND = 21
"""Sums of smaller numbers the model knows by itself (``short_requests``)."""
UNDERSTOOD = "okay"
PROGRESS = ("i am still working on it", "this takes a little longer", "i am still looking")
FAILURES = ("that took too long", "i could not find it", "i cannot reach it", "something went wrong on my side")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and the part of it that a correction changes."""

    words: str
    correction: str = ""
    """Another value for its place, thing or number; empty for a question without one."""


def play(stage: Stage, at_ms: float) -> float:
    """Ask, perhaps correct, cancel, or ask something else; hear the result."""
    job = stage.new_job()
    question = choose_question(stage)
    end_ms = stage.user(stage.pick(ASKED).format(q=question.words), at_ms)
    free_turn = hand_over(stage, Act(kind=ActKind.ASK, job=job, text=question.words), end_ms, stage.pick(FILLERS))
    now_ms = max(end_ms, turn_start_ms(free_turn)) + stage.between(300, 2_000)
    if stage.chance(0.2):
        return cancelled(stage, job, now_ms)
    if question.correction and stage.chance(0.25):
        end_ms = stage.user(stage.pick(NO_I_MEANT).format(x=question.correction), now_ms)
        free_turn = hand_over(stage, Act(kind=ActKind.AMEND, job=job, text=question.correction), end_ms, UNDERSTOOD)
        now_ms = max(end_ms, turn_start_ms(free_turn)) + stage.between(300, 1_500)
    if stage.chance(0.3):
        stage.event(Report(kind=ReportKind.NOTE, job=job, text=f"using {stage.pick(THINGS)}").to_event(), now_ms)
        now_ms += stage.between(400, 1_500)
    if stage.chance(0.25):
        return two_at_once(stage, job, now_ms)
    if stage.chance(0.15):
        now_ms, free_turn = progress(stage, job, now_ms, free_turn)
    if stage.chance(0.3):
        now_ms, free_turn = meanwhile(stage, now_ms)
    return told(stage, outcome(stage, job), now_ms, free_turn)


def choose_question(stage: Stage) -> Question:
    """Something that only the background can know; open vocabulary where there are sentences."""
    if stage.cast.sentences and stage.chance(0.25):
        return Question(words=f"what is meant by {choose_words(stage)}")
    template = stage.pick(QUESTIONS)
    least = LEAST_ADDEND if "plus" in template else 2
    values = {
        "place": stage.pick(PLACES),
        "thing": stage.pick(THINGS),
        "a": spoken(stage.whole(least, 99)),
        "b": spoken(stage.whole(least, 99)),
    }
    others = {"{place}": stage.pick(PLACES), "{thing}": stage.pick(THINGS), "{b}": spoken(stage.whole(least, 99))}
    corrections = [other for name, other in others.items() if name in template]
    return Question(words=template.format(**values), correction=corrections[0] if corrections else "")


def hand_over(stage: Stage, act: Act, end_ms: float, words: str) -> int:
    """Write the act and say something meanwhile. Returns the first turn in which the model is free again."""
    turn = stage.answer_turn(end_ms)
    stage.act(act, turn)
    return stage.model(words, turn).end_turn


def cancelled(stage: Stage, job: int, at_ms: float) -> float:
    """The user does not want to know any more, and is not told."""
    end_ms = stage.user(stage.pick(NEVER_MIND), at_ms)
    free_turn = hand_over(stage, Act(kind=ActKind.CANCEL, job=job), end_ms, UNDERSTOOD)
    over_ms = turn_start_ms(free_turn + 1) + stage.between(800, 2_500)
    stage.quiet(turn_start_ms(free_turn + 1), over_ms)
    return over_ms


def two_at_once(stage: Stage, job: int, at_ms: float) -> float:
    """A second question while the first is being answered; the answers come in either order."""
    second = choose_question(stage)
    end_ms = stage.user(stage.pick(ASKED).format(q=second.words), at_ms)
    other = stage.new_job()
    act = Act(kind=ActKind.ASK, job=other, text=second.words)
    free_turn = hand_over(stage, act, end_ms, stage.pick(FILLERS))
    numbers = [job, other] if stage.chance(0.5) else [other, job]
    now_ms = max(end_ms, turn_start_ms(free_turn)) + stage.between(300, 1_500)
    for number in numbers:
        now_ms = told(stage, outcome(stage, number), now_ms, free_turn)
        free_turn = turn_of_ms(now_ms)
    return now_ms


def meanwhile(stage: Stage, at_ms: float) -> tuple[float, int]:
    """The conversation goes on: the model does something else for the user. Returns when the result comes, which may be
    in the middle of that, and the model's first free turn."""
    words = choose_words(stage)
    end_ms = stage.user(stage.pick(REQUEST).format(x=words), at_ms)
    said = stage.model(words, stage.answer_turn(end_ms))
    if stage.chance(0.4):
        return stage.between(turn_start_ms(said.first_turn), turn_start_ms(said.end_turn)), said.end_turn
    return turn_start_ms(said.end_turn + 1) + stage.between(0, 800), said.end_turn


def progress(stage: Stage, job: int, at_ms: float, free_turn: int) -> tuple[float, int]:
    """It takes long, and the user is told so. Returns when that is over, and the model's first free turn."""
    words = stage.pick(PROGRESS)
    came_turn = stage.event(Report(kind=ReportKind.SAY, job=job, text=words).to_event(), at_ms)
    said = stage.model(words, max(came_turn + 1, free_turn))
    return turn_start_ms(said.end_turn + 1) + stage.between(300, 1_500), said.end_turn


def outcome(stage: Stage, job: int) -> Report:
    """A result, a failure, or something worth saying."""
    if stage.chance(0.15):
        return Report(kind=ReportKind.ERROR, job=job, text=stage.pick(FAILURES))
    kind = ReportKind.SAY if stage.chance(0.1) else ReportKind.DONE
    return Report(kind=kind, job=job, text=answer(stage))


def told(stage: Stage, report: Report, at_ms: float, free_turn: int) -> float:
    """The result comes and is read aloud, though not while the user speaks. Returns when that is over."""
    came_turn = stage.event(report.to_event(), at_ms)
    turn = max(came_turn + 1, free_turn)
    # Somebody may be speaking when it comes, but does not begin when the model does, which could not know.
    if stage.chance(0.3) and at_ms >= turn_start_ms(free_turn):
        speaker = stage.cast.user if stage.chance(0.7) else stage.cast.bystanders(stage.rng)
        begin_ms = max(at_ms - stage.between(200, 900), turn_start_ms(free_turn))
        end_ms = stage.user(chatter(stage), begin_ms, voice=speaker)
        turn = max(turn, stage.answer_turn(end_ms) + 1)
        stage.quiet(turn_start_ms(came_turn), turn_start_ms(turn))
    said = stage.model(report.text, turn)
    return turn_start_ms(said.end_turn + 1) + stage.between(300, 1_200)


def answer(stage: Stage) -> str:
    """Words of a result."""
    if stage.cast.sentences and stage.chance(0.6):
        return stage.pick(stage.cast.sentences)
    return choose_words(stage)


def chatter(stage: Stage) -> str:
    """Something that asks for nothing."""
    return f"i think the {stage.pick(THINGS)} is in {stage.pick(PLACES)}"


DELEGATE = Scenario(
    name="delegate",
    summary="hands questions to the background, goes on talking, tells the result when nobody speaks; amends, cancels",
    play=play,
    weight=2.5,
)
