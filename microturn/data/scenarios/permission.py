"""Ask the user whether a tool may be used, when the background model wants to know, and pass on the yes or the no.

What is asked comes as a report that is worth saying. What the user answers in whatever words becomes one word of an
amendment, which nothing but a yes or a no can be; the result is told as any other.
"""

from microturn.data.phrases import Phrases, Requests
from microturn.data.scenarios.delegate import FILLERS, PLACES, THINGS, UNDERSTOOD, answer, hand_over, told
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.background import Act, ActKind, Report, ReportKind
from microturn.turns.timing import turn_start_ms

ASKED = Requests(
    train=("{q}", "please {q}", "can you {q}", "could you {q}", "i want you to {q}", "go and {q}"),
    heldout=("would you {q}", "i need you to {q}", "now {q}"),
)
ERRANDS = Phrases(
    train=(
        "[turn|switch] [on|off] the {thing}",
        "[send|write] a message to [my mother|my brother|anna|the office|my boss]",
        "[book|find] [a table|a room|a ticket|a seat] in {place}",
        "[buy|order] [a|another|a new] {thing}",
        "[put|add] a {thing} [on|to] my list",
        "[move|cancel] my [meeting|appointment|lesson] in {place}",
        "lock the [front door|back door|garage]",
        "pay [the rent|the bill|for the {thing}]",
        "call [my sister|the doctor|a taxi|the hotel in {place}]",
    ),
    heldout=(
        "turn the {thing} down",
        "reserve a flight to {place}",
        "tell my father about the {thing}",
        "take the {thing} off my list",
    ),
)
TOOLS = Phrases(
    train=(
        *("home lamp", "home door", "send mail", "send message", "write file", "delete notes", "book room", "buy"),
        *("calendar add", "calendar move", "call phone", "pay bill", "order food", "music play", "fetch page"),
    ),
    heldout=("garage door", "transfer money", "reserve flight", "forget notes", "radio play"),
)
YES = Phrases(
    train=(
        "yes",
        "yes [please|you may|you can|do|do it|do that|go ahead|of course|sure]",
        "[sure|of course|certainly|okay|all right|go ahead|yeah|please do|do it|fine] [please||]",
        "[that is|that's] [fine|okay|all right]",
    ),
    heldout=("yes go on then", "you may", "oh yes do", "by all means"),
)
NO = Phrases(
    train=(
        "no",
        "no [thanks|thank you|do not|don't|leave it|please don't|not now|better not|stop]",
        "[better not|not now|not today|please don't|do not do that|don't|leave it]",
        "i [would rather not|do not want that|don't think so]",
    ),
    heldout=("no no do not", "please do not do it", "rather not", "no you may not"),
)
DONE = ("it is done", "i have done it", "done", "that is done now")
LEFT = ("all right i left it", "then i will not", "i did not do it", "nothing was changed")


def play(stage: Stage, at_ms: float) -> float:
    """An errand, a question about it, the user's word, and what came of it."""
    job = stage.new_job()
    errand = stage.pick(ERRANDS).format(place=stage.pick(PLACES), thing=stage.pick(THINGS))
    end_ms = stage.user(stage.pick(ASKED).format(q=errand), at_ms)
    free_turn = hand_over(stage, Act(kind=ActKind.ASK, job=job, text=errand), end_ms, stage.pick(FILLERS))
    at_ms = max(end_ms, turn_start_ms(free_turn)) + stage.between(200, 1_500)
    asks = f"may i use {stage.pick(TOOLS)}"
    came_turn = stage.event(Report(kind=ReportKind.SAY, job=job, text=f"{asks}?").to_event(), at_ms)
    asked = stage.model(asks, max(came_turn + 1, free_turn))
    is_allowed = stage.chance(0.6)
    at_ms = turn_start_ms(asked.end_turn + 1) + stage.between(0, 1_200)
    end_ms = stage.user(stage.pick(YES if is_allowed else NO), at_ms)
    decision = Act(kind=ActKind.AMEND, job=job, text="yes" if is_allowed else "no")
    free_turn = hand_over(stage, decision, end_ms, UNDERSTOOD)
    at_ms = max(end_ms, turn_start_ms(free_turn)) + stage.between(200, 1_500)
    words = stage.pick(LEFT) if not is_allowed else stage.pick(DONE) if stage.chance(0.5) else answer(stage)
    return told(stage, Report(kind=ReportKind.DONE, job=job, text=words), at_ms, free_turn)


PERMISSION = Scenario(
    name="permission",
    summary="asks the user, for the background, whether a tool may be used, and passes on the yes or no",
    play=play,
    weight=1.0,
)
